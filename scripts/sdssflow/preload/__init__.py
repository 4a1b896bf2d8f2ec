"""Start jobs from a process that has loaded the packages: Python's start is half of a short run.

A server (`server`) imports the packages that the jobs of a run have in common, and forks for each
job; sdssflow itself is imported by the job, as always. In place of Python, Snakemake calls a client
(`client`) that hands the job over, or becomes Python where it can't.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sdssflow.code_digests import Memory, library_of, local_modules
from sdssflow.project import PACKAGES

FEWEST_JOBS = 10  # of fewer the server takes longer than it saves
LIBRARIES = ("GOTO_NUM", "MKL_NUM", "NUMEXPR_NUM", "OMP_NUM", "OPENBLAS_NUM", "VECLIB_MAXIMUM")
THREADS = {f"{name}_THREADS": "1" for name in LIBRARIES}  # as Snakemake sets them for a job


class Preload:
    """The server of a run, and the program that stands in for Python meanwhile.

    Parameters
    ----------
    scripts : iterable of path-like
        The script of each job that will run, one entry per job.
    memory : Memory
        Spares parsing modules that were parsed before.
    """

    def __init__(self, scripts: Iterable[str | Path], memory: Memory) -> None:
        self.python = sys.executable
        self.folder = None
        names = shared_imports(scripts, memory)
        if not names or not hasattr(os, "pidfd_open") or " " in self.python:
            return
        self.folder = Path(tempfile.mkdtemp(prefix="sdssflow-"))
        here = Path(__file__).parent
        client = self.folder / "python"
        text = (here / "client.py").read_text(encoding="utf-8")
        client.write_text(f"#!{self.python} -IS\n{text}", encoding="utf-8")
        client.chmod(0o700)
        # its standard input says that the run goes on; it ends with the run, however that ends
        self.server = subprocess.Popen(
            [self.python, str(here / "server.py"), str(self.folder / "socket"), json.dumps(names)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the client, which passes it on
            env={**os.environ, **THREADS},
        )
        sys.executable = str(client)

    def end(self) -> None:
        """Give Python back and let the server go."""
        if self.folder is None:
            return
        sys.executable = self.python
        self.server.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None


def shared_imports(scripts: Iterable[str | Path], memory: Memory) -> list[str]:
    """Return what several jobs import that is not ours, the most wanted first.

    `scripts` has the script of each job, one entry per job. Returned are names as in import
    statements: of modules, or of what stands in them; none for few jobs.
    """
    jobs = Counter(Path(script).resolve() for script in scripts)
    if jobs.total() < FEWEST_JOBS:
        return []
    wanted: Counter[str] = Counter()
    for script, count in jobs.items():
        modules = {script, *local_modules(script, library_of(script.parent), memory)}
        for name in {name for module in modules for name in memory.module(module).imports}:
            wanted[name] += count
    ours = {*PACKAGES, *(path.stem for script in jobs for path in script.parent.iterdir())}
    return [
        name
        for name, count in wanted.most_common()
        if count > 1 and name.partition(".")[0] not in ours
    ]
