import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdssflow.acquire.download import patience
from sdssflow.acquire.download.errors import DownloadError, SilenceError, TransientError
from sdssflow.acquire.download.patience import Pace, persist
from sdssflow.configuration.run import Downloads

ROOT = Path(__file__).parents[3]
QUICK = Downloads(pause_s=0, wait_s=0.01, attempts=4)


def failing(*errors):
    """Return a question that fails with each error in turn, then answers."""
    waiting = list(errors)

    def ask():
        if waiting:
            raise waiting.pop(0)
        return "answer"

    return ask


def test_what_may_heal_is_asked_again(tmp_path):
    ask = failing(TransientError("busy"), TransientError("busy"))
    assert persist(ask, QUICK, Pace(tmp_path, 0), "", 9.0) == ("answer", 3)


def test_attempts_end(tmp_path):
    ask = failing(*[TransientError(str(k)) for k in range(9)])
    with pytest.raises(TransientError, match="3"):
        persist(ask, QUICK, Pace(tmp_path, 0), "", 9.0)


def test_silence_is_tried_twice_only(tmp_path):
    ask = failing(SilenceError("first"), SilenceError("second"), SilenceError("third"))
    with pytest.raises(SilenceError, match="second"):
        persist(ask, QUICK, Pace(tmp_path, 0), "", 9.0)


def test_a_mistake_is_not_asked_again(tmp_path):
    ask = failing(DownloadError("no such column", "Correct it."))
    with pytest.raises(DownloadError, match="no such column. Correct it."):
        persist(ask, QUICK, Pace(tmp_path, 0), "", 9.0)


def test_no_attempt_after_the_deadline(tmp_path):
    slow = Downloads(pause_s=0, wait_s=0.3, attempts=50)
    started = time.monotonic()
    with pytest.raises(TransientError):
        persist(failing(*[TransientError("busy")] * 60), slow, Pace(tmp_path, 0), "", 0.5)
    assert time.monotonic() - started < 3


def test_waits_double_and_differ_between_jobs(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", lambda seconds: waits.append(seconds) if seconds else None)
    network = Downloads(pause_s=0, wait_s=8, attempts=9)
    for _ in range(2):
        with pytest.raises(TransientError):
            persist(failing(*[TransientError("")] * 9), network, Pace(tmp_path, 0), "", 1e6)
    first, second = waits[:8], waits[8:]
    for wait, longest in zip(first, (8, 16, 32, 64, 128, 256, 300, 300), strict=True):
        assert longest / 2 <= wait <= longest
    assert first != second


def test_retry_after_is_obeyed_and_told_to_the_other_jobs(tmp_path):
    ask = failing(TransientError("busy", retry_after_s=0.4))
    started = time.monotonic()
    persist(ask, QUICK, Pace(tmp_path, 0), "", 9.0)
    assert time.monotonic() - started >= 0.4
    Pace(tmp_path, 0).put_off(0.3)
    started = time.monotonic()
    Pace(tmp_path, 0).wait_for_turn()
    assert time.monotonic() - started >= 0.29


def test_processes_take_turns(tmp_path):
    code = (
        "import sys, time\n"
        "from sdssflow.acquire.download.patience import Pace\n"
        "pace = Pace(sys.argv[1], 0.1)\n"
        "for _ in range(4):\n"
        "    pace.wait_for_turn()\n"
        "    print(time.monotonic())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    where = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    jobs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=where) for _ in range(3)
    ]
    times = sorted(float(line) for job in jobs for line in job.communicate()[0].split())
    assert len(times) == 12
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]  # noqa: B905, RUF007
    # woken late, a job may come up to the next one; over all turns the pace holds
    assert times[-1] - times[0] >= 11 * 0.1 - 0.02
    assert min(pauses) > 0.02


@pytest.mark.parametrize("jump", [-1e8, 1e8])
def test_a_clock_that_jumps_changes_no_wait(tmp_path, monkeypatch, jump):
    monkeypatch.setattr(time, "time", lambda: 1e9 + jump)
    pace = Pace(tmp_path, 0.1)
    started = time.monotonic()
    pace.wait_for_turn()
    pace.wait_for_turn()
    assert 0.1 <= time.monotonic() - started < 1


def test_a_turn_in_the_far_future_is_a_mistake(tmp_path):
    """After a restart of the machine its clock begins anew, below the time in the file."""
    (tmp_path / ".pace").write_text(repr(time.monotonic() + 2 * patience.LONGEST_OBEDIENCE_S))
    started = time.monotonic()
    Pace(tmp_path, 0).wait_for_turn()
    assert time.monotonic() - started < 1
