"""Many partitions of a target through SLURM, against the same run without it.

    python benchmarks/measure_partitions.py [--partitions 200] [--folder FOLDER]

Runs a copy of the project with a small sample, one model and a target of so many files on this
machine alone; then estimates the partitions again through a SLURM of one node that it starts
(Debian packages slurm-wlm and munge). Prints the number of submissions, the time, and whether every
table is byte-equal.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.cluster.cluster_runs import QUICK, jobs_in, local, start, tables  # noqa: E402
from tests.cluster.single_host import Node, SingleHost  # noqa: E402
from tests.workflow.conftest import TINY_RUN, configure, copy_project  # noqa: E402

COMPLETE = "results/unknown/complete.txt"


def make_project(folder: Path, partitions: int) -> None:
    """Write a project whose target `unknown` has so many files."""
    copy_project(folder)
    configure(folder)
    ensemble = TINY_RUN["regressors"]["ensemble"]
    run = TINY_RUN | {"samples": ["tiny"], "classifiers": {}, "regressors": {"ensemble": ensemble}}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    files = folder / "data/unknown"
    for number in range(partitions):
        shutil.copy2(files / f"{'ab'[number % 2]}.parquet", files / f"cell_{number:04}.parquet")
    for name in "ab":
        (files / f"{name}.parquet").unlink()


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    project = folder / "project"
    make_project(project, asked.partitions)
    began = time.monotonic()
    local(project, "--cores", "2", COMPLETE)
    print(f"on this machine alone: {time.monotonic() - began:.0f} s", flush=True)
    reference = tables(project)
    shutil.rmtree(project / "results/unknown")
    with SingleHost(folder / "slurm", [Node("main1", "main", cpus=4, memory_mb=16000)]) as slurm:
        began = time.monotonic()
        run = start(
            project, slurm, "run.log", "--workflow-profile", "profiles/slurm", "--cores", "2",
            *QUICK, "--", COMPLETE, module="snakemake",
        )  # fmt: skip
        status = run.end(7200)
        seconds = time.monotonic() - began
        jobs = jobs_in(project, slurm)
    found = tables(project)
    differing = sorted(p for p in {*reference, *found} if reference.get(p) != found.get(p))
    states = Counter(job["JobState"] for job in jobs)
    print(f"through SLURM: {seconds:.0f} s, status {status}")
    print(f"{len(jobs)} submissions ({dict(states)})")
    print(f"{len(reference)} tables, {len(differing)} of them differ {differing[:3]}")
    if status or differing:
        print(run.text[-3000:])
        raise SystemExit(1)


if __name__ == "__main__":
    main()
