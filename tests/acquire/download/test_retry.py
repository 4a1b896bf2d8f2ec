import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sdssflow import files
from sdssflow.acquire.download.errors import DownloadError, SilenceError, TransientError
from sdssflow.acquire.download.retry import RateLimiter, retry
from sdssflow.configuration.downloads import Downloads
from tests.acquire.download.walk import as_nobody
from tests.skyserver.clocks import OwnClock

ROOT = Path(__file__).parents[3]
NETWORK = Downloads(pause_s=0, wait_s=8, attempts=4)


class Noting(OwnClock):
    """A clock that remembers for how long it was slept by."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def sleep(self, seconds):
        if seconds:
            self.waits.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def pace(tmp_path):
    return RateLimiter(tmp_path, 0, Noting())


def failing(*errors):
    """Return a question that fails with each error in turn, then answers."""
    waiting = list(errors)

    def ask():
        if waiting:
            raise waiting.pop(0)
        return "answer"

    return ask


def test_what_may_heal_is_asked_again(pace):
    ask = failing(TransientError("busy"), TransientError("busy"))
    assert retry(ask, NETWORK, pace, "", 900.0) == ("answer", 3)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([TransientError(str(k)) for k in range(9)], "3"),  # attempts end
        ([SilenceError(str(k)) for k in range(3)], "1"),  # silence is tried twice only
        ([DownloadError("no such column", "Correct it.")], "no such column. Correct it."),
    ],
)
def test_what_does_not_heal_is_raised(pace, errors, message):
    with pytest.raises(type(errors[0]), match=message):
        retry(failing(*errors), NETWORK, pace, "", 900.0)


@pytest.mark.parametrize("asked", [None, 30.0, 1e300])
def test_no_attempt_begins_after_the_time_is_over(pace, asked):
    patient = Downloads(pause_s=0, wait_s=8, attempts=100)
    started = pace.clock.monotonic()
    errors = [TransientError("busy", retry_after_s=asked)] * 100
    with pytest.raises(TransientError, match="busy"):
        retry(failing(*errors), patient, pace, "", 600.0)
    assert pace.clock.monotonic() - started < 600
    # nobody else asks before the server wants it, and nobody waits for longer than it may
    if asked == 1e300:
        with pytest.raises(DownloadError, match="the next query is possible in 3,600 s.*Run again"):
            retry(failing(), patient, pace, "", 600.0)
        assert retry(failing(), patient, pace, "", 3601.0) == ("answer", 1)


def test_waits_double_and_differ_between_jobs(tmp_path):
    waits = []
    for _ in range(2):
        clock = Noting()
        network = Downloads(pause_s=0, wait_s=8, attempts=9)
        with pytest.raises(TransientError):
            pace = RateLimiter(tmp_path, 0, clock)
            retry(failing(*[TransientError("")] * 9), network, pace, "", 1e6)
        waits.append(clock.waits)
    for wait, longest in zip(waits[0], (8, 16, 32, 64, 128, 256, 300, 300), strict=True):
        assert longest / 2 <= wait <= longest
    assert waits[0] != waits[1]


def test_retry_after_is_obeyed_and_told_to_the_other_jobs(pace, tmp_path):
    ask = failing(TransientError("busy", retry_after_s=40.0))
    retry(ask, NETWORK, pace, "", 900.0)
    assert pace.clock.waits == [40.0]
    pace.put_off(30.0)
    RateLimiter(tmp_path, 0, pace.clock).wait_for_turn()
    assert pace.clock.waits == [40.0, 30.0]


def test_processes_take_turns(tmp_path):
    """By the clock of the machine; the turns count, not when a busy machine wakes who has one."""
    code = (
        "import sys, time\n"
        "from sdssflow.acquire.download.transport import Clock\n"
        "from sdssflow.acquire.download.retry import RateLimiter\n"
        "class Telling(Clock):\n"
        "    def monotonic(self):\n"
        "        self.now = time.monotonic()\n"
        "        return self.now\n"
        "    def sleep(self, seconds):\n"
        "        print(self.now + seconds)\n"
        "pace = RateLimiter(sys.argv[1], 0.1, Telling())\n"
        "for _ in range(4):\n"
        "    pace.wait_for_turn()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    where = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    jobs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=where) for _ in range(3)
    ]
    times = sorted(float(line) for job in jobs for line in job.communicate()[0].split())
    assert len(times) == 12
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.0999


@pytest.mark.parametrize("text", ["1e9", "nan", "inf", "-inf", "", "soon", "9" * 5000, "\xff\0"])
def test_a_turn_that_is_none_is_ignored(pace, tmp_path, text):
    """After a restart of the machine its clock begins anew, below the time in the file."""
    (tmp_path / ".pace").write_bytes(text.encode("latin-1"))
    pace.wait_for_turn()
    assert pace.clock.waits == []


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_folder_of_another_user_who_does_not_share_his_pace(tmp_path, mode):
    def asked():
        pace = RateLimiter(folder, 70, Noting())
        retry(failing(TransientError("busy", retry_after_s=90)), NETWORK, pace, "", 900.0)
        return pace.clock.waits == [90] and len(files._warned) == 2

    folder = tmp_path / "store"
    folder.mkdir()
    folder.chmod(mode)
    for name in (".pace", ".pace.lock"):
        (folder / name).touch(mode=0o600)
    as_nobody(folder, asked)
