"""Columns of WISE and declared ones by SkyServer: query, join, sums, what is missing."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sdssflow.acquire.download.errors import DownloadError, TransientError
from sdssflow.acquire.download.plan import EVERYTHING
from sdssflow.acquire.download.sql import Queries
from sdssflow.acquire.download.verify import check_tally
from skyserver_standin.server import SkyServer
from tests.acquire.download.walk import PHOTOMETRY, download, open_at, source

COLUMNS = ["spec_class", "petro_r50_r", "petro_r90_r", "frac_dev_r", "wise_mag_w1", "wise_mag_w4"]
DECLARED = {
    "axis_ratio": {
        "minimum": 0.2, "missing": "not_observed", "meaning": "axis ratio", "sdss": "p.deVAB_r",
    }
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    download(server.url, folder, source(columns=COLUMNS, declared=DECLARED, selection=[]))
    return pq.read_table(folder / "catalogue.parquet")


def nearest(sky):
    wise = pq.read_table(sky / "wise.parquet").to_pandas().sort_values("match_dist")
    assert wise["sdss_objid"].duplicated().any()
    return wise.drop_duplicates("sdss_objid").set_index("sdss_objid")


def test_each_object_has_its_nearest_source_and_none_is_lost_or_doubled(sky, catalogue):
    found = catalogue.to_pandas()
    spec = pq.read_table(sky / "specobj.parquet")
    assert len(found) == (spec["bestObjID"].to_numpy() != 0).sum()
    theirs = nearest(sky).reindex(found["objid"])
    assert 0.3 < theirs["cntr"].isna().mean() < 0.7  # not observed
    of = nearest(sky)["cntr"].to_dict()
    assert catalogue["wise_id"].to_pylist() == [of.get(objid) for objid in found["objid"]]
    np.testing.assert_allclose(found["wise_mag_w4"], theirs["w4mpro"], rtol=1e-6)
    assert (found["wise_mag_err_w4"].isna() & found["wise_mag_w4"].notna()).sum() > 100  # limits


def test_the_catalogue_says_what_its_columns_are(catalogue):
    about = catalogue.schema.field("wise_mag_w1").metadata
    assert (about[b"unit"], about[b"missing"]) == (b"mag", b"not_observed")
    assert about[b"limit_without"] == b"wise_mag_err_w1"
    assert catalogue.schema.field("axis_ratio").type == pa.float64()
    assert catalogue.schema.field("axis_ratio").metadata[b"minimum"] == b"0.2"
    assert catalogue["axis_ratio"].null_count > 0  # below the declared minimum
    assert catalogue.column_names[-1] == "axis_ratio"


def test_a_source_that_asks_for_none_asks_as_before():
    text = Queries(source()).rows(EVERYTHING) + Queries(source()).count(EVERYTHING)
    assert "WISE" not in text and "h3" not in text
    assert "declared" not in source().question()


def test_objects_without_spectra_have_them_too():
    asked = source(**{**PHOTOMETRY, "columns": ["wise_mag_w2"]})
    rows = Queries(asked).rows(EVERYTHING)
    assert "FROM PhotoObjAll p LEFT JOIN WISE_xmatch x ON x.sdss_objid=p.objID" in rows
    assert "w.w2mpro,w.w2sigmpro" in rows
    assert asked.columns[-3:] == ["wise_id", "wise_mag_w2", "wise_mag_err_w2"]


def test_a_condition_on_wise_joins_it(sky, server, tmp_path):
    selection = [{"column": "wise_mag_w1", "maximum": 14.0}]
    download(server.url, tmp_path, source(columns=["spec_class"], selection=selection))
    found = pq.read_table(tmp_path / "catalogue.parquet")
    assert "wise_id" not in found.column_names
    assert (
        found.num_rows == (nearest(sky)["w1mpro"].reindex(found["objid"].to_pylist()) <= 14).sum()
    )


def test_other_matches_than_the_server_counts_are_refused(server, tmp_path):
    asked = source(columns=COLUMNS, selection=[])
    archive = open_at(server.url, tmp_path, asked)
    counted = archive.count(EVERYTHING)
    (piece,) = archive.rows(EVERYTHING)
    assert piece.tally == counted and counted.h3 is not None
    ids = piece.table["wise_id"].to_numpy(zero_copy_only=False)
    place = piece.table.column_names.index("wise_id")
    shuffled = pa.array(np.where(np.isnan(ids), ids, ids + 3), from_pandas=True).cast(pa.int64())
    other = archive.language.tally(piece.table.set_column(place, "wise_id", shuffled))
    with pytest.raises(TransientError, match="as third sum over ids"):
        check_tally(other, counted)


def test_a_server_without_wise_says_so(sky, tmp_path):
    shutil.copytree(sky, tmp_path / "sky", ignore=shutil.ignore_patterns("wise.parquet"))
    with (
        SkyServer(tmp_path / "sky") as server,
        pytest.raises(DownloadError, match="WISE_xmatch"),
    ):
        download(server.url, tmp_path, source(columns=COLUMNS))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sdss": None}, "declared.axis_ratio: give the column of SDSS as sdss"),
        ({"sdss": "p.run"}, "'axis_ratio' is refused, 'run' can't be a feature: runs share depth"),
        ({"sdss": "s.z"}, "String should match pattern"),
        ({"limit_without": "axis_err"}, "limit_without: 'axis_err' is not among the columns"),
    ],
)
def test_declarations_that_cannot_be_meant(changes, message):
    column = {k: v for k, v in (DECLARED["axis_ratio"] | changes).items() if v is not None}
    with pytest.raises(ValidationError, match=message):
        source(declared={"axis_ratio": column})
