"""Objects without spectra: the same road as that of spectra, by ranges of objID."""

import json
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from sdssflow.acquire.download.chunks import make_plan, open_archive
from sdssflow.acquire.download.client_skyserver import SkyServer
from sdssflow.acquire.download.errors import DownloadError, TransientError
from sdssflow.acquire.download.plan import Plan, Range
from sdssflow.acquire.download.sql import Queries
from sdssflow.configuration.selection import SELECTABLE, STANDARD
from sdssflow.configuration.sources import SkyServerSource, downloaded_from_canonical
from sdssflow.tables import content_digest, read_csv, read_parquet
from skyserver_standin import server as standin
from skyserver_standin.loopback import CSV, Answer
from tests.acquire.download.walk import (
    NETWORK,
    PHOTOMETRY,
    download,
    open_at,
    source,
    written,
)
from tests.skyserver.clocks import OWN

ASKED = source(**PHOTOMETRY)
RUN_756 = Range(1237648720142401536, 1237648724437368832)
ROWS = "ORDER BY p.objID"
PLAN = "GROUP BY p.rerun,p.run"


@pytest.fixture
def clean(photometric_folder):
    return written(photometric_folder)


@pytest.fixture
def clean_table(photometric_folder):
    return read_parquet(photometric_folder / "catalogue.parquet")


@pytest.fixture
def right(photometric_sky):
    """The rows that are asked for, from the table of the sky, by pandas."""
    photometry = pq.read_table(photometric_sky / "photoobj.parquet").to_pandas()
    asked = (photometry["mode"] == 1) & photometry["r"].between(10, 25)
    assert 0 < asked.sum() < len(photometry)
    return photometry[asked].sort_values("objID", ignore_index=True)


def test_the_queries():
    asked = source(
        rows="photometry",
        columns=["model_mag_u"],
        selection=[{"column": "mode", "any_of": [1]}],
        unchecked_sql="p.u-p.g>1",
    )
    queries, span = Queries(asked), f"p.objID>={RUN_756.low} AND p.objID<{RUN_756.high}"
    where = f"WHERE {span} AND p.mode IN (1)"
    assert queries.groups(RUN_756) == (
        "SELECT TOP 500000 MIN(p.objID) AS lo, COUNT_BIG(*) AS n FROM PhotoObjAll p "
        f"{where} GROUP BY p.rerun,p.run ORDER BY p.rerun,p.run"
    )
    assert queries.members(RUN_756) == f"SELECT COUNT_BIG(*) AS n FROM PhotoObjAll p {where}"
    assert queries.count(RUN_756) == (
        "SELECT COUNT_BIG(*) AS n,MIN(p.objID) AS lo,MAX(p.objID) AS hi,"
        "SUM(CAST(p.objID%1000003 AS bigint)) AS h1,SUM(CAST(p.objID%999983 AS bigint)) AS h2 "
        f"FROM PhotoObjAll p {where} AND (p.u-p.g>1)"
    )
    assert queries.rows(RUN_756) == (
        "SELECT TOP 500000 p.objID,p.u,p.run,p.camcol,p.field FROM PhotoObjAll p "
        f"{where} AND (p.u-p.g>1) ORDER BY p.objID"
    )


def test_the_columns_are_the_photometric_ones_by_default():
    asked = SkyServerSource(kind="skyserver", rows="photometry")
    assert asked.columns == [name for name in STANDARD if SELECTABLE[name].table == "photo"]
    assert len(asked.columns) == 32
    assert downloaded_from_canonical(asked.question()) == asked


def test_the_question_of_spectra_is_what_it_was_before_there_was_another():
    question = json.loads(SkyServerSource(kind="skyserver").question())
    assert question == {
        "kind": "skyserver", "release": 17, "server": "https://skyserver.sdss.org",
        "columns": list(STANDARD), "selection": [], "limit": None, "chunks": 8,
        "rows_per_query": 100_000, "unchecked_sql": None, "simulated": None,
    }  # fmt: skip
    assert '"rows"' not in SkyServerSource(kind="skyserver", rows="spectra").canonical()
    assert json.loads(ASKED.question())["rows"] == "photometry"


