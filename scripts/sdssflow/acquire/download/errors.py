"""Errors of downloads, each with what to do about it."""

from __future__ import annotations

import re

# errors for which a smaller query, or a later one, may succeed
TOO_SLOW = re.compile(r"time-?out|timed out|timeout expired|execution timeout", re.IGNORECASE)
BUSY = re.compile(r"maximum.{0,40}quer|too many|throttl|per minute", re.IGNORECASE)


class DownloadError(RuntimeError):
    """A download that can't continue: the problem, and what to change or wait for."""

    def __init__(self, problem: str, advice: str) -> None:
        self.problem = problem.rstrip(". ")
        super().__init__(f"{self.problem}. {advice}")


class TransientError(DownloadError):
    """A retry may succeed: a lost connection, a busy server, an incomplete answer.

    `retry_after_s` is the wait requested by the server, if any, in seconds.
    """

    def __init__(self, problem: str, advice: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(problem, advice or "Run again later; what is complete is kept.")
        self.retry_after_s = retry_after_s


class SilenceError(TransientError):
    """No answer within the time-out: a lost packet, or a query that takes too long."""


class TooMuchError(DownloadError):
    """A range exceeds what the server answers at once: in rows or, if `slow`, in time."""

    def __init__(self, problem: str, slow: bool = False) -> None:
        super().__init__(problem, "Ask for a smaller range.")
        self.slow = slow


def one_line(text: object, most: int = 500) -> str:
    """Return a server's text as one line of at most `most` printable characters."""
    shown = (mark if mark.isprintable() else " " for mark in str(text)[: 4 * most])
    return " ".join("".join(shown).split())[:most]
