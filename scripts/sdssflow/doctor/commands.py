"""Ask a program, but not for ever."""

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


def find(program: str, environment: Mapping[str, str]) -> str | None:
    """Return where a program stands on the PATH of `environment`."""
    return shutil.which(program, path=environment.get("PATH", ""))


def ask(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float | None = None
) -> Answer:
    """Run a program and everything it starts, but not for ever.

    Parameters
    ----------
    arguments : sequence of str
        Program, found on the PATH of `environment` or given as a path, and its arguments.
    environment : mapping
        All its environment variables.
    seconds : float, optional
        Then it is killed, with its children: one that keeps the pipe open must not hold us. None
        stands for `SECONDS`.
    """
    seconds = SECONDS if seconds is None else seconds
    program = find(arguments[0], environment)
    if program is None:
        return Answer(trouble=f"no {arguments[0]} on PATH")
    try:
        process = subprocess.Popen(
            [program, *arguments[1:]],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Answer(trouble=f"{arguments[0]} can't be started: {error.strerror}")
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Answer(trouble=f"{arguments[0]}: no answer in {seconds:g} s")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode == 0:
        return Answer(out)
    said = [line.strip() for line in (err or out).splitlines() if line.strip()]
    why = said[-1] if said else f"exit status {process.returncode}"
    return Answer(out, why if why.startswith(arguments[0]) else f"{arguments[0]}: {why}")
