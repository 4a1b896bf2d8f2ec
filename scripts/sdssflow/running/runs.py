"""Who runs in a folder, what SLURM says of jobs that a killed run left, and when jobs began.

The main Snakemake of each run leaves its host and process id in the folder. Snakemake's own lock
doesn't say whose it is, so nobody can tell a run that lives from one that was killed. This can, on
the host where the run was started.

Jobs of a killed run go on writing: they are waited for (adopted) or cancelled before anything else
is started, so no output has two writers. Snakemake itself looks at files alone: after kill -9 and
`--unlock` it submits a job again while the first one still runs.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sdssflow.files import write_json
from sdssflow.provenance.lineage import RECORDS, LineageError, read_record

ANSWER_SECONDS = 60
ENDING_SECONDS = 120
NAME_PREFIX = "sdssflow_"  # slurm-jobname-prefix of profiles/slurm
COMMENT_PREFIX = "rule_"  # what Snakemake's SLURM plugin writes, whatever the profile
SEPARATOR = "\x1f"
logger = logging.getLogger(__name__)
RECORD = ".snakemake/sdssflow_run.json"
LOCKS = ".snakemake/locks"


class QueueError(RuntimeError):
    """SLURM gave no usable answer."""


@dataclass(frozen=True)
class QueuedJob:
    """A job in the queue: its number (of an array "14_2"), its state, its rule and wildcards."""

    jobid: str
    state: str
    what: str

    def __str__(self) -> str:
        return f"{self.jobid} ({self.state.lower()}: {self.what})"


def available() -> bool:
    """Return whether this machine has SLURM's commands."""
    return shutil.which("squeue") is not None


def jobs_of(folder: Path) -> list[QueuedJob]:
    """Return the jobs that runs of this workflow in `folder` have in the queue, ours only.

    This and what follows raise QueueError if SLURM gives no usable answer in time.
    """
    columns = SEPARATOR.join(["%i", "%T", "%j", "%k", "%Z"])
    text = _answer(["squeue", "--noheader", "--array", "--user", getpass.getuser(), "-o", columns])
    found = []
    for line in text.splitlines():
        jobid, state, name, comment, workdir = (line.split(SEPARATOR) + [""] * 5)[:5]
        ours = name.startswith(NAME_PREFIX) or comment.startswith(COMMENT_PREFIX)
        if ours and workdir and Path(workdir).resolve() == folder.resolve():
            found.append(QueuedJob(jobid, state, comment.removeprefix(COMMENT_PREFIX) or name))
    return found


def has_gpus() -> bool:
    """Return whether any node of the cluster has a GPU that SLURM hands out."""
    return "gpu" in _answer(["sinfo", "--noheader", "-o", "%G"])


def cancel(jobs: Iterable[QueuedJob]) -> None:
    """Cancel jobs. One that has ended meanwhile is no error."""
    jobids = [job.jobid for job in jobs]
    if jobids:
        _answer(["scancel", "--quiet", *jobids], fail=False)


def wait_until_gone(folder: Path, seconds: float | None, every: float = 2.0) -> None:
    """Wait until no job of `folder` is in the queue, for at most so many seconds, if not None.

    Some that are left after that time are a QueueError, too.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while left := jobs_of(folder):
        if end is not None and time.monotonic() > end:
            raise QueueError(
                f"still in the queue {seconds:.0f} s after scancel: {', '.join(map(str, left))}; "
                "ask `scontrol show job` why they don't end; nothing was submitted"
            )
        time.sleep(every)


def _answer(command: list[str], fail: bool = True) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise QueueError(f"{command[0]} gave no answer within {ANSWER_SECONDS} s") from None
    except OSError as error:
        raise QueueError(f"{command[0]} can't be run: {error}") from None
    if done.returncode and fail:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise QueueError(f"{command[0]} failed: {said[-1]}")
    return done.stdout


@dataclass(frozen=True)
class Run:
    """A process, distinguished by host and birth from a later one with the same number.

    `configuration` is the digest of what it runs.
    """

    host: str
    pid: int
    birth: str
    configuration: str = ""

    def alive(self) -> bool | None:
        """Return whether the process lives; None if it was on another host."""
        if self.host != socket.gethostname():
            return None
        return _birth(self.pid) == self.birth


def begin(folder: Path, configuration: str = "") -> None:
    """Record that this process runs the workflow in `folder`, with the digest of what it runs."""
    run = Run(socket.gethostname(), os.getpid(), _birth(os.getpid()), configuration)
    write_json(folder / RECORD, asdict(run))


def end(folder: Path) -> None:
    """Note that the run of this process is over: a notebook that ran the workflow lives on."""
    run = last_run(folder)
    if run and run.pid == os.getpid() and run.alive():
        write_json(folder / RECORD, asdict(replace(run, birth="ended")))


def last_run(folder: Path) -> Run | None:
    """Return the last run that began in `folder`; None without a readable record."""
    try:
        return Run(**json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def locked(folder: Path) -> bool:
    """Return whether Snakemake's lock lies in `folder`: a run lives, or was killed."""
    return any((folder / LOCKS).glob("*.lock"))


