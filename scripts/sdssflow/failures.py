"""What failed in a run, said once and last.

A job that fails writes why as the last entry of its log (`sdssflow.logs`), whichever machine it
runs on. When the run is over, its main process reads these entries and ends with them: the last
lines on the terminal are the reasons, in the user's terms, without Snakemake's words around them
(`sdssflow.terminal`).

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

# exit statuses; 0 is a run that ended well
FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130
MOST_SHOWN = 10  # different reasons
MOST_READ = 500  # logs
TAIL_BYTES = 1 << 16
EVERY_SECONDS = 1.0
MOST_LINES, MOST_CHARACTERS = 30, 4000  # of one reason
# an entry begins with its time; the reason is the one entry of this level
ENTRY = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
REASON = re.compile(rf"{ENTRY}CRITICAL (.*?)(?={ENTRY}|\Z)", re.MULTILINE | re.DOTALL)
ENDED_WELL = re.compile(rf"{ENTRY}INFO done in ", re.MULTILINE)
# in the log of a submitted job: what SLURM says ("Exited with exit code 1" says nothing), or which
# signal its Snakemake saw
SAID_BY_SLURM = re.compile(
    r"^(?:slurmstepd|srun): error: (?!.*Exited with).*$|\bdied with <Signals\.\w+", re.MULTILINE
)
STOPPED = "Interrupted. What is finished is kept; the same command goes on from here."
# how Snakemake tells that the script of a job failed, and its last line of such a run
SCRIPT_ENDED = re.compile(
    r"^CalledProcessError .*(?:died with <Signals\.(?P<name>\w+)|exit status (?P<status>\d+))",
    re.MULTILINE | re.DOTALL,
)
DOCTOR = "make doctor PROFILE=profiles/slurm compares the profile with the cluster."
# what follows the words of a batch system: its own call, indented, and where to look
REST_OF_WORDS = re.compile(
    r"\n\s.*|Detailed failure reason unavailable.*|For further error details.*", re.DOTALL
)


class Refusal(SystemExit):
    """Ends the program with a status and one message, the last on the terminal.

    It is printed as Python ends, not by Snakemake: so without ``WorkflowError in file ..., line
    ...``, and with ``--quiet all`` too. Nothing that handles an `Exception` swallows it.
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
    """End the program with what is wrong."""
    raise Refusal(problem, status) from None


def absent(path: str) -> str:
    """Return why nothing can be read at a path that the configuration names, and what to do; or "".

    Snakemake itself doesn't mind as long as what was made of the file is there.
    """
    place = Path(path)
    try:
        if place.exists():
            if not (place.is_file() or place.is_dir()):  # a job would wait for a pipe indefinitely
                return "neither a file nor a folder. Save the rows as a file."
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))
            return ""
        here = [name.name for name in place.parent.iterdir()] if place.parent.is_dir() else None
    except OSError as error:
        return f"{error.strerror}. Let yourself read it, or correct the path."
    if place.is_symlink():
        why = f"it is a link to {place.readlink()}, and nothing is there"
    elif here is None:
        why = f"there is no folder {place.parent}"
    else:
        near = difflib.get_close_matches(place.name, here, n=1)
        why = "there is no such file" + (f" (did you mean {near[0]!r}?)" if near else "")
    return f"{why}. Put it there, or correct the path: it is relative to {Path.cwd()}."


def present(path: str, key: str) -> str:
    """Return a path that the configuration names; end the program if nothing can be read there.

    The key says where the user wrote it, as "sample x: source.path".
    """
    if why := absent(path):
        refuse(f"{key}: {path}: {why}")
    return path


class Failure(NamedTuple):
    """A failed job: its name for the user, its log, why it failed, whether it said so itself."""

    job: str
    log: str
    reason: str
    told: bool = False


class Watch(logging.Handler):
    """What this run's Snakemake says of jobs that fail, and which logs are of this run.

    What stands in the logs of the jobs that are to run now is an earlier run's.
    """

    def __init__(self, logs: Iterable[str]):
        super().__init__(logging.ERROR)
        self.before = {log: _stamp(log) for log in logs}
        self.words: dict[str, str] = {}
        self.submission_logs: dict[str, str] = {}
        self.grouped: set[str] = set()
        self.signals: dict[str, str] = {}
        self._ended = threading.local()  # a thread tells of a job's script, then of the job

    def emit(self, record: Any) -> None:
        """Keep what a batch system says of a failed job, by the log of the job."""
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
        except (AttributeError, LookupError, TypeError):  # Snakemake's own affair
            return

    def _keep(self, log: str, words: str, others: list[str]) -> None:
        self.words[log] = REST_OF_WORDS.sub("", words).strip() or self.words.get(log, "")
        if others:
            self.submission_logs[log] = others[-1]

    def new(self, log: str) -> bool:
        """Return whether a job wrote its log in this run; Snakemake makes an empty one."""
        stamp = _stamp(log)
        return stamp is not None and stamp[0] > 0 and stamp != self.before.get(log)


