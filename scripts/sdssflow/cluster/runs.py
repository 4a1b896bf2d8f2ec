"""Who runs in a folder: the main Snakemake of each run leaves its host and process id there.

Snakemake's own lock doesn't say whose it is, so nobody can tell a run that lives from one that was
killed. This can, on the host where the run was started.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from sdssflow.files import write_json

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
