"""Runs in a folder, SLURM jobs that a killed run left, and start times of jobs.

The main Snakemake process of each run records its host and process id in the folder. Snakemake's
own lock has no owner, so it does not show whether a run is alive or was killed; the record does, on
the host where the run was started.

Jobs of a killed run continue to write: they are waited for (adopted) or cancelled before anything
else is started, so that no output has two writers. Snakemake itself checks only files: after
kill -9 and `--unlock` it submits a job again while the first one still runs.
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
COMMENT_PREFIX = "rule_"  # of Snakemake's SLURM plugin, whatever the profile
SEPARATOR = "\x1f"
logger = logging.getLogger(__name__)
RECORD = ".snakemake/sdssflow_run.json"
LOCKS = ".snakemake/locks"


class QueueError(RuntimeError):
    """SLURM gave no usable answer."""


@dataclass(frozen=True)
class QueuedJob:
    """A job in the queue: its id ("14_2" in an array), its state, its rule and wildcards."""

    jobid: str
    state: str
    what: str

    def __str__(self) -> str:
        return f"{self.jobid} ({self.state.lower()}: {self.what})"


def available() -> bool:
    """Return whether this machine has SLURM's commands."""
    return shutil.which("squeue") is not None


def jobs_of(folder: Path) -> list[QueuedJob]:
    """Return the queued jobs of this workflow and user in `folder`.

    This and the following functions raise QueueError if SLURM gives no usable answer in time.
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
    """Return whether any node of the cluster has a GPU according to SLURM."""
    return "gpu" in _answer(["sinfo", "--noheader", "-o", "%G"])


def cancel(jobs: Iterable[QueuedJob]) -> None:
    """Cancel jobs; jobs that have already ended are ignored."""
    jobids = [job.jobid for job in jobs]
    if jobids:
        _answer(["scancel", "--quiet", *jobids], fail=False)


def wait_until_gone(folder: Path, seconds: float | None, every: float = 2.0) -> None:
    """Wait until no job of `folder` is in the queue, for at most `seconds` if not None.

    QueueError if jobs are left after that time.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while left := jobs_of(folder):
        if end is not None and time.monotonic() > end:
            raise QueueError(
                f"still in the queue {seconds:.0f} s after scancel: {', '.join(map(str, left))}; "
                "see `scontrol show job` for the reason; nothing was submitted"
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
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise QueueError(f"{command[0]} failed: {lines[-1]}")
    return done.stdout


@dataclass(frozen=True)
class Run:
    """The main process of a run; `birth` distinguishes it from a later one with the same id.

    `configuration` is the digest of its configuration.
    """

    host: str
    pid: int
    birth: str
    configuration: str = ""

    def alive(self) -> bool | None:
        """Return whether the process is alive; None if it was on another host."""
        if self.host != socket.gethostname():
            return None
        return _birth(self.pid) == self.birth


def begin(folder: Path, configuration: str = "") -> None:
    """Record that this process runs the workflow in `folder`, with its configuration's digest."""
    run = Run(socket.gethostname(), os.getpid(), _birth(os.getpid()), configuration)
    write_json(folder / RECORD, asdict(run))


def end(folder: Path) -> None:
    """Record that the run of this process is over; a notebook that ran it stays alive."""
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
    """Return whether Snakemake has locked `folder`: a run is alive, or was killed."""
    return any((folder / LOCKS).glob("*.lock"))


def _birth(pid: int) -> str:
    """Return boot id and start time of a process; '' if there is none or it is a zombie."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if state in "ZX" else f"{boot} {rest[18]}"


def cancel_orphans(folder: Path) -> list[QueuedJob]:
    """Cancel the jobs that an earlier run in `folder` left, wait for their end, return them.

    QueueError if SLURM doesn't answer, or they don't end.
    """
    orphans = jobs_of(folder)
    if orphans:
        cancel(orphans)
        wait_until_gone(folder, ENDING_SECONDS)
    return orphans


def adopt_orphans(folder: Path) -> list[QueuedJob]:
    """Wait for the running jobs that an earlier run in `folder` left; cancel its pending jobs.

    A job that succeeds leaves complete outputs with Snakemake's metadata, so it isn't run again.
    """
    orphans = jobs_of(folder)
    cancel(job for job in orphans if job.state == "PENDING")
    wait_until_gone(folder, None)
    return [job for job in orphans if job.state != "PENDING"]


def began_otherwise(folder: Path, configuration: str) -> bool:
    """Return whether the run in `folder` began with a configuration of another digest."""
    last = last_run(folder)
    return last is not None and last.configuration not in ("", configuration)


def _works(run: Run, folder: Path) -> bool:
    """Return whether another process's run is alive, or may be.

    A run on another host may be alive if Snakemake's lock of it is there, besides our own.
    """
    alive = run.alive()
    if alive is None:
        return len([*(folder / LOCKS).glob("*.output.lock")]) > 1
    return alive and run.pid != os.getpid()


def begin_run(folder: Path, submits: bool, configuration: str = "") -> None:
    """Record a run in `folder` and cancel orphaned jobs, before its first job.

    Snakemake allows two runs in a folder if they write different files. Jobs of another live run
    are not orphans: a run that submits jobs is refused then (QueueError); a local one leaves queue
    and record to the other. If SLURM doesn't answer, a run that submits jobs is refused
    (QueueError); a local one continues, with a warning if there was a run before.
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
        if last:
            logger.warning("whether an earlier run left jobs in the queue is unknown: %s", error)
        return
    if orphans:
        print(f"Cancelled jobs of an earlier run: {', '.join(map(str, orphans))}", flush=True)


def restore_starts(persistence: Any, folder: Path) -> int:
    """Set the start times in Snakemake's metadata of a finished run to those of its records.

    A start is only moved back: if Snakemake ran the job itself, its start is before the script's.
    Returns the number of outputs whose start was moved.
    """
    moved = 0
    for path in sorted((folder / RECORDS).glob("[!.]*/**/*.json")):
        try:
            record = read_record(path)
            started = datetime.fromisoformat(record["started"]).timestamp()
        except (LineageError, KeyError, ValueError):
            continue  # only lineage needs this record; the run itself has succeeded
        for output in record["outputs"]:
            metadata = persistence._read_record(output)
            if metadata is None or not started < (metadata.starttime or 0):
                continue
            metadata.starttime = started
            persistence._write_record(output, metadata)
            moved += 1
    return moved
