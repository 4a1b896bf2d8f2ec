"""What can go wrong between an archive and us, and what to do about it."""

from __future__ import annotations

import re

# what servers say of a query that a smaller one, or a later one, may not meet
TOO_SLOW = re.compile(r"time-?out|timed out|timeout expired|execution timeout", re.IGNORECASE)
BUSY = re.compile(r"maximum.{0,40}quer|too many|throttl|per minute", re.IGNORECASE)


class DownloadError(RuntimeError):
    """A download that can't go on: the problem, and what to change or to wait for."""

    def __init__(self, problem: str, advice: str) -> None:
        self.problem = problem.rstrip(". ")
        super().__init__(f"{self.problem}. {advice}")


class TransientError(DownloadError):
    """It may go better next time: a lost connection, a busy server, an answer that is not whole.

    `retry_after_s` is how long the server asks us to wait, if it does.
    """

    def __init__(self, problem: str, advice: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(problem, advice or "Run again later; what is complete is kept.")
        self.retry_after_s = retry_after_s


class SilenceError(TransientError):
    """No answer at all in the time allowed: a lost packet, or a query that takes too long."""


class TooMuchError(DownloadError):
    """One range holds more than the server gives at once: in rows, or (`slow`) in time."""

    def __init__(self, problem: str, slow: bool = False) -> None:
        super().__init__(problem, "Ask for a smaller range.")
        self.slow = slow


def one_line(text: object, most: int = 500) -> str:
    """Return what a server said in one line without control characters, at most `most` long."""
    shown = (mark if mark.isprintable() else " " for mark in str(text)[: 4 * most])
    return " ".join("".join(shown).split())[:most]
