"""Ask until it works or the attempts are used up, never faster than the server likes."""

from __future__ import annotations

import errno
import logging
import os
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

from sdssflow.acquire.download.errors import DownloadError, SilenceError, TransientError
from sdssflow.acquire.download.transport import CLOCK, Clock
from sdssflow.configuration.downloads import Downloads
from sdssflow.files import locked, make_shared_folder, read_bounded, warn_once, write_text

logger = logging.getLogger("sdssflow")
Answer = TypeVar("Answer")
LONGEST_WAIT_S = 300.0
MOST_RETRY_AFTER_S = 3600.0  # a Retry-After beyond this is a mistake of the server


class RateLimiter:
    """Least time between the queries of all jobs on this machine.

    The jobs share one file with the time before which nobody asks. Times are those of the system's
    monotonic clock, which all processes share and no correction of the date moves; after a restart
    of the machine it starts from zero again, so a time far in the future is ignored. Where the file
    belongs to another user who does not share it, each job keeps a pace of its own, and a warning
    says so. A folder that can't be written is an OSError.
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

    def wait_for_turn(self, most_s: float = MOST_RETRY_AFTER_S) -> None:
        """Sleep until it is our turn, in `most_s` seconds at most, and put the next one off."""
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
        except (OSError, ValueError) as error:  # none yet, or none of ours: it is replaced
            if isinstance(error, PermissionError):
                self._unshared()
            turn = self._own
        return turn if turn - now <= MOST_RETRY_AFTER_S else now

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


def retry(
    ask: Callable[[], Answer], network: Downloads, pace: RateLimiter, what: str, left_s: float
) -> tuple[Answer, int]:
    """Call `ask` until it raises no TransientError; return its answer, and how often it was called.

    `what` is asked, for the log. No further attempt begins after `left_s` seconds. When the
    attempts are used up, the last error is raised; other errors go through at once.
    """
    # logs.run seeds the global generator, and all jobs alike: their waits have to differ
    draw = random.Random(os.urandom(16))

    end = pace.clock.monotonic() + left_s
    for attempt in count(1):
        pace.wait_for_turn(end - pace.clock.monotonic())
        try:
            return ask(), attempt
        except TransientError as error:
            if error.retry_after_s is not None:
                wait = min(error.retry_after_s, MOST_RETRY_AFTER_S)
                pace.put_off(wait)
            else:
                longest = min(network.wait_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
                wait = draw.uniform(longest / 2, longest)
            # silence twice is no accident: a smaller question may be answered
            most = min(network.attempts, 2) if isinstance(error, SilenceError) else network.attempts
            if attempt >= most or pace.clock.monotonic() + wait >= end:
                raise
            logger.warning(
                "%s, attempt %d of %d: %s; again in %.1f s",
                *(what, attempt, network.attempts, error, wait),
            )
        pace.clock.sleep(wait)
    raise AssertionError  # the loop has no end of its own
