"""Report the reasons of all failures at the end of a run.

A failed job writes its reason as the last entry of its log (`sdssflow.logs`), on whichever machine
it runs. At the end of the run the main process reads these entries: the last lines on the terminal
are the reasons, without Snakemake's messages around them (`sdssflow.terminal`).

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import atexit
import difflib
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

# exit statuses; 0 is success
FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130
MOST_SHOWN = 10  # different reasons
MOST_READ = 500  # logs
TAIL_BYTES = 1 << 16
EVERY_SECONDS = 1.0
MOST_LINES, MOST_CHARACTERS = 30, 4000  # of one reason
# entries begin with the time; only the reason is CRITICAL
ENTRY = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
REASON = re.compile(rf"{ENTRY}CRITICAL (.*?)(?={ENTRY}|\Z)", re.MULTILINE | re.DOTALL)
ENDED_WELL = re.compile(rf"{ENTRY}INFO done in ", re.MULTILINE)
# in the log of a submitted job: messages of SLURM, except the uninformative "Exited with exit code
# 1", or the signal that its Snakemake reports
SAID_BY_SLURM = re.compile(
    r"^(?:slurmstepd|srun): error: (?!.*Exited with).*$|\bdied with <Signals\.\w+", re.MULTILINE
)
STOPPED = "Interrupted. What is finished is kept; the same command continues from here."
# Snakemake's message for a failed script
SCRIPT_ENDED = re.compile(
    r"^CalledProcessError .*(?:died with <Signals\.(?P<name>\w+)|exit status (?P<status>\d+))",
    re.MULTILINE | re.DOTALL,
)
DOCTOR = "make doctor PROFILE=profiles/slurm compares the profile with the cluster."
# text after the message of a batch system: its call, indented, and hints
REST_OF_WORDS = re.compile(
    r"\n\s.*|Detailed failure reason unavailable.*|For further error details.*", re.DOTALL
)


class Refusal(SystemExit):
    """Ends the program with a status and one message, the last on the terminal.

    It is printed at Python's exit, not by Snakemake: without ``WorkflowError in file ..., line
    ...``, and even with ``--quiet all``. Handlers of `Exception` don't catch it.
    """

    def __init__(self, problem: object, status: int = FAILED) -> None:
        super().__init__(f"\n{problem}")
        self.code = status
        atexit.register(self.say)

    def say(self) -> None:
        """Print the message, once."""
        atexit.unregister(self.say)
        print(self, file=sys.stderr, flush=True)


def refuse(problem: object, status: int = FAILED) -> NoReturn:
    """End the program with a message."""
    raise Refusal(problem, status) from None


def absent(path: str) -> str:
    """Return why a path from the configuration can't be read, and what to do; "" if it can.

    Snakemake itself ignores a missing input if the outputs exist.
    """
    place = Path(path)
    try:
        if place.exists():
            if not (place.is_file() or place.is_dir()):  # reading a pipe would block
                return "neither a file nor a folder. Save the rows as a file."
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))
            return ""
        here = [name.name for name in place.parent.iterdir()] if place.parent.is_dir() else None
    except OSError as error:
        return f"{error.strerror}. Make it readable, or correct the path."
    if place.is_symlink():
        why = f"it is a link to {place.readlink()}, which does not exist"
    elif here is None:
        why = f"there is no folder {place.parent}"
    else:
        near = [name for name in here if name.lower() == place.name.lower()]
        near = near or difflib.get_close_matches(place.name, here, n=1)
        why = "there is no such file" + (f" (did you mean {near[0]!r}?)" if near else "")
    return f"{why}. Add it, or correct the path, which is relative to {Path.cwd()}."


def present(path: str, key: str) -> str:
    """Return a path from the configuration; end the program if it can't be read.

    `key` is the place in the configuration, for example "sample x: source.path".
    """
    if why := absent(path):
        refuse(f"{key}: {path}: {why}")
    return path


class Failure(NamedTuple):
    """A failed job: its name, log and reason, and whether the job itself stated the reason."""

    job: str
    log: str
    reason: str
    stated: bool = False


class Watch(logging.Handler):
    """Collects Snakemake's messages about failed jobs, and knows which logs belong to this run.

    At the start, existing logs of the jobs to run are those of an earlier run.
    """

    def __init__(self, logs: Iterable[str]):
        super().__init__(logging.ERROR)
        self.before = {log: _stamp(log) for log in logs}
        self.words: dict[str, str] = {}
        self.submission_logs: dict[str, str] = {}
        self.grouped: set[str] = set()
        self.signals: dict[str, str] = {}
        self._ended = threading.local()  # a thread reports a job's script, then the job

    def emit(self, record: Any) -> None:
        """Keep a batch system's messages about failed jobs, by the log of the job."""
        try:
            if record.event == "group_error":
                logs = [job["log"][0] for job in record.job_error_info]
                self.grouped.update(logs)
                for log in logs:
                    self._keep(log, "", record.aux_logs)
            elif record.event == "job_error" and record.log:
                log, *others = record.log
                self._keep(log, record.rule_msg or "", others)
                self.signals[log] = self._ended.__dict__.pop("signal", "")
            elif record.event == "error" and (end := SCRIPT_ENDED.search(record.msg)):
                self._ended.signal = end["name"] or _signal_of(int(end["status"]))
        except (AttributeError, LookupError, TypeError):  # an unknown record of Snakemake
            return

    def _keep(self, log: str, words: str, others: list[str]) -> None:
        self.words[log] = REST_OF_WORDS.sub("", words).strip() or self.words.get(log, "")
        if others:
            self.submission_logs[log] = others[-1]

    def new(self, log: str) -> bool:
        """Return whether a job wrote its log in this run; Snakemake creates empty ones."""
        stamp = _stamp(log)
        return stamp is not None and stamp[0] > 0 and stamp != self.before.get(log)


