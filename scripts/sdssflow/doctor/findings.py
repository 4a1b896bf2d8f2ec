"""What a check found, and the table of it. Standard library only: see `__main__`."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from typing import Iterable, Sequence  # noqa: UP035 - an old Python has to get as far as its fault

OK = "ok"
WARNING = "warning"
FAULT = "fault"
NOT_NEEDED = "not needed"
STATES = (OK, NOT_NEEDED, WARNING, FAULT)


@dataclass(frozen=True)
class Finding:
    """One row of the doctor's table."""

    check: str
    """What was looked at."""
    state: str
    """One of `STATES`: a fault stops a run, a warning may."""
    found: str
    """What was found."""
    advice: str = ""
    """What to do; empty if nothing."""


def worst(states: Iterable[str]) -> str:
    """Return the gravest of some states; `OK` of none.

    Examples
    --------
    >>> worst(["ok", "warning", "not needed"])
    'warning'
    """
    return max([OK, *states], key=STATES.index)


def listed(words: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Return words as one text, the rest of a long list as a count.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = between.join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def as_json(findings: Sequence[Finding]) -> str:
    """Return the table for programs: ``{"state": ..., "findings": [{"check": ...}, ...]}``."""
    content = {
        "state": worst(finding.state for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(content, indent=2)


def as_table(findings: Sequence[Finding], width: int = 120) -> str:
    """Return the table for people, wrapped to `width` columns (at least 60)."""
    head = Finding("check", "state", "found", "what to do")
    first = max(len(row.check) for row in [head, *findings])
    second = max(map(len, STATES))
    rest = max(width, 60) - first - second - 6
    needed = max(len(row.advice) for row in [head, *findings])
    last = min(needed, rest // 2)
    widths = (first, second, rest - last, last)
    rule = "  ".join("-" * size for size in widths)
    rows = [_row(head, widths), rule, *(_row(finding, widths) for finding in findings)]
    return "\n".join([*rows, rule, _summary(findings)])


def _row(finding: Finding, widths: tuple[int, ...]) -> str:
    words = (finding.check, finding.state, finding.found, finding.advice)
    cells = [
        [
            line
            for part in text.splitlines()
            for line in textwrap.wrap(part, size, break_on_hyphens=False)
        ]
        for text, size in zip(words, widths)  # noqa: B905 - as above
    ]
    height = max(map(len, cells))
    for cell in cells:
        cell += [""] * (height - len(cell))
    lines = zip(*cells)  # noqa: B905
    return "\n".join(
        "  ".join(cell.ljust(size) for cell, size in zip(line, widths)).rstrip()  # noqa: B905
        for line in lines
    )


def _wrapped(text: str, size: int) -> list[str]:
    return textwrap.wrap(text, size, break_on_hyphens=False)  # keys are copied from here


def _summary(findings: Sequence[Finding]) -> str:
    counts = [
        f"{count} {state}{'s' if count != 1 else ''}"
        for state in (FAULT, WARNING)
        if (count := sum(finding.state == state for finding in findings))
    ]
    return f"{' and '.join(counts)}." if counts else "Nothing stands in the way of a run."
