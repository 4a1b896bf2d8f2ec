"""Running other programs, the finding of a check, and the table of findings.

Needs only the standard library: see `__main__`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass
from typing import Mapping, Sequence  # noqa: UP035 - an old Python has to get as far as the check

INSTALL = "make installs them (or: pip install --constraint requirements.lock --editable .)"
SECONDS = 60.0  # even `true` may take seconds on a busy machine; only programs that hang time out
OK, WARNING, FAULT, NOT_NEEDED = "ok", "warning", "fault", "not needed"
STATES = (OK, NOT_NEEDED, WARNING, FAULT)


@dataclass(frozen=True)
class Answer:
    """The output of a program, or one line on why it failed."""

    out: str = ""
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether the program was found and succeeded in time."""
        return not self.trouble


def ask(
    arguments: Sequence[str],
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program with a time limit (`SECONDS` if None).

    After that it is killed together with its children, which could keep the pipe open.
    """
    name, seconds = arguments[0], SECONDS if seconds is None else seconds
    program = shutil.which(name)
    if program is None:
        return Answer(trouble=f"no {name} on PATH")
    try:
        process = subprocess.Popen(
            [program, *arguments[1:]],
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        return Answer(trouble=f"{name} can't be started: {error.strerror}")
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return Answer(trouble=f"{name}: no answer in {seconds:g} s")
            raise
    if process.returncode == 0:
        return Answer(out)
    lines = [line.strip() for line in (err or out).splitlines() if line.strip()]
    why = lines[-1] if lines else f"exit status {process.returncode}"
    return Answer(out, why if why.startswith(name) or "/" in name else f"{name}: {why}")


@dataclass(frozen=True)
class Finding:
    """One row of the doctor's table: what was checked and found, and what to do, if anything."""

    check: str
    state: str  # a fault stops a run, a warning may
    found: str
    advice: str = ""


def listed(words: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Return words as one text, with the rest of a long list as a count.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = between.join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def as_json(findings: Sequence[Finding]) -> str:
    """Return the table for programs: ``{"state": ..., "findings": [{"check": ...}, ...]}``."""
    worst = max([OK, *(finding.state for finding in findings)], key=STATES.index)
    rows = [asdict(finding) for finding in findings]
    return json.dumps({"state": worst, "findings": rows}, indent=2)


def as_table(findings: Sequence[Finding], width: int = 120) -> str:
    """Return the table for people, wrapped to `width` columns (at least 60)."""
    rows = [(row.check, row.state, row.found, row.advice) for row in findings]
    try:
        from tabulate import tabulate
    except ImportError:  # the missing packages are one of the rows
        return "\n".join([": ".join(filter(None, row)) for row in rows] + [_summary(findings)])
    rest = max(width, 60) - max(len(row[0]) for row in rows) - max(map(len, STATES)) - 6
    last = min(max([len("what to do"), *(len(row[3]) for row in rows)]), rest // 2)
    table = tabulate(
        rows,
        ("check", "state", "found", "what to do"),
        maxcolwidths=[None, None, rest - last, last],
        disable_numparse=True,
        break_on_hyphens=False,  # so that users can copy keys
    )
    return f"{table}\n{_summary(findings)}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = [
        f"{count} {state}{'s' if count != 1 else ''}"
        for state in (FAULT, WARNING)
        if (count := sum(finding.state == state for finding in findings))
    ]
    return f"{' and '.join(counts)}." if counts else "No obstacle to a run was found."