def failures(failed: Iterable[Any], watch: Watch) -> list[Failure]:
    """Return the reasons of Snakemake's failed jobs, in the order of their logs.

    For a group, the jobs in it that failed.
    """
    found: list[Failure] = []
    for job in failed:
        members = [member for member in getattr(job, "jobs", [job]) if member.log]
        found += _failures_of(sorted(members, key=lambda one: str(one.log[0])), watch)
    return sorted(found, key=lambda failure: failure.log)


def _failures_of(jobs: list[Any], watch: Watch) -> list[Failure]:
    """Return the failures, at least one, among jobs that were started together."""
    texts = {str(job.log[0]): _tail(job.log[0]) for job in jobs if watch.new(str(job.log[0]))}
    named = {str(job.log[0]): _name(job) for job in jobs}
    found = []
    for log, text in texts.items():
        if reasons := REASON.findall(text):
            found.append(Failure(named[log], log, _plain(reasons[-1]), True))
        elif not ENDED_WELL.search(text):
            found.append(Failure(named[log], log, _killed(log, watch)))
    if found:
        return found
    if len(texts) == len(jobs):
        why = "its script succeeded, but Snakemake rejected its outputs; the reason is above"
        return [Failure(named[log], log, why) for log in list(texts)[-1:]]
    first = next((log for log in named if log not in texts), "")
    return [Failure(named[first], "", _never_began(first, len(jobs), watch))] if first else []


def _killed(log: str, watch: Watch) -> str:
    if log in watch.submission_logs:
        return (
            f"killed before it could say why.{_said_by_batch_system(log, watch)} If it needs more "
            "memory or time: mem_mb and runtime of this rule, below set-resources in the profile."
        )
    by = watch.signals.get(log, "")
    if by not in ("", "SIGKILL"):
        return f"ended by {by} before it could say why. The end of its log shows how far it got."
    return (
        f"killed {'by SIGKILL ' if by else ''}before it could say why, most often because the "
        "machine has too little memory for all that runs on it: run again with --cores 1."
    )


def _signal_of(status: int) -> str:
    """Return the name of the signal in an exit status, or ''."""
    return signal.Signals(status - 128).name if status - 128 in set(signal.Signals) else ""


