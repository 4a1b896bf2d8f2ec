"""What a check found, and the table of it. Needs the standard library alone: see `__main__`."""

from __future__ import annotations

import json
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
    rows = [(row.check, row.state, row.found, row.advice) for row in findings]
    try:
        from tabulate import tabulate
    except ImportError:  # packages are missing, which is one of the rows
        return "\n".join([": ".join(filter(None, row)) for row in rows] + [_summary(findings)])
    rest = max(width, 60) - max(len(row[0]) for row in rows) - max(map(len, STATES)) - 6
    last = min(max([len("what to do"), *(len(row[3]) for row in rows)]), rest // 2)
    table = tabulate(
        rows,
        ("check", "state", "found", "what to do"),
        maxcolwidths=[None, None, rest - last, last],
        disable_numparse=True,
        break_on_hyphens=False,  # keys are copied from here
    )
    return f"{table}\n{_summary(findings)}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = [
        f"{count} {state}{'s' if count != 1 else ''}"
        for state in (FAULT, WARNING)
        if (count := sum(finding.state == state for finding in findings))
    ]
    return f"{' and '.join(counts)}." if counts else "Nothing stands in the way of a run."
