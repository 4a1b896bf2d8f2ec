"""What the terminal shows of what fails, before the reasons come."""

import logging
import tempfile
from types import SimpleNamespace

import pytest

from sdssflow import terminal


def said_by_snakemake(event, message="", **what):
    return logging.makeLogRecord({"event": event, "msg": message, **what})


SIGNALLED = "RuleException:\nCalledProcessError in file \"a.smk\", line 1:\nCommand 'python a.py' "


TRACEBACK = 'Traceback (most recent call last):\n  File "a.py"\n'
MARKERS = "Can't mark it ([Errno 28] No space left on device). Please ensure write permissions."
PROTECTED = (
    "ProtectedOutputException in rule a:\nWrite-protected output files for rule a:\n"
    "    output: a/b.csv, a/c.csv\n    affected files:\n        a/b.csv\n        a/c.csv"
)
FULL = "OSError: [Errno 28] No space left on device: 'a'"


def brief(follow=True):
    """How the terminal shows records, if Snakemake itself says 'whole' of each."""
    formatter = terminal.Brief(SimpleNamespace(format=lambda record: "whole"), list)
    formatter.reasons_follow = follow
    return formatter


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (said_by_snakemake("error", SIGNALLED + "died", exception="RuleException"), "whole"),
        (said_by_snakemake("error", f"{TRACEBACK}ValueError: no\n", exception="ValueError"),
         "\nValueError: no\nSnakemake can't continue; --verbose shows the traceback."),
        (said_by_snakemake("error", "Error: no\nTraceback:\n  File", exception="WorkflowError"),
         "\nError: no\nSnakemake can't continue; --verbose shows the traceback."),
        (said_by_snakemake("error", f"{TRACEBACK}{FULL}\n", exception="OSError"),
         "\n[Errno 28] No space left on device: 'a': make room, then run again."),
        (said_by_snakemake("error", f"{MARKERS}\n", exception="OSError"),
         f"\n[Errno 28] No space left on device: make room here and in {tempfile.gettempdir()}, "
         "then run again."),
        (said_by_snakemake("error", PROTECTED, exception="ProtectedOutputException"),
         "\na/b.csv: can't be written again, it or its disk is read-only. Make it writable, "
         "then run again."),
        (said_by_snakemake("error", "It is too deep.", exception="RecursionError"), "whole"),
        (said_by_snakemake("error"), "whole"),
        (said_by_snakemake("job_info"), "whole"),
    ],
    ids=["of no job", "traceback", "input function", "disk full", "disk full, in brackets",
         "read-only", "words", "without its kind", "progress"],
)  # fmt: skip
def test_the_terminal_shows_no_traceback_of_snakemake(record, shown):
    assert brief().format(record) == shown


@pytest.mark.parametrize("follow", [False, True])
def test_snakemakes_words_are_kept_where_no_reasons_follow(follow):
    record = said_by_snakemake("error", SIGNALLED + "exit status 1", exception="RuleException")
    assert brief(follow).format(record) == ("" if follow else "whole")
    record = said_by_snakemake("job_error", indent=False, rule_name="a", log=[], rule_msg=None)
    assert brief(follow).format(record).endswith("\na failed" if follow else "whole")


def test_what_a_batch_system_says_of_a_job_stands_in_its_line():
    said = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. For further error details see there"
    record = said_by_snakemake(
        "job_error", indent=False, rule_name="a", log=["logs/a.log"], rule_msg=said
    )
    assert brief().format(record).splitlines()[1:] == [
        "a failed (log: logs/a.log): SLURM-job '7' failed, SLURM status is: 'TIMEOUT'"
    ]
