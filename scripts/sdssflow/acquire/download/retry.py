"""Ask until it works or the attempts are used up, never faster than the server likes."""

from __future__ import annotations

import errno
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tenacity

from sdssflow.acquire.download.errors import DownloadError, SilenceError, TransientError
from sdssflow.acquire.download.transport import CLOCK, Clock
from sdssflow.configuration.downloads import Downloads
from sdssflow.files import locked, make_shared_folder, read_bounded, warn_once, write_text

logger = logging.getLogger("sdssflow")
Answer = TypeVar("Answer")
LONGEST_WAIT_S = 300.0
LONGEST_OBEDIENCE_S = 3600.0  # a Retry-After beyond this is a mistake of the server


class Pace:
    """Least time between the queries of all jobs on this machine.

    The jobs share one file with the time before which nobody asks. Times are those of the system's
    monotonic clock, which all processes share and no correction of the date moves; after a restart
    of the machine it begins anew, so a time far in the future is ignored. Where the file belongs to
    another user who does not share it, each job keeps a pace of its own, and a warning says so.

    Parameters
    ----------
    folder : path-like
        Where the file stands; made if it is missing.
    pause_s : float
        Seconds between two queries.
    clock : Clock, optional
        By which turns are taken.

    Raises
    ------
    OSError
        If the folder can't be written.
    """

    def __init__(self, folder: str | Path, pause_s: float, clock: Clock = CLOCK) -> None:
        self.pause_s = pause_s
        self.clock = clock
        folder = Path(folder)
        make_shared_folder(folder)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        self._file = folder / ".pace"
        self._lock = folder / ".pace.lock"
        self._own = clock.monotonic()

    def wait_for_turn(self, most_s: float = LONGEST_OBEDIENCE_S) -> None:
        """Sleep until it is our turn, and put the next one off by the pause.

        Raises
        ------
        DownloadError
            If our turn comes in more than `most_s` seconds only.
        """
        with locked(self._lock):
            now = self.clock.monotonic()
            turn = max(now, self._next_turn(now))
            if turn - now > most_s:
                raise DownloadError(
                    f"our turn to ask is in {turn - now:,.0f} s only (the server wants a pause, or "
                    "other jobs come first), later than downloads.give_up_s allows",
                    "Run again later; what is complete is kept.",
                )
            self._put(turn + self.pause_s)
        self.clock.sleep(turn - now)

    def put_off(self, seconds: float) -> None:
        """Let nobody ask for some seconds: the server is busy for all of us."""
        with locked(self._lock):
            now = self.clock.monotonic()
            self._put(max(now + seconds, self._next_turn(now)))

    def _next_turn(self, now: float) -> float:
        try:
            turn = max(self._own, float(read_bounded(self._file, 64)))
        except PermissionError:
            self._unshared()
            turn = self._own
        except (OSError, ValueError):  # none yet, or none of ours: it is replaced
            turn = self._own
        return turn if turn - now <= LONGEST_OBEDIENCE_S else now

    def _put(self, turn: float) -> None:
        self._own = turn
        try:
            write_text(self._file, repr(turn), shared=True)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM):
                raise
            self._unshared()

    def _unshared(self) -> None:
        warn_once(
            f"{self._file} belongs to another user and can't be used: this job keeps the pauses "
            "between its own queries only. Let its owner share the folder (chmod -R g+rw), or set "
            "downloads.store to a folder of your own"
        )


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
        No further attempt begins after this many seconds.

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

    end = pace.clock.monotonic() + left_s

    def stop(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        # silence twice is no accident: a smaller question may be answered
        most = min(network.attempts, 2) if isinstance(error, SilenceError) else network.attempts
        next_at = pace.clock.monotonic() + state.upcoming_sleep
        return state.attempt_number >= most or next_at >= end

    retrying = tenacity.Retrying(
        stop=stop,
        retry=tenacity.retry_if_exception_type(TransientError),
        wait=wait,
        before_sleep=note,
        sleep=pace.clock.sleep,
        reraise=True,
    )

    def once() -> Answer:
        pace.wait_for_turn(end - pace.clock.monotonic())
        return ask()

    answer = retrying(once)
    return answer, retrying.statistics["attempt_number"]