def test_the_catalogue_holds_every_object_that_was_asked_for(right, clean_table):
    found = clean_table.to_pandas()
    assert found["objid"].tolist() == right["objID"].tolist()
    assert found["row_id"].tolist() == list(range(len(right)))
    for name in ("ra", "dec"):
        assert found[name].to_numpy() == pytest.approx(right[name].to_numpy(), abs=1e-11)
    known = found["model_mag_u"].notna()
    assert found["model_mag_u"][known].to_numpy() == pytest.approx(
        right["u"][known].to_numpy(), rel=5e-7
    )
    assert (right["u"][~known] == -9999).all()
    photometric = {name for name, column in SELECTABLE.items() if column.table == "photo"}
    assert set(clean_table.column_names) - {"row_id"} < photometric


def test_chunks_are_ranges_of_runs_and_leave_no_id_out(photometric_folder, right):
    plan = Plan.read(photometric_folder / "plan.json")
    assert (plan.key, plan.rows) == ("objid", len(right))
    assert (plan.bounds[0][0], plan.bounds[-1][1]) == (0, 1 << 63)
    assert all(before[1] == after[0] for before, after in pairwise(plan.bounds))
    assert all(high % (1 << 32) == 0 for _, high in plan.bounds)
    held = [int(right["objID"].between(low, high - 1).sum()) for low, high in plan.bounds]
    assert plan.chunk_spectra == held
    assert max(held) < 1.2 * min(held)
    completeness = read_csv(photometric_folder / "completeness.csv")
    assert completeness["rows"].tolist() == [*held, len(right)]
    assert completeness["from_plate"].isna().all()


@pytest.mark.parametrize("changes", [{"rows_per_query": 300}, {"chunks": 5}])
def test_the_rows_do_not_depend_on_the_split(changes, photometric_server, clean_table, tmp_path):
    download(photometric_server.url, tmp_path, source(**PHOTOMETRY | changes))
    assert content_digest(read_parquet(tmp_path / "catalogue.parquet")) == content_digest(
        clean_table
    )


def test_limit_takes_the_first_objects(photometric_server, clean_table, tmp_path):
    download(photometric_server.url, tmp_path, source(**PHOTOMETRY, limit=150))
    found = read_parquet(tmp_path / "catalogue.parquet")
    assert content_digest(found) == content_digest(clean_table.slice(0, 150))
    assert 150 <= Plan.read(tmp_path / "plan.json").rows < 600


@pytest.mark.parametrize("match", [ROWS, PLAN, "SELECT COUNT_BIG"])
def test_answers_split_in_time_give_the_same_rows(
    match, photometric_server, board, clean, tmp_path
):
    board.order("http_500_timeout", match=match, times=4)
    assert download(photometric_server.url, tmp_path, ASKED) == clean
    assert len(board.log) == 4


def test_a_download_that_broke_off_goes_on_where_it_stopped(
    photometric_server, board, clean, tmp_path
):
    board.order("http_503", match=f"p.objID<{1 << 63}.*{ROWS}", times=None)  # the last chunk
    with pytest.raises(DownloadError, match="HTTP 503"):
        download(photometric_server.url, tmp_path, ASKED)
    assert (tmp_path / "0000.parquet").exists()
    board.clear()
    photometric_server.log.clear()
    assert download(photometric_server.url, tmp_path, ASKED) == clean
    assert sum(ROWS in exchange.sql for exchange in photometric_server.log) == 1


def without_a_row(lines):
    return [*lines[:-5], *lines[-4:]]


def with_a_row_twice(lines):
    return [*lines[:-5], lines[-5], *lines[-5:]]


def with_a_row_for_another(lines):
    """The row before the last, lost, and another object in its place: number and ends are right."""
    objid, _, rest = lines[-5].partition(b",")
    return [*lines[:-5], str(int(objid) + 1).encode() + b"," + rest, *lines[-4:]]


