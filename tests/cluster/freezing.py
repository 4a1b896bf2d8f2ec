"""Stop and go on with jobs on this machine, so that a fault can be made to hit them in mid-work.

A job that is stopped (SIGSTOP) takes no CPU and ends by nothing but SLURM or us.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path


def processes(jobid: str, script: str) -> list[int]:
    """Return the processes of a SLURM job that run a script of the workflow."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if not any(word.endswith(f".{script}".encode()) for word in command):
                continue
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"SLURM_JOB_ID={jobid}".encode() in environment:
            found.append(int(folder.name))
    return found


class Freezer:
    """Stops a job's script once it has written a checkpoint.

    Parameters
    ----------
    slurm : SingleHost
        Where the jobs are.
    script : str
        Name of the script, such as "train_network.py".
    """

    def __init__(self, slurm, script: str = "train_network.py"):
        self.slurm = slurm
        self.script = script

    def job_of(self, folder: Path, wildcards: str, after: set[str], seconds: float = 1200) -> str:
        """Return the job, not one of `after`, that runs for these wildcards in `folder`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for job in self.slurm.jobs():
                if (
                    job["JobState"] == "RUNNING"
                    and job["WorkDir"] == str(folder)
                    and job.get("Comment", "").endswith(f"_wildcards_{wildcards}")
                    and job["JobId"] not in after
                ):
                    return job["JobId"]
            time.sleep(0.5)
        raise AssertionError(f"no job ran for {wildcards} within {seconds} s")

    def freeze(self, jobid: str, sign: Path, seconds: float = 1200) -> None:
        """Stop the job's script once the folder `sign` holds a checkpoint."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(sign.glob("fold_*")):  # not the temporary file beside it
                pids = processes(jobid, self.script)
                if pids:
                    for pid in pids:
                        os.kill(pid, signal.SIGSTOP)
                    return
            time.sleep(0.02)
        raise AssertionError(f"job {jobid} left nothing in {sign} within {seconds} s")

    def thaw(self, jobid: str) -> None:
        """Let the job's script go on."""
        for pid in processes(jobid, self.script):
            os.kill(pid, signal.SIGCONT)


class Lines(threading.Thread):
    """Reads what a process prints, so that it can be waited for."""

    def __init__(self, process, path: Path):
        super().__init__(daemon=True)
        self.process, self.path, self.text = process, path, ""
        self.start()

    def run(self) -> None:
        """Copy line by line."""
        with self.path.open("w") as stream:
            for line in self.process.stdout:
                self.text += line
                stream.write(line)
                stream.flush()

    def wait_for(self, words: str, seconds: float = 1200) -> None:
        """Wait until `words` were printed."""
        end = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > end or (self.process.poll() is not None and not self.is_alive()):
                raise AssertionError(f"never said {words!r}:\n{self.text[-3000:]}")
            time.sleep(0.1)

    def end(self, seconds: float = 3600) -> int:
        """Wait for the end of the process and return its status."""
        status = self.process.wait(timeout=seconds)
        self.join(timeout=600)
        return status
