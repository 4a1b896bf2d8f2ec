"""No output has two writers, whoever started them.

A job of a killed run, or one on a node that the scheduler has given up, can still be at work when
its successor begins. So a job holds a lock for its outputs as long as it works; its successor
waits. The kernel releases the lock of a process that dies, on shared file systems that of a node
that dies too (NFS 4, Lustre with -o flock). Where a file system knows no locks, a warning says so,
once for each job.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sdssflow.files import lock

logger = logging.getLogger("sdssflow")
FOLDER = Path(".snakemake/sdssflow_writers")
EVERY_SECONDS = 1.0


@contextmanager
def sole_writer(outputs: Iterable[str], folder: Path = FOLDER) -> Iterator[None]:
    """Hold the outputs of a job, as its rule names them; wait while another process holds them.

    `folder` of the locks is shared by all machines that run jobs of the workflow.
    """
    paths = sorted(map(str, outputs))
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:24]
    with (folder / f"{name}.lock").open("a") as stream:
        _wait(stream.fileno(), paths)
        yield


def _wait(handle: int, paths: list[str]) -> None:
    told = False
    while True:
        try:
            lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not told:
                logger.warning("waiting: another job still writes %s", ", ".join(paths))
                told = True
            time.sleep(EVERY_SECONDS)
