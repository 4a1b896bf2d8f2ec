"""Downloads from a stand-in that behaves, seen from outside: what is asked, what is written."""

import errno
import fcntl
import json
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sdssflow import files
from sdssflow.acquire.download.chunks import loopback, make_plan, open_archive
from sdssflow.acquire.download.client_skyserver import SkyServer as SkyServerClient
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.plan import EVERYTHING, Plan, check_space
from sdssflow.tables import content_digest, metadata, read_csv, read_parquet
from skyserver_standin.loopback import Answer
from skyserver_standin.server import SkyServer
from tests.acquire.download.walk import NETWORK, SELECTION, download, open_at, source
from tests.skyserver.clocks import OWN


@pytest.fixture
def clean_table(clean_folder):
    return read_parquet(clean_folder / "catalogue.parquet")


def test_the_catalogue_holds_every_row_of_the_sky_that_was_asked_for(sky, clean_table):
    """Against the tables of the sky, joined here by pandas."""
    spectra = pq.read_table(sky / "specobj.parquet").to_pandas()
    photometry = pq.read_table(sky / "photoobj.parquet").to_pandas()
    rows = spectra.merge(photometry, left_on="bestObjID", right_on="objID", suffixes=("_s", ""))
    asked = rows[(rows["sciencePrimary"] == 1) & rows["r"].between(10, 25)]
    found = clean_table.to_pandas()
    expected = asked.sort_values("specObjID")
    assert found["specobjid"].tolist() == expected["specObjID"].tolist()
    assert found["objid"].tolist() == expected["objID"].tolist()
    assert found["spec_class"].tolist() == expected["class"].tolist()
    assert found["row_id"].tolist() == list(range(len(expected)))
    known = found["model_mag_u"].notna().to_numpy()
    # SkyServer prints 7 digits of a real
    assert found["model_mag_u"][known].to_numpy() == pytest.approx(
        expected["u"].to_numpy()[known], rel=5e-7
    )
    assert (expected["u"].to_numpy()[~known] == -9999).all() and (~known).any()
    assert max(found["specobjid"]) > 2**63


def test_what_comes_with_the_catalogue(clean_folder, clean_table):
    table, about = clean_table, metadata(clean_table.schema)
    assert about["data_digest"] == content_digest(table)
    assert about["query"].startswith("SELECT TOP 500000 p.objID,")
    assert (about["release"], about["archive"], about["simulated"]) == (17, "stand-in", True)
    assert about["extinction_applied"] is False
    completeness = read_csv(clean_folder / "completeness.csv")
    assert completeness["chunk"].tolist() == ["0", "1", "whole sample"]
    parts, whole = completeness.iloc[:-1], completeness.iloc[-1]
    for column in ("spectra_planned", "spectra_counted", "rows_counted", "rows"):
        assert parts[column].sum() == whole[column]
    assert whole["rows"] == table.num_rows
    defects = read_csv(clean_folder / "defects.csv")
    row = defects[defects["defect"] == "sentinel -9999"].iloc[0]
    assert table[row["column"]][int(row["example_row"])].as_py() is None
    assert (
        sum(column.null_count for column in table.columns)
        == defects.loc[defects["action"] != "kept", "count"].sum()
    )


@pytest.mark.parametrize("changes", [{"rows_per_query": 400}, {"chunks": 1}, {"chunks": 7}])
def test_the_rows_do_not_depend_on_the_split(server, clean, clean_table, tmp_path, changes):
    found = download(server.url, tmp_path, source(**changes))
    ours = read_parquet(tmp_path / "catalogue.parquet")
    assert content_digest(ours) == content_digest(clean_table)
    assert found["defects.csv"] == clean["defects.csv"]


def test_answers_split_in_time_give_the_same_bytes(server, board, clean, tmp_path):
    board.order("http_500_timeout", match="ORDER BY s.specObjID", times=3)
    assert download(server.url, tmp_path) == clean
    assert len(board.log) == 3


