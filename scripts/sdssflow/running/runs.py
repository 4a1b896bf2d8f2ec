"""Who runs in a folder, the jobs that a killed run left in the queue, and when jobs began.

The main Snakemake of each run leaves its host and process id in the folder. Snakemake's own lock
doesn't say whose it is, so nobody can tell a run that lives from one that was killed. This can, on
the host where the run was started.

Jobs of a killed run go on writing: they are waited for (adopted) or cancelled before anything else
is started, so no output has two writers. Snakemake itself looks at files alone: after kill -9 and
`--unlock` it submits a job again while the first one still runs.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sdssflow.files import write_json
from sdssflow.provenance.digests import RECORDS
from sdssflow.provenance.lineage import LineageError, read_record
from sdssflow.running import queue

logger = logging.getLogger(__name__)
RECORD = ".snakemake/sdssflow_run.json"
LOCKS = ".snakemake/locks"


@dataclass(frozen=True)
class Run:
    """A process, distinguished by host and birth from a later one with the same number."""

    host: str
    pid: int
    birth: str

    def alive(self) -> bool | None:
        """Return whether the process lives; None if it was on another host."""
        if self.host != socket.gethostname():
            return None
        return _birth(self.pid) == self.birth


def begin(folder: Path) -> None:
    """Record that this process runs the workflow in `folder`."""
    run = Run(socket.gethostname(), os.getpid(), _birth(os.getpid()))
    write_json(folder / RECORD, asdict(run))


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


def cancel_orphans(folder: Path) -> list[queue.QueuedJob]:
    """Cancel what an earlier run in `folder` left in the queue, and wait until it has ended.

    Raises QueueError if SLURM doesn't answer, or they don't end.
    """
    orphans = queue.jobs_of(folder)
    if orphans:
        queue.cancel(orphans)
        queue.wait_until_gone(folder, queue.ENDING_SECONDS)
    return orphans


def adopt_orphans(folder: Path) -> list[queue.QueuedJob]:
    """Wait for what an earlier run in `folder` left running; what hasn't begun is cancelled.

    A job that ends well leaves its outputs complete, with Snakemake's metadata: it isn't run again.
    """
    orphans = queue.jobs_of(folder)
    queue.cancel(job for job in orphans if job.state == "PENDING")
    queue.wait_until_gone(folder, None)
    return [job for job in orphans if job.state != "PENDING"]


def begin_run(folder: Path, submits: bool) -> None:
    """Do what has to be done before the first job of a run in `folder`: record it, cancel orphans.

    If SLURM doesn't answer (QueueError), a run that submits jobs is not begun; one that works on
    this machine alone is, with a warning.
    """
    begin(folder)
    if not queue.available():
        return
    try:
        orphans = cancel_orphans(folder)
    except queue.QueueError as error:
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