def _birth(pid: int) -> str:
    """Return when a process began, as Linux tells; '' if there is none or it is a zombie."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if state in "ZX" else f"{boot} {rest[18]}"


def cancel_orphans(folder: Path) -> list[QueuedJob]:
    """Cancel what an earlier run in `folder` left in the queue, and wait until it has ended.

    Raises QueueError if SLURM doesn't answer, or they don't end.
    """
    orphans = jobs_of(folder)
    if orphans:
        cancel(orphans)
        wait_until_gone(folder, ENDING_SECONDS)
    return orphans


def adopt_orphans(folder: Path) -> list[QueuedJob]:
    """Wait for what an earlier run in `folder` left running; what hasn't begun is cancelled.

    A job that ends well leaves its outputs complete, with Snakemake's metadata: it isn't run again.
    """
    orphans = jobs_of(folder)
    cancel(job for job in orphans if job.state == "PENDING")
    wait_until_gone(folder, None)
    return [job for job in orphans if job.state != "PENDING"]


def began_otherwise(folder: Path, configuration: str) -> bool:
    """Return whether the run in `folder` began with another configuration than this digest's."""
    last = last_run(folder)
    return last is not None and last.configuration not in ("", configuration)


def _works(run: Run, folder: Path) -> bool:
    """Return whether a run that is not this process's lives, or may: from another host.

    There a lock tells, beside that of this process.
    """
    alive = run.alive()
    if alive is None:
        return len([*(folder / LOCKS).glob("*.output.lock")]) > 1
    return alive and run.pid != os.getpid()


def begin_run(folder: Path, submits: bool, configuration: str = "") -> None:
    """Do what has to be done before the first job of a run in `folder`: record it, cancel orphans.

    Snakemake lets two runs work in a folder if they write other files. What another one that lives
    has in the queue is no orphan: a run that submits jobs is not begun beside it (QueueError), one
    that works on this machine alone leaves queue and record to it. If SLURM doesn't answer
    (QueueError), a run that submits jobs is not begun; one that works on this machine alone is,
    with a warning.
    """
    last = last_run(folder)
    if last and _works(last, folder):
        if submits:
            raise QueueError(
                f"a run works in {folder} (process {last.pid} on {last.host}); let it end, or "
                "interrupt it. If it is dead: snakemake --unlock, then start again"
            )
        return
    begin(folder, configuration)
    if not available():
        return
    try:
        orphans = cancel_orphans(folder)
    except QueueError as error:
        if submits:
            raise
        logger.warning("can't tell whether an earlier run left jobs in the queue: %s", error)
        return
    if orphans:
        print(f"Cancelled jobs of an earlier run: {', '.join(map(str, orphans))}", flush=True)


def restore_starts(persistence: Any, folder: Path) -> int:
    """Give the metadata of a run that has just ended the starts that its records state.

    A start is moved back only: where Snakemake saw the job itself, it began before its script did.
    Returns of how many outputs the start was moved.
    """
    moved = 0
    for path in sorted((folder / RECORDS).glob("[!.]*/**/*.json")):
        try:
            record = read_record(path)
            started = datetime.fromisoformat(record["started"]).timestamp()
        except (LineageError, KeyError, ValueError):
            continue  # whoever follows a number back is told; a run that has ended well stays well
        for output in record["outputs"]:
            metadata = persistence._read_record(output)
            if metadata is None or not started < (metadata.starttime or 0):
                continue
            metadata.starttime = started
            persistence._write_record(output, metadata)
            moved += 1
    return moved