def cut(lines):
    return [*lines[: len(lines) // 2], b""]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_row, "rows are missing, repeated or exchanged"),
        (with_a_row_twice, "its objID is not larger than the previous one"),
        (with_a_row_for_another, "sum over ids, the server counts"),
        (cut, "rows are missing, repeated or exchanged"),
    ],
)
def test_rows_that_are_not_those_counted_are_refused(change, message, photometric_sky, tmp_path):
    def spoil(request, application):
        answer = application(request)
        if ROWS not in request.sql:
            return answer
        return Answer(200, CSV, b"\n".join(change(answer.content().split(b"\n"))))

    with standin.SkyServer(photometric_sky, middleware=spoil) as server:
        twice = NETWORK.model_copy(update={"attempts": 2})
        with pytest.raises(TransientError, match=message):
            download(server.url, tmp_path, ASKED, twice)
    assert not (tmp_path / "catalogue.parquet").exists()


def test_a_server_that_is_too_slow_for_anything_is_given_up_soon(
    photometric_server, board, tmp_path
):
    archive = open_at(photometric_server.url, tmp_path, ASKED)
    board.order("http_500_timeout", match="COUNT_BIG", times=None)
    with pytest.raises(
        DownloadError, match="objID 0 to .*The server can't answer even this small range"
    ):
        archive.count(archive.language.whole)
    assert len(photometric_server.log) < 20
    board.clear()
    photometric_server.log.clear()
    archive.count(archive.language.whole)
    assert len(photometric_server.log) == 1


def test_no_object_is_an_error_that_speaks_of_objects(photometric_server, tmp_path):
    nothing = [{"column": "model_mag_r", "maximum": 3.0, "minimum": 2.0}]
    asked = source(**PHOTOMETRY | {"selection": nothing})
    with pytest.raises(DownloadError, match=r"\(0 objects meet those on objects\)"):
        make_plan(open_at(photometric_server.url, tmp_path, asked), asked, "stand-in")


def test_a_process_of_its_own_serves_photometry_and_nothing_else(photometric_sky, right, tmp_path):
    asked = source(**PHOTOMETRY, simulated={"objects": 2000, "seed": 3})
    network = NETWORK.model_copy(update={"store": str(tmp_path)})
    with open_archive(asked, network, photometric_sky) as (archive, name):
        assert name.startswith("simulated sky ")
        assert archive.count(archive.language.whole).n == len(right)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT TOP 9 s.class FROM SpecObjAll s", "Invalid object name 'SpecObjAll'"),
        ("SELECT TOP 9 s.z FROM SpecObj s", "Invalid object name 'SpecObj'"),
        ("SELECT TOP 9 t.spec_class FROM truth t", "Invalid object name 'truth'"),
        ("SELECT TOP 9 p.spec_class FROM PhotoObjAll p", "Invalid column name 'spec_class'"),
        ("SELECT TOP 9 p.zspec FROM PhotoPrimary p", "Invalid column name 'zspec'"),
    ],
)
def test_the_truth_is_not_served(sql, message, photometric_sky, photometric_server):
    truth = pq.read_schema(photometric_sky / "truth.parquet").names
    served = pq.read_schema(photometric_sky / "photoobj.parquet").names
    assert set(truth) & {name.lower() for name in served} == {"objid"}
    with pytest.raises(DownloadError, match=message):
        SkyServer(photometric_server.url, 17, NETWORK, OWN).ask(sql)


def test_an_empty_table_of_spectra_changes_nothing(sky, photometric_sky, clean, tmp_path):
    folder = tmp_path / "sky"
    folder.mkdir()
    (folder / "photoobj.parquet").symlink_to(photometric_sky / "photoobj.parquet")
    spectra = pq.read_table(sky / "specobj.parquet")
    pq.write_table(spectra.slice(0, 0), folder / "specobj.parquet")
    with standin.SkyServer(folder) as server:
        assert download(server.url, tmp_path, ASKED) == clean


def test_photometry_of_a_sky_with_spectra_is_that_of_its_objects(sky, server, tmp_path):
    download(server.url, tmp_path, source(**PHOTOMETRY | {"selection": []}))
    found = read_parquet(tmp_path / "catalogue.parquet")["objid"].to_pylist()
    assert found == pq.read_table(sky / "photoobj.parquet")["objID"].to_pylist()
