"""Time Snakemake itself: the DAG of this workflow at scale, and the start of a job.

    python benchmarks/measure_dag.py [--jobs 1000 5000 20000] [--rounds 3]

Makes copies of the project with many samples and seeds and all models of `config/config.yaml`, and
prints the cost of a dry run: fresh (no outputs) and finished (all outputs, with the metadata that
Snakemake compares). Outputs are dummy files in the order of the DAG; Snakemake's own persistence
records each job, so triggers of code and parameters are compared as after a real run. Then the
overhead of each job of a cluster before it starts work. Seconds are the best of the rounds; CPU
seconds are user + system, less sensitive to the load of the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_tables import header, row

ROOT = Path(__file__).parents[1]
PROJECT = ["Snakefile", "rules", "scripts", "config", "profiles", "report", "data/embedded",
           "environment.yml"]  # fmt: skip
OPTIONAL = ["requirements.lock", "LICENSE", "CITATION.cff", "README.md"]
DRY_RUN = ["-m", "snakemake", "--dry-run", "--quiet", "all"]
MOST_SEEDS = 20
# instead of running the jobs: make their outputs and record them, in the order of the DAG
FINISH = """
from pathlib import Path
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

def schedule(self):
    async def finish():
        for level in self.workflow.dag.toposorted():
            for job in level:
                for output in job.output:
                    if output.is_directory:
                        Path(output).mkdir(parents=True, exist_ok=True)
                    else:
                        Path(output).parent.mkdir(parents=True, exist_ok=True)
                        Path(output).write_text(str(output))
                    output.touch()
                await self.workflow.persistence.finished(job)
    self.workflow.async_run(finish())
    return True

JobScheduler.schedule = schedule
main()
"""


@dataclass
class Cost:
    """Cost of a process with its children: wall and CPU seconds, peak memory in MB."""

    wall: float
    cpu: float
    memory: float

    def best(self, other: Cost) -> Cost:
        """Return the shorter times of both, and the larger memory."""
        return Cost(
            min(self.wall, other.wall), min(self.cpu, other.cpu), max(self.memory, other.memory)
        )


def cost(arguments: list[str], folder: Path, rounds: int = 1) -> tuple[Cost, str]:
    """Run Python with arguments in a folder; return the best cost and the output.

    Raises
    ------
    RuntimeError
        If it fails, with the end of the output.
    """
    best = None
    for _ in range(rounds):
        with tempfile.TemporaryFile("w+") as printed:
            started = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.perf_counter() - started
            printed.seek(0)
            text = printed.read()
        if process.returncode:
            raise RuntimeError(
                f"{arguments} in {folder} ended with {process.returncode}: {text[-2000:]}"
            )
        found = Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        best = found.best(best) if best else found
    return best, text


def planned(text: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would start, including the target `all`.

    Raises
    ------
    ValueError
        If the text is not the output of a dry run.
    """
    if "Nothing to be done" in text:
        return {}
    if "Job stats:" not in text:
        raise ValueError(f"not a dry run: {text[-500:]}")
    stats = text.split("Job stats:")[1].split("\ntotal ")[0]
    return {rule: int(n) for rule, n in re.findall(r"^(\w+)\s+(\d+)$", stats, re.MULTILINE)}


def copy_project(folder: Path) -> None:
    """Copy the files that a run reads."""
    for name in [*PROJECT, *(name for name in OPTIONAL if (ROOT / name).exists())]:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)


def configure(folder: Path, samples: int, seeds: int) -> None:
    """Configure a run of all models on small samples, with both tasks and one split."""
    path = folder / "config/config.yaml"
    run = yaml.safe_load(path.read_text())
    run["samples"] = [f"sample_{number:04d}" for number in range(samples)]
    run["seeds"] = list(range(1, seeds + 1))
    path.write_text(yaml.safe_dump(run, sort_keys=False))
    sample = yaml.safe_load((folder / "config/samples/mgs.yaml").read_text())
    sample |= {"tasks": ["classify", "regress"], "splits": {"random": {"kind": "holdout"}}}
    columns = {f"model_mag_{band}": band for band in "ugriz"}
    columns |= {f"model_mag_err_{band}": f"err_{band}" for band in "ugriz"}
    columns |= {"zspec": "redshift", "spec_class": "class"}
    for name in run["samples"]:
        table = folder / f"data/{name}.csv"
        table.write_text(
            f"{','.join(columns.values())}\n18,17,16,16,16,.1,.1,.1,.1,.1,0.1,GALAXY\n"
        )
        sample["source"] = {"kind": "file", "path": f"data/{name}.csv", "columns": columns}
        text = yaml.safe_dump(sample, sort_keys=False)
        (folder / f"config/samples/{name}.yaml").write_text(text)


def jobs_of(folder: Path, samples: int, seeds: int) -> int:
    """Configure a run; return its number of jobs, as a dry run counts them."""
    configure(folder, samples, seeds)
    return sum(planned(cost(DRY_RUN, folder)[1]).values())


