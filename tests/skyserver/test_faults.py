"""Every fault does on the wire what its name says, seen by a client that hides nothing."""

import http.client
import json
import re
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.skyserver.clocks import RealClock
from tests.skyserver.conftest import PATIENCE_S, wait_for
from tests.skyserver.faults import FAULTS, PHASES
from tests.skyserver.small_sky import DATA, QUERIES

ERROR = "#Table1\nerror_message\n"


@pytest.fixture
def receive(board, address_of):
    """Order a fault and return status, headers, body and error of the next answer."""

    def get(name, sql=DATA, timeout=PATIENCE_S):
        board.clear()
        board.order(name)
        parts = urlsplit(address_of(sql))
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}")
            answer = connection.getresponse()
        except OSError as error:
            connection.close()
            return None, {}, b"", error
        try:
            return answer.status, answer.headers, answer.read(), None
        except http.client.IncompleteRead as error:
            return answer.status, answer.headers, error.partial, error
        except OSError as error:
            return answer.status, answer.headers, b"", error
        finally:
            connection.close()

    return get


FIXED = {
    "http_503": (503, "text/html", "503 Service Unavailable"),
    "http_429": (429, "text/html", ""),
    "http_500_json": (500, "application/json", '"ErrorMessage": "Broken."'),
    "http_500_timeout": (500, "application/json", "Execution Timeout Expired."),
    "html_200_error": (200, "text/html", "SkyServer Error"),
    "html_200_error_as_csv": (200, "text/csv", "SkyServer Error"),
    "html_200_503": (200, "text/html", "503 Service Unavailable"),
    "html_200_503_as_csv": (200, "text/csv", "503 Service Unavailable"),
    "json_200": (200, "application/json", '"ErrorCode": 500'),
    "json_200_as_csv": (200, "text/csv", '"ErrorCode": 500'),
    "empty_body": (200, "text/csv", ""),
    "no_objects_text": (200, "text/csv", "No objects"),
    "throttle": (200, "text/csv", f"{ERROR}ERROR: Maximum 60 queries allowed per minute."),
    "bad_top": (200, "text/csv", f'{ERROR}"error: limit is  top 500000 '),
}
# whole answers with more or fewer lines, and those of which one line differs
LINES = ("header_only", "no_rows", "half_rows", "row_limit_cut", "duplicate_rows", "count_empty",
         "html_mid_body", "hash_line_mid_body", "blank_line_mid_body")  # fmt: skip
VALUES = ("extra_field", "nan_word", "null_word", "sentinel_9999", "wrong_header", "wrong_id",
          "count_wrong")  # fmt: skip
# answers that are cut, and whether a client can tell
CUT = {"truncated_close": False, "truncated_chunked_ok": False, "low_content_length": False,
       "truncated_newline": False, "truncated_last_field": False, "bad_chunked_end": True,
       "short_content_length": True}  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_fixed_answers(receive, name):
    status, kind, text = FIXED[name]
    found, headers, body, error = receive(name)
    assert (found, error) == (status, None)
    assert headers["Content-Type"].startswith(kind)
    assert text in body.decode() and (text or not body)
    assert headers["Retry-After"] == ("1" if name == "http_429" else None)


@pytest.mark.parametrize("name", [*LINES, *VALUES, "shuffled_rows"])
def test_other_lines_come_as_a_whole_answer(receive, right, name):
    for phase in FAULTS[name].phases:
        status, headers, body, error = receive(name, QUERIES[phase])
        assert (status, headers["Content-Type"], error) == (200, "text/csv", None)
        good, found = (text.decode().splitlines() for text in (right[phase], body))
        assert body.endswith(b"\n") and found != good
        assert (len(found) != len(good)) == (name in LINES)
        if name in VALUES:
            assert sum(a != b for a, b in zip(good, found, strict=True)) == 1


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("phase", QUERIES)
def test_answers_that_are_cut(receive, right, name, phase):
    status, headers, body, error = receive(name, QUERIES[phase])
    whole = right[phase]
    assert (status, headers["Content-Type"]) == (200, "text/csv")
    assert whole.startswith(body) and 0 < len(body) < len(whole)
    assert (error is not None) == CUT[name]
    assert (headers["Content-Length"] is not None) == ("content_length" in name)
    chunked = name in ("truncated_chunked_ok", "truncated_last_field", "bad_chunked_end")
    assert (headers["Transfer-Encoding"] == "chunked") == chunked
    if name == "truncated_newline":
        assert body == whole[:-1]
    elif name not in ("low_content_length", "bad_chunked_end"):  # inside a line
        assert not body.endswith(b"\n") and body != whole[:-1]


@pytest.mark.parametrize("position", [0, 7, 4096, -5])
def test_truncation_at_any_byte(receive, right, position):
    status, _, body, error = receive(f"truncate_at:{position}")
    assert (status, error) == (200, None)
    assert body == right["data"][:position]


@pytest.mark.parametrize("name", ["reset", "reset_mid_body"])
def test_resets(receive, server, name):
    assert isinstance(receive(name)[3], ConnectionResetError)
    wait_for(lambda: server.log[-1].status == 0)


def test_hang_sends_nothing_until_the_client_gives_up(receive, server):
    started = time.monotonic()
    assert isinstance(receive("hang", timeout=0.4)[3], TimeoutError)
    assert time.monotonic() - started >= 0.4
    wait_for(lambda: server.log[-1].status == 0)  # its thread does not wait for 100 s


def test_hang_ends_by_itself(receive, board, monkeypatch):
    monkeypatch.setattr(board, "clock", RealClock())
    assert isinstance(receive("hang:0.3")[3], ConnectionError)


def test_slow_drip_is_right_and_takes_its_time(board, address_of, right):
    board.clear()
    board.order("slow_drip:30")
    started = board.clock.monotonic()
    answer = requests.get(address_of(DATA), timeout=PATIENCE_S)
    assert answer.content == right["data"]
    assert board.clock.monotonic() - started == pytest.approx(30)


def test_every_fault_is_checked_here():
    others = {"shuffled_rows", "reset", "reset_mid_body", "hang", "slow_drip"}
    assert {*FIXED, *LINES, *VALUES, *CUT, *others} == set(FAULTS)
    assert all(fault.description and set(fault.phases) <= set(PHASES) for fault in FAULTS.values())
    assert {name for name, fault in FAULTS.items() if fault.valid} == {"slow_drip", "sentinel_9999"}


def test_phases_are_distinguished():
    for phase, sql in QUERIES.items():
        for typed in (sql, f" {sql}"):  # astroquery sends a blank first
            found = [name for name, match in PHASES.items() if re.search(match, typed)]
            assert found == [phase]


def test_an_error_is_left_alone_by_faults_of_rows(receive):
    status, _, body, _ = receive("half_rows", "select x from SpecObj")
    assert status == 500
    assert json.loads(body)["ErrorMessage"] == "Invalid column name 'x'."
