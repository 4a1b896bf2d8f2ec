"""Who runs in a folder, and the jobs that a killed run left in the queue.

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
from pathlib import Path

from sdssflow.files import write_json
from sdssflow.running import queue

logger = logging.getLogger(__name__)
RECORD = ".snakemake/sdssflow_run.json"
LOCKS = ".snakemake/locks"


@dataclass(frozen=True)
class Run:
    """A process that can be told from a later one with the same number.

    Attributes
    ----------
    host : str
        Name of the machine.
    pid : int
        Process id.
    birth : str
        Boot of the machine and clock tick at which the process began.
    """

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

    Returns
    -------
    list of QueuedJob
        What was cancelled.

    Raises
    ------
    QueueError
        If SLURM doesn't answer, or they don't end.
    """
    orphans = queue.jobs_of(folder)
    if orphans:
        queue.cancel(orphans)
        queue.wait_until_gone(folder, queue.ENDING_SECONDS)
    return orphans


def adopt_orphans(folder: Path) -> list[queue.QueuedJob]:
    """Wait for what an earlier run in `folder` left running; what hasn't begun is cancelled.

    A job that ends well leaves its outputs complete, with Snakemake's metadata: it isn't run again.

    Returns
    -------
    list of QueuedJob
        What was waited for.

    Raises
    ------
    QueueError
        If SLURM doesn't answer.
    """
    orphans = queue.jobs_of(folder)
    queue.cancel(job for job in orphans if job.state == "PENDING")
    queue.wait_until_gone(folder, None)
    return [job for job in orphans if job.state != "PENDING"]


def begin_run(folder: Path, submits: bool) -> None:
    """Do what has to be done before the first job of a run: record it, cancel orphans.

    Parameters
    ----------
    folder : pathlib.Path
        Where the workflow runs.
    submits : bool
        Whether the run submits jobs. If SLURM doesn't answer, such a run is not begun; one that
        works on this machine alone is, with a warning.

    Raises
    ------
    QueueError
        If jobs would be submitted and SLURM doesn't answer, or orphans don't end.
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