def test_what_was_proven_is_never_asked_again(server, clean, tmp_path):
    download(server.url, tmp_path)
    asked = len(server.log)
    assert asked > 5
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    (tmp_path / "plan.json").unlink()
    assert download(server.url, tmp_path) == clean
    assert len(server.log) == asked


def test_a_damaged_answer_is_asked_again(server, clean, tmp_path):
    download(server.url, tmp_path)
    asked = len(server.log)
    largest = max((tmp_path / "store").glob("*.zst"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    record = next((tmp_path / "store").glob("*.json"))
    record.write_text(record.read_text()[:40])
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    assert download(server.url, tmp_path) == clean
    assert 1 <= len(server.log) - asked <= 3


def test_rows_beyond_the_limit_are_left_out_and_always_the_same(server, clean_table, tmp_path):
    download(server.url, tmp_path, source(limit=300, chunks=3))
    found = read_parquet(tmp_path / "catalogue.parquet")
    assert content_digest(found) == content_digest(clean_table.slice(0, 300))
    plan = Plan.read(tmp_path / "plan.json")
    assert 300 <= plan.rows < 1500
    assert plan.bounds[-1][1] < 1 << 64


def test_no_rows_is_an_error_before_anything_is_downloaded(server, tmp_path):
    asked = source(selection=[*SELECTION, {"column": "zspec", "minimum": 50}])
    with pytest.raises(DownloadError, match="no row that meets all conditions.*Loosen"):
        make_plan(open_at(server.url, tmp_path, asked), asked, "stand-in")


def test_a_server_that_changed_since_the_plan_is_noticed(server, board, tmp_path):
    download(server.url, tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "catalogue.parquet").unlink()
    more = [plan["chunk_spectra"][0] + 1, *plan["chunk_spectra"][1:]]
    for change, message in (
        ({"chunk_spectra": more}, "spectra when the plan was made and"),
        ({"rows": plan["rows"] + 1}, "the server counted"),
    ):
        (tmp_path / "plan.json").write_text(json.dumps(plan | change))
        for path in tmp_path.glob("0*.parquet"):
            path.unlink()
        with pytest.raises(DownloadError, match=message):
            download(server.url, tmp_path)
        assert not (tmp_path / "catalogue.parquet").exists()


def test_chunks_of_another_plan_are_refused(server, tmp_path):
    download(server.url, tmp_path)
    (tmp_path / "0000.parquet").rename(tmp_path / "x")
    (tmp_path / "0001.parquet").rename(tmp_path / "0000.parquet")
    (tmp_path / "x").rename(tmp_path / "0001.parquet")
    with pytest.raises(DownloadError, match="not those of the plan.*--forcerun plan_chunks"):
        download(server.url, tmp_path)


def test_the_server_is_told_who_asks(server, tmp_path):
    seen = []
    ask = open_at(
        server.url, tmp_path, source(), NETWORK.model_copy(update={"contact": "me@example.org"})
    )._ask
    session = ask.__self__._client._session
    session.hooks["response"].append(lambda answer, **_: seen.append(answer.request))
    ask("SELECT COUNT_BIG(*) AS n FROM SpecObjAll s")
    (request,) = seen
    agent = request.headers["User-Agent"]
    assert agent.startswith("sdssflow/") and "me@example.org" in agent and "astroquery/" in agent
    assert request.url.startswith(f"{server.url}/dr17/en/tools/search/x_results.aspx?")


def test_a_proxy_is_not_asked_for_this_machine(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert open_at(server.url, tmp_path, source()).count(EVERYTHING).n > 1500
    far = SkyServerClient("http://skyserver.example.org", 17, NETWORK, OWN)
    with pytest.raises(DownloadError, match="[Pp]roxy"):
        far.ask("SELECT 1")


def test_a_table_under_another_name_is_not_believed(sky, tmp_path):
    def renamed(request, application):
        answer = application(request)
        return Answer(answer.status, "text/html", answer.content())

    with SkyServer(sky, middleware=renamed) as other:
        archive = open_at(other.url, tmp_path, source(), NETWORK.model_copy(update={"attempts": 1}))
        with pytest.raises(DownloadError, match="an answer of type text/html, not CSV"):
            archive.groups()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release": 99}, "release 99: HTTP 404.*Correct source.release"),
        ({"unchecked_sql": "s.redshfit>0"}, "Invalid column name.*Correct|correct source"),
        ({"unchecked_sql": "p.u>>2"}, "The server refuses the query"),
    ],
)
def test_mistakes_of_the_sample_are_told_at_once(server, tmp_path, changes, message):
    asked = source(**changes)
    with pytest.raises(DownloadError, match=message):
        make_plan(open_at(server.url, tmp_path, asked), asked, "stand-in")
    assert len(server.log) <= 3  # the plates, their sum, and the query with the mistake


def test_a_host_that_can_not_be_reached(tmp_path):
    once = NETWORK.model_copy(update={"attempts": 2})
    with pytest.raises(DownloadError, match="can't be reached.*Check source.server"):
        open_at("http://127.0.0.1:9", tmp_path, source(), once).groups()
    with pytest.raises(DownloadError, match="no-such-host.invalid can't be reached"):
        open_at("http://no-such-host.invalid", tmp_path, source(), once).groups()


def test_a_folder_that_can_not_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    network = NETWORK.model_copy(update={"store": str(tmp_path / "file" / "store")})
    with (
        pytest.raises(DownloadError, match="can't be written: Not a directory.*downloads.store"),
        open_archive(source(server=server.url), network),
    ):
        pass


def test_a_full_disk_leaves_nothing_half_written(server, clean, tmp_path, monkeypatch):
    archive = open_at(server.url, tmp_path, source())

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(DownloadError, match="No space left on device.*Free some space"):
            archive.groups()
    assert {path.name for path in (tmp_path / "store").iterdir()} <= {".pace", ".pace.lock"}
    assert download(server.url, tmp_path) == clean


def test_a_download_without_locks_warns_once_and_is_the_same(
    server, clean, tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(files, "_warned", set())
    assert download(server.url, tmp_path) == clean
    assert caplog.text.count("the file system has no locks") == 1


def test_a_download_that_can_not_fit_is_not_begun(tmp_path):
    check_space(tmp_path / "not" / "there", 1000)
    with pytest.raises(DownloadError, match="need about 3,000,000,000 MB.*source.limit"):
        check_space(tmp_path, 10**13)


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_clock_that_jumps_changes_nothing(server, clean, tmp_path, monkeypatch, jump):
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + jump)
    assert download(server.url, tmp_path) == clean


def test_a_server_that_is_too_slow_for_anything_is_given_up_and_not_remembered_as_such(
    server, board, tmp_path
):
    archive = open_at(server.url, tmp_path, source())
    board.order("http_500_timeout", match="COUNT_BIG", times=None)
    with pytest.raises(
        DownloadError, match="Timeout Expired.*The server can't answer even this small range"
    ):
        archive.count(EVERYTHING)
    assert len(server.log) < 20
    board.clear()
    server.log.clear()
    assert archive.count(EVERYTHING).n > 1500
    assert len(server.log) == 1


def test_a_server_of_its_own_process(sky, tmp_path):
    asked = source(simulated={"objects": 2000, "seed": 3})
    network = NETWORK.model_copy(update={"store": str(tmp_path)})
    with open_archive(asked, network, sky) as (archive, name):
        assert name.startswith("simulated sky ")
        assert archive.count(EVERYTHING).n > 1500
    with loopback(sky) as url:
        pass
    with pytest.raises(DownloadError, match="can't be reached"):
        open_at(url, tmp_path, source(), NETWORK.model_copy(update={"attempts": 1})).groups()
    with pytest.raises(DownloadError, match="did not start"), loopback(tmp_path):
        pass