def shape(jobs: int, least: int, by_sample: int, by_seed: int) -> tuple[int, int]:
    """Return numbers of samples and seeds for about `jobs` jobs, with about 2 samples per seed.

    Parameters
    ----------
    jobs : int
        Requested number of jobs.
    least, by_sample, by_seed : int
        A run has `least` jobs, `by_sample` for each sample, and `by_seed` for each sample and seed.
    """
    choices = {}
    for seeds in range(1, MOST_SEEDS + 1):
        each = by_sample + by_seed * seeds
        samples = max(1, round((jobs - least) / each))
        missed = abs(least + samples * each - jobs) / jobs
        choices[max(missed, 0.05), abs(samples - 2 * seeds)] = (samples, seeds)
    return choices[min(choices)]


def make_project(folder: Path, jobs: int) -> int:
    """Make a project of about `jobs` jobs; return their number."""
    copy_project(folder)
    one, two, seeds = (jobs_of(folder, *counts) for counts in ((1, 1), (2, 1), (1, 2)))
    by_seed = seeds - one
    return jobs_of(folder, *shape(jobs, 2 * one - two, two - one - by_seed, by_seed))


def finish(folder: Path) -> int:
    """Make all outputs of a project and record them; return the number of records."""
    cost(["-c", FINISH, "--forceall", "--cores", "1", "--quiet", "all"], folder)
    return sum(path.is_file() for path in (folder / ".snakemake/metadata").rglob("*"))


def job_start(rule: str, **wildcards: str) -> list[str]:
    """Return the arguments with which a cluster starts Snakemake for one job, as a dry run."""
    named = ",".join(f"{name}={value}" for name, value in wildcards.items())
    return [*DRY_RUN, "--mode", "remote", "--target-jobs", f"{rule}:{named}", "--allowed-rules",
            rule, "--cores", "1", "--force", "--nolock"]  # fmt: skip


def import_seconds(text: str) -> dict[str, float]:
    """Return the seconds of each package from the output of `python -X importtime`."""
    seconds = defaultdict(float)
    for own, name in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", text, re.MULTILINE):
        seconds[name.partition(".")[0]] += int(own) / 1e6
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def measure_dag(folder: Path, sizes: list[int], rounds: int) -> dict[str, Path]:
    """Print the table of dry runs; return the project of each size."""
    floor, _ = cost(["-m", "snakemake", "--version"], folder, rounds)
    header("jobs", "state", "wall s", "CPU s", "CPU s above the floor", "jobs / s", "MB")
    row("-", "`snakemake --version`: the floor", f"{floor.wall:.1f}", f"{floor.cpu:.1f}", "", "",
        f"{floor.memory:.0f}")  # fmt: skip
    projects = {}
    for size in sizes:
        project = folder / str(size)
        jobs = make_project(project, size)
        for state in ("fresh", "finished"):
            if state == "finished":
                records = finish(project)
            found, text = cost(DRY_RUN, project, rounds)
            count = sum(planned(text).values())
            if count != (jobs if state == "fresh" else 0) or "missing provenance" in text:
                raise RuntimeError(f"{state} with {jobs} jobs: {text[-2000:]}")
            above = found.cpu - floor.cpu
            row(jobs, state if state == "fresh" else f"finished, {records} records",
                f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{above:.1f}", f"{jobs / above:.0f}",
                f"{found.memory:.0f}")  # fmt: skip
        projects[f"{jobs} jobs"] = project
    return projects


def measure_start(projects: dict[str, Path], rounds: int) -> None:
    """Print the overhead of a cluster's job before it starts work, and its imports."""
    header("process", "wall s", "CPU s", "MB")
    default = projects["default configuration"]
    starts = [("`python -c pass`", ["-c", "pass"], default),
              ("`snakemake --version`", ["-m", "snakemake", "--version"], default)]  # fmt: skip
    for name, project in projects.items():
        sample = yaml.safe_load((project / "config/config.yaml").read_text())["samples"][0]
        starts.append((f"files parsed, {name}", ["-m", "snakemake", "--list-rules"], project))
        starts.append((f"start of one job, {name}", job_start("plot_flow", sample=sample), project))
    for name, arguments, project in starts:
        found, _ = cost(arguments, project, rounds)
        row(name, f"{found.wall:.2f}", f"{found.cpu:.2f}", f"{found.memory:.0f}")
    _, text = cost(["-X", "importtime", "-m", "snakemake", "--list-rules"], default)
    seconds = import_seconds(text)
    shown = ", ".join(f"{name} {value:.2f}" for name, value in list(seconds.items())[:10])
    print(f"\nSeconds of import (traced, so slower), the largest ten: {shown}.")
    print(f"Of them the project's own: {seconds.get('sdssflow', 0.0):.2f}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 5000, 20_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        default = Path(name) / "default"
        copy_project(default)
        cost(["-m", "snakemake", "--version"], default)  # warm the file cache
        projects = measure_dag(Path(name), arguments.jobs, arguments.rounds)
        measure_start({"default configuration": default, **projects}, arguments.rounds)


if __name__ == "__main__":
    main()
