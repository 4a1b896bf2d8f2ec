"""No fault of the server ever ends in another catalogue than the undisturbed one."""

import pytest

from tests.skyserver.fault_matrix import CASES, FAULTS, outcome

# a fault that never stops is refused in each phase by the same code: one phase of each will do
CHOSEN = [case for case in CASES if case.times == 1 or case.phase == FAULTS[case.fault].phases[-1]]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: f"{case.fault}-{case.phase}-{case.times}")
def test_a_fault_is_healed_or_refused(case, server, board, clean, tmp_path):
    verdict, message = outcome(case, server.url, board, tmp_path / "run", clean)
    assert verdict in ("healed", "refused", "counted"), message
    if verdict == "refused":
        assert message.count("\n") == 0
        assert len(message) < 700


def test_faults_one_after_the_other_are_healed(server, board, clean, tmp_path):
    board.order("http_503", "truncated_close", "half_rows", match="ORDER BY s.specObjID")
    board.order("reset", "throttle", match="COUNT_BIG")
    (tmp_path / "run").mkdir()
    from tests.acquire.download.walk import download

    assert download(server.url, tmp_path / "run") == clean
    assert len(board.log) == 5
