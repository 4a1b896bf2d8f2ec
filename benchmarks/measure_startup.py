"""Time a finished run with nothing to do, relative to the bare start of Snakemake.

Run after `make`: `.venv/bin/python benchmarks/measure_startup.py`. Prints a table; the commands
alternate, so that a busy machine slows all of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from markdown_tables import header, row

ROUNDS = 7
COMMANDS = {
    "snakemake --version": ["--version"],
    "snakemake (nothing to do)": ["--quiet", "all"],
    "snakemake --dry-run (nothing to do)": ["--dry-run", "--quiet", "all"],
}


def seconds(arguments):
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "snakemake", *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def main():
    times = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        seconds(arguments)  # warm the file cache
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = times["snakemake --version"]
    header("command", "median s", "min s", "max s", "ratio to bare start-up")
    for name, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(values, bare, strict=True))
        seconds_of = (statistics.median(values), min(values), max(values), ratio)
        row(name, *(f"{value:.2f}" for value in seconds_of))


if __name__ == "__main__":
    main()
