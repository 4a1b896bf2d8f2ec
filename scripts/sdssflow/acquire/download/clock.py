"""The clock by which a download waits and gives up; tests bring their own."""

from __future__ import annotations

import time


class Clock:
    """Time as it passes on this machine: not the time of day, which jumps.

    Attributes
    ----------
    tick_s : float
        Who waits for a server looks at the clock at least this often.
    """

    tick_s = 1.0

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


CLOCK = Clock()
