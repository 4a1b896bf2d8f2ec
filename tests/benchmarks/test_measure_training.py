"""The training benchmark runs on a bare GPU machine: torch, numpy, pyarrow, scikit-learn."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ABSENT = ("pydantic", "snakemake", "pandas", "safetensors", "h5py", "matplotlib", "astropy", "tqdm")
BARE = f"""
import runpy, sys

sys.modules.update(dict.fromkeys({ABSENT!r}))  # None: as if not installed
sys.path.insert(0, "benchmarks")  # as where Python is given the file
sys.argv = ["measure_training.py", "--seconds", "0.1", "--objects", "600", "--batch", "64",
            "--members", "1", "3", "--predicted", "300", "--threads", "1"]
runpy.run_path("benchmarks/measure_training.py", run_name="__main__")
"""


def test_it_needs_four_packages_and_prints_its_tables():
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| 600 ")]
    assert len(rows) == 4  # the loader, one member, three members; and three against one
    assert all(len(row.split("|")) in (5, 10) for row in rows)
    assert "objects / s" in done.stdout
