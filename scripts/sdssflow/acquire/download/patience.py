"""Ask until it works or the attempts are used up, never faster than the server likes."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tenacity
from filelock import FileLock

from sdssflow.acquire.download.errors import SilenceError, TransientError
from sdssflow.configuration.run import Downloads

logger = logging.getLogger("sdssflow")
Answer = TypeVar("Answer")
LONGEST_WAIT_S = 300.0
LONGEST_OBEDIENCE_S = 3600.0  # a Retry-After beyond this is a mistake of the server


class Pace:
    """Least time between the queries of all jobs on this machine.

    The jobs share one file with the time before which nobody asks. Times are those of the system's
    monotonic clock, which all processes share and no correction of the date moves; after a restart
    of the machine it begins anew, so a time far in the future is ignored.

    Parameters
    ----------
    folder : path-like
        Where the file stands; made if it is missing.
    pause_s : float
        Seconds between two queries.

    Raises
    ------
    OSError
        If the folder can't be written.
    """

    def __init__(self, folder: str | Path, pause_s: float) -> None:
        self.pause_s = pause_s
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / ".pace"
        self._lock = FileLock(folder / ".pace.lock")

    def wait_for_turn(self) -> None:
        """Sleep until it is our turn, and put the next one off by the pause."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_turn(now))
            self._put(turn + self.pause_s)
        time.sleep(turn - now)

    def put_off(self, seconds: float) -> None:
        """Let nobody ask for some seconds: the server is busy for all of us."""
        with self._lock:
            now = time.monotonic()
            self._put(max(now + seconds, self._next_turn(now)))

    def _next_turn(self, now: float) -> float:
        try:
            turn = float(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return now
        return turn if turn - now <= LONGEST_OBEDIENCE_S else now

    def _put(self, turn: float) -> None:
        self._file.write_text(repr(turn))


def persist(
    ask: Callable[[], Answer], network: Downloads, pace: Pace, what: str, left_s: float
) -> tuple[Answer, int]:
    """Call `ask` until it raises no TransientError.

    Parameters
    ----------
    ask : callable
        Sends a query and checks its answer.
    network : Downloads
        Attempts and waits.
    pace : Pace
        Shared with the other jobs.
    what : str
        What is asked, for the log.
    left_s : float
        No further attempt after this many seconds.

    Returns
    -------
    answer
        What `ask` returned.
    attempts : int
        How often it was asked.

    Raises
    ------
    TransientError
        The last one, when the attempts are used up. Other errors go through at once.
    """
    # logs.run seeds the global generator, and all jobs alike: their waits have to differ
    draw = random.Random(os.urandom(16))

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after_s", None)
        if asked is not None:
            asked = min(asked, LONGEST_OBEDIENCE_S)
            pace.put_off(asked)
            return asked
        longest = min(network.wait_s * 2 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        return draw.uniform(longest / 2, longest)

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning(
            "%s, attempt %d of %d: %s; again in %.1f s",
            what,
            state.attempt_number,
            network.attempts,
            error,
            state.next_action.sleep if state.next_action else 0,
        )

    def stop(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        # silence twice is no accident: a smaller question may be answered
        most = min(network.attempts, 2) if isinstance(error, SilenceError) else network.attempts
        spent = state.seconds_since_start or 0.0
        return state.attempt_number >= most or spent >= left_s

    retrying = tenacity.Retrying(
        stop=stop,
        retry=tenacity.retry_if_exception_type(TransientError),
        wait=wait,
        before_sleep=note,
        reraise=True,
    )

    def once() -> Answer:
        pace.wait_for_turn()
        return ask()

    answer = retrying(once)
    return answer, retrying.statistics["attempt_number"]
