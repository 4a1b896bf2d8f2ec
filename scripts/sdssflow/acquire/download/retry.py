"""Retry queries with a limited number of attempts and a minimum interval between queries."""

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
MOST_RETRY_AFTER_S = 3600.0  # a longer Retry-After is an error of the server


class RateLimiter:
    """Minimum interval between the queries of all jobs on this machine.

    The jobs share a file with the earliest time of the next query, on the system's monotonic clock,
    which all processes share and changes of the date do not affect. It restarts from zero when the
    machine boots, so times far in the future are ignored. If the file belongs to another user who
    does not share it, each job limits only its own rate, with a warning. OSError if the folder
    can't be written.
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
        """Reserve the next free time, at most `most_s` seconds from now, and sleep until then."""
        with locked(self._lock):
            now = self.clock.monotonic()
            turn = max(now, self._next_turn(now))
            if turn - now > most_s:
                raise DownloadError(
                    f"the next query is possible in {turn - now:,.0f} s (the server requested a "
                    "pause, or other jobs come first), later than downloads.give_up_s allows",
                    "Run again later; what is complete is kept.",
                )
            self._put(turn + self.pause_s)
        self.clock.sleep(turn - now)

    def put_off(self, seconds: float) -> None:
        """Delay the queries of all jobs by some seconds, as the server requested."""
        with locked(self._lock):
            now = self.clock.monotonic()
            self._put(max(now + seconds, self._next_turn(now)))

    def _next_turn(self, now: float) -> float:
        try:
            turn = max(self._own, float(read_bounded(self._file, 64)))
        except (OSError, ValueError) as error:  # missing or invalid: it will be replaced
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
            f"{self._file} belongs to another user and can't be used: this job only limits its own "
            "query rate. Let the owner share the folder (chmod -R g+rw), or set downloads.store to "
            "a folder of your own"
        )


def retry(
    ask: Callable[[], Answer], network: Downloads, pace: RateLimiter, what: str, left_s: float
) -> tuple[Answer, int]:
    """Call `ask` until it raises no TransientError; return its answer and the number of attempts.

    `what` describes the query in the log. No attempt begins after `left_s` seconds. After the last
    attempt its error is raised; other errors are raised at once.
    """
    # not the global generator, which logs.run seeds equally in all jobs: their waits must differ
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
            # after two time-outs, a smaller query may succeed
            most = min(network.attempts, 2) if isinstance(error, SilenceError) else network.attempts
            if attempt >= most or pace.clock.monotonic() + wait >= end:
                raise
            logger.warning(
                "%s, attempt %d of %d: %s; again in %.1f s",
                *(what, attempt, network.attempts, error, wait),
            )
        pace.clock.sleep(wait)
    raise AssertionError  # count() is endless
