"""Who gets which fault, and how another process orders them."""

import json
import re

import pytest
import requests

from skyserver_standin.server import SkyServer
from tests.skyserver.conftest import PATIENCE_S
from tests.skyserver.faults import PHASES, find_fault
from tests.skyserver.small_sky import COUNT, DATA, PLAN, QUERIES


def test_phases_are_told_apart():
    for phase, sql in QUERIES.items():
        for typed in (sql, f" {sql}"):  # astroquery sends a blank first
            found = [name for name, match in PHASES.items() if re.search(match, typed)]
            assert found == [phase]


def test_orders_are_taken_in_turn_by_those_they_match(board, ask, right):
    board.order("http_503", "half_rows", match=PHASES["data"])
    board.order("empty_body", match=PHASES["count"], times=2)
    board.order("bad_top", match="NoTable", times=None)
    board.log.clear()
    assert ask_status(ask, PLAN, board) == (200, len(right["plan"]))
    assert ask_status(ask, DATA, board)[0] == 503
    assert ask_status(ask, COUNT, board) == (200, 0)
    status, size = ask_status(ask, DATA, board)
    assert status == 200 and size < len(right["data"])
    assert ask_status(ask, COUNT, board) == (200, 0)
    assert ask_status(ask, COUNT, board) == (200, len(right["count"]))
    assert ask_status(ask, DATA, board) == (200, len(right["data"]))
    assert {ask_status(ask, "select z from NoTable", board)[0] for _ in range(3)} == {200}
    names = [name for name, _ in board.log]
    assert names == ["http_503", "empty_body", "half_rows", "empty_body", *["bad_top"] * 3]
    board.clear()
    assert ask_status(ask, "select z from NoTable", board)[0] == 500


def ask_status(ask, sql, board):
    answer = ask(sql)
    return answer.status_code, len(answer.content)


def test_the_control_page_orders_and_tells(server, board, address_of, right):
    board.clear()
    board.log.clear()
    orders = [{"fault": "http_429", "match": PHASES["plan"], "times": 1}]
    requests.post(f"{server.url}/_control", data=json.dumps(orders), timeout=PATIENCE_S)
    requests.post(
        f"{server.url}/_control", data=json.dumps([{"fault": "reset"}]), timeout=PATIENCE_S
    )
    assert requests.get(address_of(PLAN), timeout=PATIENCE_S).status_code == 429
    assert requests.get(f"{server.url}/_log", timeout=PATIENCE_S).json() == [["http_429", PLAN]]
    requests.post(f"{server.url}/_control", data="[]", timeout=PATIENCE_S)
    assert requests.get(address_of(PLAN), timeout=PATIENCE_S).content == right["plan"]


def test_an_unknown_fault_is_an_error():
    with pytest.raises(KeyError, match="no_such"):
        find_fault("no_such")


def test_a_production_server_has_no_control_page(sky):
    with SkyServer(sky) as plain:
        for page in ("/_log", "/_control"):
            assert requests.get(plain.url + page, timeout=PATIENCE_S).status_code == 404
