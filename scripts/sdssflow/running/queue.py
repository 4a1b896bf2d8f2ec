"""What SLURM says of our jobs, by its own commands. No answer is waited for indefinitely."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS = 60
ENDING_SECONDS = 120
NAME_PREFIX = "sdssflow_"  # slurm-jobname-prefix of profiles/slurm
COMMENT_PREFIX = "rule_"  # what Snakemake's SLURM plugin writes, whatever the profile
SEPARATOR = "\x1f"


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
