"""Start jobs from a process that has loaded the packages: start-up takes half of a short run.

A server (`server`) imports the packages that the jobs of a run share, and forks for each job; the
job itself imports sdssflow. Instead of Python, Snakemake calls a client (`client`), which hands the
job over to the server, or becomes Python if it can't.
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

FEWEST_JOBS = 10  # with fewer, the server costs more time than it saves
LIBRARIES = ("GOTO_NUM", "MKL_NUM", "NUMEXPR_NUM", "OMP_NUM", "OPENBLAS_NUM", "VECLIB_MAXIMUM")
THREADS = {f"{name}_THREADS": "1" for name in LIBRARIES}  # as Snakemake sets them for a job


class Preload:
    """The server of a run, and the client that replaces Python while it runs.

    Parameters
    ----------
    scripts : iterable of path-like
        The script of each job that will run, one entry per job.
    memory : Memory
        Cache of parsed modules.
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
        # the server ends when its standard input closes, that is with the run, however that ends
        self.server = subprocess.Popen(
            [self.python, str(here / "server.py"), str(self.folder / "socket"), json.dumps(names)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # only the client gets Ctrl-C, and passes it on
            env={**os.environ, **THREADS},
        )
        sys.executable = str(client)

    def end(self) -> None:
        """Restore Python and end the server."""
        if self.folder is None:
            return
        sys.executable = self.python
        self.server.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None


def shared_imports(scripts: Iterable[str | Path], memory: Memory) -> list[str]:
    """Return the imports from other packages that several jobs share, most frequent first.

    `scripts` has the script of each job, one entry per job. Names are those of import statements:
    modules or names in them. Empty if there are fewer than `FEWEST_JOBS` jobs.
    """
    jobs = Counter(Path(script).resolve() for script in scripts)
    if jobs.total() < FEWEST_JOBS:
        return []
    imports: Counter[str] = Counter()
    for script, count in jobs.items():
        modules = {script, *local_modules(script, library_of(script.parent), memory)}
        for name in {name for module in modules for name in memory.module(module).imports}:
            imports[name] += count
    ours = {*PACKAGES, *(path.stem for script in jobs for path in script.parent.iterdir())}
    return [
        name
        for name, count in imports.most_common()
        if count > 1 and name.partition(".")[0] not in ours
    ]
