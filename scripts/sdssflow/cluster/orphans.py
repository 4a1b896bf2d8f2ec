"""Jobs that a killed run left in the queue: waited for (adopted) or cancelled.

They go on writing. So this comes before anything else is started: no output has two writers.

Snakemake itself looks at files alone: after kill -9 and `--unlock` it submits a job again while
the first one still runs.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sdssflow.cluster import queue, runs

logger = logging.getLogger(__name__)


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
    runs.begin(folder)
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
