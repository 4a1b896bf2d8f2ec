"""Who gets which fault."""

import re

from tests.skyserver.faults import PHASES
from tests.skyserver.small_sky import COUNT, DATA, PLAN, QUERIES


def test_phases_are_distinguished():
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
