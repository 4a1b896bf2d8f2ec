"""Runs of a copy of the project on SLURM, and what they leave."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.freezing import Lines
from tests.cluster.single_host import SingleHost

TABLES = {".csv", ".parquet", ".safetensors", ".hdf5"}
# what this small SLURM needs: it is asked at once and often, its networks train on the CPU
QUICK = [
    "--slurm-init-seconds-before-status-checks", "1",
    "--latency-wait", "10",
]  # fmt: skip


def environment(slurm: SingleHost) -> dict[str, str]:
    """Return the environment of a run: this SLURM, one thread, our package, no patience."""
    path = os.pathsep.join(["scripts", str(Path(__file__).parent / "impatient")])
    return {**slurm.environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def start(folder: Path, slurm: SingleHost, log: str, *arguments: str, module: str) -> Lines:
    """Start Snakemake (`module` "snakemake") or our own start of it in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment(slurm),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Lines(process, folder / log)


def tables(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every result table by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results").rglob("*"))
        if path.suffix in TABLES and path.is_file() and "checkpoints" not in path.parts
    }


@dataclass(frozen=True)
class Outcome:
    """What a run left and said.

    Attributes
    ----------
    folder : pathlib.Path
        Where it ran.
    tables, reference : dict
        Digests of its result tables and of those of the undisturbed local run, by path.
    said : str
        What it printed.
    jobs : list of dict
        What SLURM knows of its jobs.
    facts : dict
        What else was seen on the way.
    """

    folder: Path
    tables: dict[str, str]
    reference: dict[str, str]
    said: str
    jobs: list[dict[str, str]]
    facts: dict

    @property
    def differing(self) -> list[str]:
        """Tables that are missing, left over or not byte-equal."""
        paths = sorted({*self.tables, *self.reference})
        return [path for path in paths if self.tables.get(path) != self.reference.get(path)]


def jobs_in(folder: Path, slurm: SingleHost) -> list[dict[str, str]]:
    """Return the jobs that were submitted from a folder."""
    return [job for job in slurm.jobs() if job["WorkDir"] == str(folder)]


def local(folder: Path, *arguments: str) -> str:
    """Run Snakemake on this machine alone and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"snakemake {arguments}:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr
