"""No fault of the server ever ends in another catalogue than the undisturbed one."""

import json
import re
import shutil

import pytest

from tests.acquire.download.walk import PHOTOMETRY, download, source, written
from tests.skyserver.fault_matrix import CASES, FAULTS, outcome
from tests.skyserver.faults import PHASES

# a fault that never stops is refused in each phase by the same code: one phase of each will do
CHOSEN = [case for case in CASES if case.times == 1 or case.phase == FAULTS[case.fault].phases[-1]]
# whose answers are asked for anew: rows are asked for again if their count was wrong
ANEW = {"plan": ("plan",), "count": ("count", "data"), "data": ("data",)}


def keep_answers(clean, folder, phase):
    """Give a download the answers of the undisturbed one to all but the questions of a phase."""
    shutil.copytree(clean / "store", folder / "store")
    for record in (folder / "store").glob("*.json"):
        sql = json.loads(record.read_text())["sql"]
        if any(re.search(PHASES[name], sql) for name in ANEW[phase]):
            record.unlink()


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: f"{case.fault}-{case.phase}-{case.times}")
def test_a_fault_is_healed_or_refused(case, server, board, clean, clean_folder, tmp_path):
    keep_answers(clean_folder, tmp_path / "run", case.phase)
    verdict, message = outcome(case, server.url, board, tmp_path / "run", clean)
    assert verdict in ("healed", "refused", "counted"), message
    if verdict == "refused":
        assert message.count("\n") == 0
        assert len(message) < 700


# of objects without spectra what has to be seen by counts, sums and ids of its own
BY_CONTENT = ("half_rows", "row_limit_cut", "duplicate_rows", "shuffled_rows", "wrong_id",
              "count_wrong", "no_rows", "truncated_close", "truncated_newline")  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.fault in BY_CONTENT],
    ids=lambda case: f"{case.fault}-{case.phase}-{case.times}",
)
def test_a_fault_in_photometry_is_healed_or_refused(
    case, photometric_server, board, photometric_folder, tmp_path
):
    keep_answers(photometric_folder, tmp_path / "run", case.phase)
    clean = written(photometric_folder)
    asked = source(**PHOTOMETRY)
    verdict, message = outcome(case, photometric_server.url, board, tmp_path / "run", clean, asked)
    assert verdict in ("healed", "refused"), message


def test_faults_one_after_the_other_are_healed(server, board, clean, tmp_path):
    board.order("http_503", "truncated_close", "half_rows", match="ORDER BY s.specObjID")
    board.order("reset", "throttle", match="COUNT_BIG")
    (tmp_path / "run").mkdir()
    assert download(server.url, tmp_path / "run") == clean
    assert len(board.log) == 5
