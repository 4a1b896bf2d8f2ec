"""Clocks for tests of waiting: the time that passes, and time that a test lets pass."""

from __future__ import annotations

import select
import socket
import threading

from sdssflow.acquire.download.transport import Clock

LEAVES_WITHIN_S = 600  # a client that was told of the end, on any machine


class RealClock(Clock):
    """The time that passes."""

    def hold(self, connection: socket.socket, seconds: float) -> None:
        """Let a client wait for `seconds`, or until it has gone."""
        # nobody sends a second request now: what can be read is that the client has hung up
        select.select([connection], [], [], seconds)


class OwnClock(Clock):
    """A clock that only those move who sleep by it, so a busy machine is never late."""

    tick_s = 0.01

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """See `Clock`."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        with self._lock:
            self._now += seconds

    def hold(self, connection: socket.socket, seconds: float) -> None:
        """Let `seconds` pass at once, and see the client notice it."""
        self.sleep(seconds)
        select.select([connection], [], [], LEAVES_WITHIN_S)


OWN = OwnClock()
