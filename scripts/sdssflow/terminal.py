"""Format failures on the terminal, before their reasons are printed (`sdssflow.failures`).

A failed job gets one line while others continue. Snakemake's messages, and tracebacks of its own
errors, are in its log below ``.snakemake/log``; ``--verbose`` and ``--show-failed-logs`` show them
on the terminal too.

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import difflib
import errno
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from sdssflow.failures import REST_OF_WORDS, SCRIPT_ENDED, STOPPED

TERMINAL = "DefaultStreamHandler"  # Snakemake's name of the handler
NO_RULE = re.compile(r"No rule to produce (.+?) \(if you use input functions")
PROTECTED = re.compile(r"affected files:\n\s*(.+)")
LOCKED = re.compile(r"in the following directory:\n(.+)")
NO_ROOM = re.compile(rf"\[Errno (?:{errno.ENOSPC}|{errno.EDQUOT})\].*?(?=\)\. |$)", re.MULTILINE)
WHERE = "Snakemake can't continue; --verbose shows the traceback."
LOOK_ABOVE = "Exiting because a job execution failed. Look above"


class Brief(logging.Formatter):
    """Shows no tracebacks, and failed jobs in one line if the reasons are printed at the end."""

    reasons_follow = False

    def __init__(self, whole: logging.Formatter | None, known: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self.whole = whole or logging.Formatter()
        self.known = known

    def format(self, record: logging.LogRecord) -> str:
        """Return the shortened message, '' if it is hidden, or Snakemake's own."""
        try:
            line = self._brief(record)
        except (AttributeError, LookupError, TypeError):  # an unknown record of Snakemake
            line = None
        return self.whole.format(record) if line is None else line

    def _brief(self, record: Any) -> str | None:
        event = getattr(record, "event", None)
        if event == "error":
            return self._brief_error(record.exception, record.msg)
        if not self.reasons_follow:
            return None
        match event:
            case "group_error":
                names = sorted({job["rule_name"] for job in record.job_error_info})
                return _line(f"a group of {', '.join(names)}", record.aux_logs)
            case "job_error" if record.indent:  # of a group
                return ""
            case "job_error":
                return _line(record.rule_name, record.log, record.rule_msg or "")
            case None if str(record.msg).startswith(LOOK_ABOVE):
                return ""
        return None

    def _brief_error(self, kind: str, text: str) -> str | None:
        if self.reasons_follow and kind == "RuleException" and SCRIPT_ENDED.search(text):
            return ""
        if kind == "MissingRuleException" and (target := NO_RULE.search(text)):
            near = difflib.get_close_matches(target[1], self.known(), n=1)
            return (
                f"\n{target[1]}: no rule has this name or makes this file"
                f"{f' (did you mean {near[0]}?)' if near else ''}. Samples and models have to be "
                "in the configuration; --list-target-rules lists the rules."
            )
        if kind == "LockException" and (folder := LOCKED.search(text)):
            return (
                f"\n{folder[1]} is locked: a run is active there, or a killed one left its lock. "
                "sdssflow doctor says which. After a killed run: snakemake --unlock, then the same "
                "command again."
            )
        if kind == "ProtectedOutputException" and (path := PROTECTED.search(text)):
            return (
                f"\n{path[1]}: can't be written again, it or its disk is read-only. Make it "
                "writable, then run again."
            )
        if no_room := NO_ROOM.findall(text):
            where = "" if ":" in no_room[-1] else f" here and in {tempfile.gettempdir()}"
            return f"\n{no_room[-1]}: make room{where}, then run again."
        said, found, _ = text.partition("\nTraceback:\n")
        if text.startswith("Traceback (most recent call last)"):
            _, found, said = text.rstrip().rpartition("\n")
        return f"\n{said}\n{WHERE}" if found else None


def _line(what: str, logs: list[str], said: str = "") -> str:
    """Return the line for a failed job, with the batch system's message, as it may be retried."""
    said = REST_OF_WORDS.sub("", said).strip().rstrip(".")
    log = f" (log: {os.path.relpath(logs[0])})" if logs else ""
    return f"[{time.asctime()}]\n{what} failed{log}{': ' if said else ''}{said}"


def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Report an interrupt without a traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"\n{STOPPED}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def prepare(workflow: Any, outputs: Callable[[], Iterable[str]]) -> None:
    """Suppress tracebacks on the terminal, from before the first job on.

    `outputs` returns the possible targets besides the rules. Nothing changes in the Snakemake of a
    submitted job, whose output is in the log of the batch system, or in a workflow that uses this
    one as a module.
    """
    if not (workflow.is_main_process and workflow.modifier.is_main_snakefile()):
        return
    from snakemake.logging import logger

    def known() -> list[str]:
        return [*(rule.name for rule in workflow.rules), *outputs()]

    sys.excepthook = excepthook
    logging.raiseExceptions = False  # errors of a log on a full disk add nothing
    shown = workflow.output_settings
    for handler in logger.handlers:
        if handler.name == TERMINAL and not (shown.verbose or shown.show_failed_logs):
            handler.setFormatter(Brief(handler.formatter, known))


def expect_reasons() -> None:
    """Show failed jobs in one line from now on: their reasons will be printed at the end."""
    from snakemake.logging import logger

    for handler in logger.handlers:
        if isinstance(handler.formatter, Brief):
            handler.formatter.reasons_follow = True
