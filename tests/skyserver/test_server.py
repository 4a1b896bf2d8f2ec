"""The web server around the database: addresses, limits, errors, many clients at once."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from skyserver_standin.server import SkyServer
from skyserver_standin.translation import translate
from tests.skyserver.conftest import PATIENCE_S, address, wait_for
from tests.skyserver.small_sky import DATA, PLAN

# pairs of spectra with the same warning: slow at any size
SLOW = (
    "select top 1 sum(s.z-t.z+u.z) as n from SpecObjAll s "
    "join SpecObjAll t on s.survey=t.survey join SpecObjAll u on u.survey=t.survey "
    "join SpecObjAll v on v.survey=u.survey where s.z+t.z+u.z>v.z"
)


def test_only_the_release_that_is_served_exists(server, ask, sky):
    assert ask("select top 1 z from SpecObj").status_code == 200
    assert ask("select top 1 z from SpecObj", release=18).status_code == 404
    assert requests.get(server.url, timeout=PATIENCE_S).status_code == 404
    url = address(server.url + "/mirror", "select count(*) as n from PhotoObjAll")
    assert requests.get(url, timeout=PATIENCE_S).text == "#Table1\nn\n400\n"
    with SkyServer(sky, release=18) as other:
        for release, status in ((17, 404), (18, 200)):
            url = address(other.url, "select z from SpecObj", release)
            assert requests.get(url, timeout=PATIENCE_S).status_code == status


def test_guards_answer_200_with_an_error_column(ask):
    answer = ask("select top 500001 z, ra from SpecObj")
    message = "error: limit is  top 500000 select top 500001 z, ra from SpecObj "
    assert answer.status_code == 200
    assert answer.text == f'#Table1\nerror_message\n"{message}"\n'
    answer = ask("drop table SpecObj")
    assert answer.text == (
        "#Table1\nerror_message\nerror: must be a select statement: drop table SpecObj \n"
    )


def test_without_top_the_row_limit_cuts_silently(sky):
    with SkyServer(sky, row_limit=100) as server:
        answer = requests.get(address(server.url, "select z from SpecObjAll"), timeout=PATIENCE_S)
        assert answer.status_code == 200
        assert len(answer.text.splitlines()) == 2 + 100
        refused = requests.get(address(server.url, DATA), timeout=PATIENCE_S)
        assert "error_message" in refused.text


def test_a_query_string_beyond_the_limit_of_the_web_server(ask):
    sql = "select top 1 z from SpecObj where z>0"
    assert ask(sql + " and z>0" * 150).status_code == 200  # 2,0xx characters
    answer = ask(sql + " and z>0" * 200)
    assert answer.status_code == 400
    assert "maxQueryStringLength" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_slow_query_ends_with_sql_servers_timeout(sky):
    with SkyServer(sky, timeout=0.3) as server:
        started = time.monotonic()
        answer = requests.get(address(server.url, SLOW), timeout=PATIENCE_S)
        assert answer.status_code == 500
        assert answer.json()["ErrorMessage"].startswith("Execution Timeout Expired.  The timeout")
        assert time.monotonic() - started >= 0.3
        assert requests.get(address(server.url, PLAN), timeout=PATIENCE_S).status_code == 200


def test_many_clients_at_once_get_the_right_answers(ask):
    expected = ask(DATA).text
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, [DATA, PLAN, "select x from SpecObj"] * 20))
    assert all(answer.text == expected for answer in answers[::3])
    assert {answer.text for answer in answers[1::3]} == {answers[1].text}
    assert {answer.status_code for answer in answers[2::3]} == {500}


def test_a_slow_query_does_not_hold_up_others(sky, monkeypatch):
    with SkyServer(sky) as server, ThreadPoolExecutor(1) as pool:
        cursors, cursor = [], server.database.cursor
        monkeypatch.setattr(
            server.database, "cursor", lambda: cursors.append(cursor()) or cursors[-1]
        )
        slow = pool.submit(requests.get, address(server.url, SLOW), timeout=PATIENCE_S)
        wait_for(lambda: cursors)
        assert requests.get(address(server.url, PLAN), timeout=PATIENCE_S).status_code == 200
        assert not slow.done()
        with suppress(duckdb.ConnectionException):  # it was, and is closed
            wait_for(lambda: cursors[0].interrupt() or slow.done())
        assert slow.result().status_code == 500


def test_the_log_has_every_request_with_its_query_and_status(sky):
    with SkyServer(sky) as server:
        before = time.time()
        for sql in (PLAN, "select x from SpecObj"):
            requests.get(address(server.url, sql), timeout=PATIENCE_S)
        requests.get(address(server.url, PLAN, release=3), timeout=PATIENCE_S)
    assert [(exchange.sql, exchange.status) for exchange in server.log] == [
        (PLAN, 200),
        ("select x from SpecObj", 500),
        (PLAN, 404),
    ]
    assert all(exchange.seconds > 0 and exchange.time >= before for exchange in server.log)


def test_a_client_that_leaves_is_noted_and_harms_nobody(sky, tmp_path):
    columns = {"specObjID": pa.array(range(400_000), pa.uint64())}
    write_sky(tmp_path, columns)
    with SkyServer(tmp_path) as server:
        url = address(server.url, "select specObjID, specObjID as again from SpecObjAll")
        with requests.get(url, timeout=PATIENCE_S, stream=True) as answer:
            next(answer.iter_content(100))
        wait_for(lambda: server.log[0].status is not None)
        assert server.log[0].status == 0
        count = address(server.url, "select count(*) as n from SpecObjAll")
        assert requests.get(count, timeout=PATIENCE_S).text == "#Table1\nn\n400000\n"


def write_sky(folder, spectra):
    """Write a sky with a few columns only: what the views need."""
    n = len(spectra["specObjID"])
    spec = {**spectra, "sciencePrimary": pa.array([1] * n, pa.int32())}
    spec |= {"bestObjID": pa.array([1] * n, pa.int64()), "class": pa.array(["STAR"] * n)}
    spec["z"] = pa.array([0.0] * n, pa.float32())
    photo = {name: pa.array([1], pa.int32()) for name in ("mode", "type", "extinction_r")}
    photo["objID"] = pa.array([1], pa.int64())
    for name in ("u", "g", "r", "i", "z"):
        photo |= {name: pa.array([1], pa.float32()), f"err_{name}": pa.array([1], pa.float32())}
    pq.write_table(pa.table(spec), folder / "specobj.parquet")
    pq.write_table(pa.table(photo), folder / "photoobj.parquet")


def test_a_range_of_ids_reads_only_its_row_groups_of_both_tables(server):
    """Each file has a row group for each of the 5 plates; the join prunes the other side."""
    plate = 3586
    sql = DATA.replace(">=0", f">={plate << 50}").replace("<18000000000000000000", f"<{3587 << 50}")
    translation = translate(sql, server.database.catalog)
    plan = server.database.cursor().execute(f"EXPLAIN ANALYZE {translation.sql}").fetchall()[0][1]
    assert re.findall(r"Row Groups Scanned: (\d+) / (\d+)", plan) == [("1", "5"), ("1", "5")]
