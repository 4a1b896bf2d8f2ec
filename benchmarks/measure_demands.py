"""Memory used by jobs relative to their request, and their CPU time, by rule.

    PYTHONPATH=scripts python benchmarks/measure_demands.py FOLDER              # of a finished run
    PYTHONPATH=scripts python benchmarks/measure_demands.py --rows 100000 1000000

Reads the provenance records, which have the peak memory from the kernel; Snakemake's benchmark
files miss short peaks. With ``--rows`` it first runs the workflow in scratch copies, on simulated
skies of that many objects, with few epochs and trees, which affect time but not memory. Preloaded
packages count in the memory of a job, so preloading is off there. Ends with status 1 if a job used
more than it requested.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import yaml
from markdown_tables import header, row
from measure_dag import copy_project

MODELS = {
    "classifiers": {
        "logistic": {"kind": "logistic_regression"},
        "boosting": {"kind": "gradient_boosting"},
        "forest": {"kind": "random_forest", "trees": 4},
    },
    "regressors": {
        "linear": {"kind": "linear"},
        "boosting": {"kind": "gradient_boosting"},
        "by_class": {"kind": "mixture_by_class", "max_epochs": 2, "search": None},
    },
}


def configure(folder: Path, objects: int) -> None:
    """Configure a run on a simulated sample."""
    path = folder / "config/samples/mocksky.yaml"
    sample = yaml.safe_load(path.read_text())
    sample["source"]["simulated"]["objects"] = objects
    sample["cuts"].append({"cut": "unique_objects"})
    sample |= {task: list(models) for task, models in MODELS.items()}
    path.write_text(yaml.safe_dump(sample, sort_keys=False))
    run = yaml.safe_load((folder / "config/config.yaml").read_text())
    run |= MODELS | {"samples": ["mocksky"], "bundles": {}, "targets": [], "preload": False}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(run, sort_keys=False))


def demands(folder: Path) -> bool:
    """Print the table of a finished run; return whether every job kept to its request."""
    jobs = defaultdict(list)
    for path in sorted((folder / "results/provenance").rglob("*.json")):
        record = json.loads(path.read_text())
        asked = record["resources"]["mem_mb"]
        jobs[record["rule"]].append((record["peak_memory_mb"], asked, record["cpu_seconds"]))
    header("rule", "jobs", "CPU s", "peak MB", "asked MB", "share of it")
    for rule, took in sorted(jobs.items()):
        peak, asked, _ = max(took, key=lambda job: job[0] / job[1])
        seconds = sum(job[2] for job in took)
        row(rule, len(took), f"{seconds:.1f}", peak, asked, f"{peak / asked:.0%}")
    row("all", sum(map(len, jobs.values())), f"{sum(j[2] for t in jobs.values() for j in t):.0f}")
    return all(peak <= asked for took in jobs.values() for peak, asked, _ in took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--rows", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    kept = [] if arguments.rows else [demands(arguments.folder)]
    for objects in arguments.rows:
        with tempfile.TemporaryDirectory() as scratch:
            copy_project(Path(scratch))
            configure(Path(scratch), objects)
            command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
            subprocess.run(command, cwd=scratch, check=True)
            print(f"\n{objects} objects")
            kept.append(demands(Path(scratch)))
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
