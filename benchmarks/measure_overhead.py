"""Overhead of the orchestration: wall time of a finished run beyond that of its jobs.

    python benchmarks/measure_overhead.py FOLDER

Reads the benchmark files and the log of a run in FOLDER, the root of a checkout, and prints its
overhead, wall time - sum of seconds x threads / cores, and the slowest rules. The start of Python
and imports count as time of a job; idle cores are overhead.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from markdown_tables import header, row

LOG_DATE = "%Y-%m-%d %H:%M:%S"


@dataclass
class Overhead:
    """A finished run: wall seconds, cores, and seconds x threads of the jobs by rule."""

    wall: float
    cores: int
    jobs: dict[str, list[float]]

    @property
    def computed(self) -> float:
        """Seconds x threads of all jobs."""
        return sum(map(sum, self.jobs.values()))

    @property
    def seconds(self) -> float:
        """Wall time beyond that of the jobs if they kept all cores busy."""
        return self.wall - self.computed / self.cores


def read_log(folder: Path) -> tuple[datetime, float, int]:
    """Return start, seconds and cores of the run that finished most jobs.

    Raises
    ------
    FileNotFoundError
        If there is no log of a finished run.
    """
    found = []
    for path in sorted((folder / ".snakemake/log").glob("*.snakemake.log")):
        text = path.read_text(errors="replace")
        elapsed = re.search(r"^Elapsed time: (?:(\d+) days?, )?(\d+):(\d+):([\d.]+)$", text, re.M)
        date = re.search(r"^  Date: (.+)$", text, re.M)
        cores = re.search(r"^Provided cores: (\d+)", text, re.M)
        finished = text.count("\nFinished jobid: ")
        if elapsed and date and cores and finished:
            days, hours, minutes, seconds = (float(part or 0) for part in elapsed.groups())
            length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            started = datetime.strptime(date[1], LOG_DATE)
            found.append((finished, started, length.total_seconds(), int(cores[1])))
    if not found:
        raise FileNotFoundError(f"{folder}/.snakemake/log has no log of a finished run")
    return max(found)[1:]


def overhead(folder: Path) -> Overhead:
    """Read a finished run, without benchmark files from before its start.

    Raises
    ------
    FileNotFoundError
        If there is no log or no benchmark file of a finished run.
    """
    started, wall, cores = read_log(folder)
    jobs = defaultdict(list)
    for path in sorted((folder / "benchmarks/runs").rglob("*.jsonl")):
        if path.stat().st_mtime >= started.timestamp():
            for job in map(json.loads, path.read_text().splitlines()):
                jobs[job["rule_name"]].append(float(job["s"]) * min(job["threads"], cores))
    if not jobs:
        raise FileNotFoundError(f"{folder}/benchmarks/runs has no file of the run of {started}")
    return Overhead(wall, cores, dict(jobs))


def print_overhead(run: Overhead, slowest: int = 10) -> None:
    header("jobs", "wall s", "cores", "jobs' s x threads", "overhead s", "of the wall time")
    count = sum(map(len, run.jobs.values()))
    row(count, f"{run.wall:.0f}", run.cores, f"{run.computed:.0f}", f"{run.seconds:.0f}",
        f"{run.seconds / run.wall:.0%}")  # fmt: skip
    header("rule", "jobs", "s x threads", "mean", "longest")
    for rule, seconds in sorted(run.jobs.items(), key=lambda item: -sum(item[1]))[:slowest]:
        mean = sum(seconds) / len(seconds)
        row(rule, len(seconds), f"{sum(seconds):.1f}", f"{mean:.1f}", f"{max(seconds):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print_overhead(overhead(parser.parse_args().folder))


if __name__ == "__main__":
    main()