def _never_began(log: str, jobs: int, watch: Watch) -> str:
    others = f", nor did the {jobs - 1} that were to run with it" if jobs > 1 else ""
    said = _said_by_batch_system(log, watch)
    if said or log in watch.grouped:
        taken = "" if said else " The batch system did not accept it."
        return f"it never began{others}.{said or taken} {DOCTOR}"
    return (
        f"it never began{others}. See the lines above; make doctor says whether a package is "
        "missing."
    )


def _said_by_batch_system(log: str, watch: Watch) -> str:
    """Return up to two sentences, each after a space."""
    at = watch.submission_logs.get(log)
    lines = SAID_BY_SLURM.findall(_tail(at))[-1:] if at else []
    lines = [re.sub(r"died with <Signals\.", "It died with ", line) for line in lines]
    said = [words] if (words := watch.words.get(log)) else lines
    if at:
        said.append(f"Its log there: {os.path.relpath(at)}")
    return "".join(f" {_plain(text).rstrip('.')}." for text in said)


def message(found: list[Failure], jobs: int) -> str:
    """Return the final message, with each different reason once; a group is one of `jobs`."""
    alike: dict[str, list[Failure]] = {}
    for failure in found:
        alike.setdefault(failure.reason, []).append(failure)
    shown = list(alike.items())[:MOST_SHOWN]
    reported = sum(len(failed) for _, failed in shown)
    parts = []
    if len(found) > reported or jobs > len(found):
        parts.append(
            f"{max(jobs, len(found))} jobs failed; these are the first {len(shown)} different "
            "reasons, the others are at the end of the logs named above."
        )
    for reason, (first, *others) in shown:
        more = f", and {len(others)} more for the same reason" if others else ""
        log = f" (log: {first.log})" if first.log else ""
        parts.append(f"{first.job} failed{log}{more}:\n{reason}")
    return "\n\n".join(parts)


def watch(workflow: Any) -> None:
    """Watch the jobs of a run, from before the first one on."""
    from snakemake.logging import logger

    jobs = workflow.dag.needrun_jobs()
    logger.addHandler(Watch(str(log) for job in jobs for log in job.log))


def tell(workflow: Any) -> None:
    """End a failed run with the reasons, unless Snakemake itself failed and gave its own."""
    from snakemake.logging import logger

    scheduler = workflow.scheduler
    seen = next((handler for handler in logger.handlers if isinstance(handler, Watch)), Watch([]))
    failed = sorted(scheduler.failed, key=lambda job: min(map(str, job.log), default=""))
    # a shared file system may show files of other machines late
    patience = 0 if workflow.local_exec else workflow.execution_settings.latency_wait
    error = getattr(scheduler, "_executor_error", None)
    # a run that is not interrupted waits for its jobs
    interrupted = not failed or getattr(scheduler, "_user_kill", None) or scheduler.running
    end = time.monotonic() + (0 if interrupted else patience)
    found = failures(failed[:MOST_READ], seen)
    while not all(failure.stated for failure in found) and time.monotonic() < end:
        time.sleep(EVERY_SECONDS)
        found = failures(failed[:MOST_READ], seen)
    if interrupted:  # jobs without a reason were ended with the run
        found = [one for one in found if one.stated and not one.reason.startswith("interrupted")]
    status = INTERRUPTED if interrupted and not error else FAILED
    if found:
        text = message(found, 0 if interrupted else len(failed))
        refuse(text if status == FAILED else f"{text}\n\n{STOPPED}", status)
    if not error:
        refuse(STOPPED, status)


def _name(job: Any) -> str:
    wildcards = ", ".join(f"{name} {value}" for name, value in job.wildcards_dict.items())
    return f"{job.rule.name} ({wildcards})" if wildcards else job.rule.name


def _plain(text: str) -> str:
    """Return text without control characters, shortened if it is long."""
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text.strip())
    lines = text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]
    short = "\n".join(lines)
    return short if short == text else f"{short} ... (the rest is in the log)"


def _stamp(path: str) -> tuple[int, ...] | None:
    """Return size, inode and time of a file, which change if it is rewritten."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_size, found.st_ino, found.st_mtime_ns


def _tail(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            stream.seek(max(stream.seek(0, 2) - TAIL_BYTES, 0))
            return stream.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
