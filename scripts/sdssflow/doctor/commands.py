"""Run a program with a time-out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECONDS = 60.0  # on a busy machine even `true` may take some; only what hangs is to be given up


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    out: str = ""
    """Standard output."""
    trouble: str = ""
    """In one line why there is no good answer; empty if the exit status was 0."""

    @property
    def good(self) -> bool:
        """Whether the program was found, ended in time and ended well."""
        return not self.trouble


def ask(
    arguments: Sequence[str],
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program and everything it starts, for a limited time.

    Parameters
    ----------
    arguments : sequence of str
        Program, found on the PATH or given as a path, and its arguments.
    seconds : float, optional
        Then it is killed, with its children: one that keeps the pipe open must not hold us. None
        stands for `SECONDS`.
    environment : mapping, optional
        Its environment variables; those of this process if None.
    """
    name, seconds = arguments[0], SECONDS if seconds is None else seconds
    program = shutil.which(name)
    if program is None:
        return Answer(trouble=f"no {name} on PATH")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(
            [program, *arguments[1:]],
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
            **pipes,
        )
    except OSError as error:
        return Answer(trouble=f"{name} can't be started: {error.strerror}")
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return Answer(trouble=f"{name}: no answer in {seconds:g} s")
            raise
    if process.returncode == 0:
        return Answer(out)
    said = [line.strip() for line in (err or out).splitlines() if line.strip()]
    why = said[-1] if said else f"exit status {process.returncode}"
    return Answer(out, why if why.startswith(name) or "/" in name else f"{name}: {why}")
