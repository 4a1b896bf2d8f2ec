"""The submit host's Snakemake is killed, and started again, while its jobs run.

1. Killed with -9 while two trainings run. Started again by `sdssflow.running.start`: both are
   adopted, neither is submitted again.
2. One output is removed, its training submitted, Snakemake killed with -9. The user unlocks and
   starts plain Snakemake: the job left behind is cancelled before another is submitted.
3. While that other one runs, Snakemake gets TERM: it lets the job end and submits nothing more.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster.cluster_runs import QUICK, Outcome, environment, jobs_in, start, tables
from tests.cluster.fault_run import FAULTS, REGRESS, output, untrained, wildcards
from tests.cluster.freezing import Freezer
from tests.cluster.single_host import SingleHost

ARGUMENTS = ["--workflow-profile", "profiles/slurm", "--cores", "2",
             "--default-resources", "slurm_partition=faults", "runtime=30",
             "--set-resources", "train_network:gpu=0", "train_network:mem_mb=1500",
             *QUICK]  # fmt: skip
FIRST, SECOND = "undisturbed", "cancelled"  # names of two models: here nothing happens to them
OUTPUTS = [output(FIRST), output(SECOND)]


def go(folder: Path, prepared: Path, slurm: SingleHost) -> Outcome:
    """Kill and start again; at the end nothing is left to do."""
    untrained(folder, prepared)
    for model in set(FAULTS) - {FIRST, SECOND}:  # this is not about them
        shutil.copytree(prepared / output(model), folder / output(model))
    restarts = Restarts(folder, slurm)
    restarts.kill_and_adopt()
    restarts.kill_and_cancel()
    restarts.terminate()
    last = restarts.start("last.log", *OUTPUTS, module="sdssflow.running.start")
    restarts.facts["status"] = last.end()
    jobs = jobs_in(folder, slurm)
    return Outcome(folder, tables(folder), tables(prepared), last.text, jobs, restarts.facts)


class Restarts:
    """A folder in which runs are killed and started again."""

    def __init__(self, folder: Path, slurm: SingleHost):
        self.folder, self.slurm = folder, slurm
        self.freezer = Freezer(slurm)
        self.facts: dict = {}
        self.seen: set[str] = set()

    def start(self, log: str, *targets: str, module: str):
        """Start a run; return what reads its output."""
        return start(self.folder, self.slurm, log, *targets, *ARGUMENTS, module=module)

    def frozen(self, model: str) -> str:
        """Wait for a job of a model that was not seen before, and stop it in mid-training."""
        jobid = self.freezer.job_of(self.folder, wildcards(model), self.seen)
        self.freezer.freeze(jobid, self.folder / REGRESS / model / "checkpoints/1")
        self.seen.add(jobid)
        return jobid

    def kill_and_adopt(self) -> None:
        """Step 1."""
        run = self.start("first.log", *OUTPUTS, module="sdssflow.running.start")
        orphans = [self.frozen(model) for model in (FIRST, SECOND)]
        run.process.kill()
        run.end()
        again = self.start("adopting.log", *OUTPUTS, module="sdssflow.running.start")
        again.wait_for("waiting for those that run")
        for jobid in orphans:
            self.freezer.thaw(jobid)
        self.facts["adopting"] = again.end()
        self.facts["adopted"] = orphans
        self.facts["adopting said"] = again.text

    def kill_and_cancel(self) -> None:
        """Step 2, up to where the second job of the output runs."""
        shutil.rmtree(self.folder / OUTPUTS[0])
        run = self.start("second.log", *OUTPUTS, module="snakemake")
        self.facts["orphan"] = self.frozen(FIRST)
        run.process.kill()
        run.end()
        locked = self.start("locked.log", *OUTPUTS, module="snakemake")
        self.facts["locked"] = locked.end()
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock"],
            cwd=self.folder, env=environment(self.slurm), check=True, capture_output=True,
        )  # fmt: skip
        self.run = self.start("cancelling.log", *OUTPUTS, module="snakemake")
        self.run.wait_for("Cancelled jobs of an earlier run")
        self.facts["successor"] = self.frozen(FIRST)

    def terminate(self) -> None:
        """Step 3."""
        self.run.process.send_signal(signal.SIGTERM)
        self.run.wait_for("Will exit after finishing currently running jobs")
        self.freezer.thaw(self.facts["successor"])
        self.facts["terminated"] = self.run.end()
