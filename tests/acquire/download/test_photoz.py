"""SDSS's own photometric redshifts by SkyServer: query, join, what is missing."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sdssflow.acquire.download.plan import EVERYTHING
from sdssflow.acquire.download.sql import Queries
from sdssflow.configuration.selection import PHOTOZ
from sdssflow.configuration.sources import BulkSource, TapSource
from skyserver_standin.database import Database
from tests.acquire.download.walk import COLUMNS, PHOTOMETRY, download, source

Z, ERROR, NEIGHBOURS, CLASS = PHOTOZ


@pytest.fixture(scope="module")
def walked(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    download(server.url, folder, source(photoz=True, selection=[]))
    return folder


@pytest.fixture(scope="module")
def catalogue(walked):
    return pq.read_table(walked / "catalogue.parquet")


def test_each_object_has_its_entry_and_none_is_lost_or_doubled(sky, catalogue):
    spectra = pq.read_table(sky / "specobj.parquet")
    assert catalogue.num_rows == (spectra["bestObjID"].to_numpy() != 0).sum()
    cursor = Database(sky).cursor()
    theirs = cursor.sql("SELECT * FROM dbo.Photoz").df().set_index("objID")
    found = catalogue.to_pandas().set_index("objid")
    without = ~found.index.isin(theirs.index)
    assert 100 < without.sum() < 1500 and found.loc[without, list(PHOTOZ)].isna().all(axis=None)
    theirs = theirs.reindex(found.index)
    np.testing.assert_allclose(found[Z], theirs["z"].where(theirs["z"] > -1), rtol=1e-6)
    assert found[CLASS].dropna().astype(int).isin([*range(1, 8), *range(-7, 0)]).all()


def test_a_failed_fit_is_missing_and_counted(sky, walked, catalogue):
    failed = Database(sky).cursor().sql("SELECT objID FROM dbo.Photoz WHERE zErr = -9999").df()
    rows = catalogue.to_pandas()
    rows = rows[rows["objid"].isin(failed["objID"])]
    assert len(rows) and rows[[Z, ERROR]].isna().all(axis=None) and rows[CLASS].notna().all()
    defects = duckdb.read_csv(str(walked / "defects.csv")).df()
    sentinels = defects[
        defects["column"].isin([Z, ERROR]) & (defects["defect"] == "sentinel -9999")
    ]
    assert sentinels["count"].tolist() == [len(rows)] * 2


def test_the_catalogue_says_what_they_are(catalogue):
    types = [catalogue.schema.field(name).type for name in PHOTOZ]
    assert types == [pa.float32(), pa.float32(), pa.int32(), pa.int32()]
    for name in PHOTOZ:
        assert catalogue.schema.field(name).metadata[b"description"]


def test_a_source_that_asks_for_none_asks_as_before():
    plain = source()
    assert "photoz" not in (Queries(plain).rows(EVERYTHING) + plain.question()).lower()
    with_it = source(photoz=True)
    assert "LEFT JOIN Photoz pz ON pz.objID=p.objID" in Queries(with_it).count(EVERYTHING)
    assert with_it.columns == [*plain.columns, *PHOTOZ]


def test_one_of_them_brings_the_others():
    assert source(columns=[*COLUMNS, Z]).columns == source(photoz=True).columns


def test_objects_without_spectra_have_them_too():
    rows = Queries(source(**PHOTOMETRY, photoz=True)).rows(EVERYTHING)
    assert "FROM PhotoObjAll p LEFT JOIN Photoz pz" in rows and "pz.photoErrorClass" in rows


def test_a_condition_on_them_joins_the_table(server, catalogue, tmp_path):
    selection = [{"column": CLASS, "any_of": [1]}]
    download(server.url, tmp_path, source(columns=["spec_class"], selection=selection))
    found = pq.read_table(tmp_path / "catalogue.parquet")
    assert Z not in found.column_names
    assert found.num_rows == (catalogue.to_pandas()[CLASS] == 1).sum()


def test_where_they_are_not():
    with pytest.raises(ValidationError, match="'sdss_photoz' is not in the bulk files of SDSS"):
        BulkSource(kind="bulk", folder="bulk", columns=["zspec", Z])
    with pytest.raises(ValidationError, match="photoz\n.*Extra inputs are not permitted"):
        TapSource(kind="tap", url="https://x.org", table="a.b", columns={"objid": "o"}, photoz=True)