def failures(failed: Iterable[Any], watch: Watch) -> list[Failure]:
    """Say for each of Snakemake's failed jobs why it failed, in the order of their logs.

    Of a group, whichever of its jobs failed is named.
    """
    found: list[Failure] = []
    for job in failed:
        members = [member for member in getattr(job, "jobs", [job]) if member.log]
        found += _failures_of(sorted(members, key=lambda one: str(one.log[0])), watch)
    return sorted(found, key=lambda failure: failure.log)


def _failures_of(jobs: list[Any], watch: Watch) -> list[Failure]:
    """Return the failures among jobs that were started together, at least one."""
    texts = {str(job.log[0]): _tail(job.log[0]) for job in jobs if watch.new(str(job.log[0]))}
    named = {str(job.log[0]): _name(job) for job in jobs}
    found = []
    for log, text in texts.items():
        if told := REASON.findall(text):
            found.append(Failure(named[log], log, _plain(told[-1]), True))
        elif not ENDED_WELL.search(text):
            found.append(Failure(named[log], log, _killed(log, watch)))
    if found:
        return found
    if len(texts) == len(jobs):
        why = "its script ended well, but Snakemake doesn't take what it left; it says why above"
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
        return f"ended by {by} before it could say why. The end of its log says how far it came."
    return (
        f"killed {'by SIGKILL ' if by else ''}before it could say why, most often because the "
        "machine has too little memory for all that runs on it: run again with --cores 1."
    )


def _signal_of(status: int) -> str:
    """Return the name of the signal that an exit status tells of, '' if of none."""
    return signal.Signals(status - 128).name if status - 128 in set(signal.Signals) else ""


def _never_began(log: str, jobs: int, watch: Watch) -> str:
    others = f", nor did the {jobs - 1} that were to run with it" if jobs > 1 else ""
    said = _said_by_batch_system(log, watch)
    if said or log in watch.grouped:
        taken = "" if said else " The batch system didn't take it."
        return f"it never began{others}.{said or taken} {DOCTOR}"
    return (
        f"it never began{others}. The lines above say more; make doctor says whether a package is "
        "missing."
    )


def _said_by_batch_system(log: str, watch: Watch) -> str:
    """Return a sentence or two, each after a space."""
    at = watch.submission_logs.get(log)
    lines = SAID_BY_SLURM.findall(_tail(at))[-1:] if at else []
    lines = [re.sub(r"died with <Signals\.", "It died with ", line) for line in lines]
    said = [words] if (words := watch.words.get(log)) else lines
    if at:
        said.append(f"Its log there: {os.path.relpath(at)}")
    return "".join(f" {_plain(text).rstrip('.')}." for text in said)


def message(found: list[Failure], jobs: int) -> str:
    """Return what is last on the terminal, each different reason once; a group is one of `jobs`."""
    alike: dict[str, list[Failure]] = {}
    for failure in found:
        alike.setdefault(failure.reason, []).append(failure)
    shown = list(alike.items())[:MOST_SHOWN]
    told = sum(len(failed) for _, failed in shown)
    parts = []
    if len(found) > told or jobs > len(found):
        parts.append(
            f"{max(jobs, len(found))} jobs failed; these are the first {len(shown)} different "
            "reasons, the others stand at the end of the logs that Snakemake names above."
        )
    for reason, (first, *others) in shown:
        more = f", and {len(others)} more for the same reason" if others else ""
        log = f" (log: {first.log})" if first.log else ""
        parts.append(f"{first.job} failed{log}{more}:\n{reason}")
    return "\n\n".join(parts)


def watch(workflow: Any) -> None:
    """Look, from before the first job on, at what happens to the jobs of a run."""
    from snakemake.logging import logger

    jobs = workflow.dag.needrun_jobs()
    logger.addHandler(Watch(str(log) for job in jobs for log in job.log))


def tell(workflow: Any) -> None:
    """End a run that failed with why, unless Snakemake could not go on and has said why itself."""
    from snakemake.logging import logger

    scheduler = workflow.scheduler
    seen = next((handler for handler in logger.handlers if isinstance(handler, Watch)), Watch([]))
    failed = sorted(scheduler.failed, key=lambda job: min(map(str, job.log), default=""))
    # a shared file system may take so long to show what other machines wrote
    patience = 0 if workflow.local_exec else workflow.execution_settings.latency_wait
    error = getattr(scheduler, "_executor_error", None)
    # a run that ends by itself waits for its jobs
    interrupted = not failed or getattr(scheduler, "_user_kill", None) or scheduler.running
    end = time.monotonic() + (0 if interrupted else patience)
    found = failures(failed[:MOST_READ], seen)
    while not all(failure.told for failure in found) and time.monotonic() < end:
        time.sleep(EVERY_SECONDS)
        found = failures(failed[:MOST_READ], seen)
    if interrupted:  # what couldn't say why was ended with the run
        found = [one for one in found if one.told and not one.reason.startswith("interrupted")]
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
    """Return text that changes nothing on a terminal but its lines, and not too much of it."""
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text.strip())
    lines = text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]
    short = "\n".join(lines)
    return short if short == text else f"{short} ... (the rest is in the log)"


def _stamp(path: str) -> tuple[int, ...] | None:
    """Return size and what tells a file from one that was there before under the same name."""
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
