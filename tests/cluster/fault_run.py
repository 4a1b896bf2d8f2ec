"""One run in which each network's job meets another fault, compared with an undisturbed run.

The networks are all the same ensemble on the same rows; each is named by what happens to its job.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

import yaml

from tests.cluster.cluster_runs import QUICK, Outcome, jobs_in, local, start, tables
from tests.cluster.freezing import Freezer
from tests.cluster.single_host import SingleHost
from tests.workflow.conftest import TINY_RUN, configure, copy_project

REGRESS = Path("results/tiny/regress/published")
FAULTS = {
    "undisturbed": "none",
    "cancelled": "cancelled by somebody",
    "over_memory": "needs more memory than it asked for; the retry asks for more",
    "over_time": "stands still till its time is up; the retry goes on from the checkpoint",
    "node_lost": "its node is lost while its processes live on beside the retry",
    "node_drained": "its node is drained: the job ends there, what comes next waits",
    "disk_full": "the disk is full, until somebody makes room",
}
# resources by model and attempt, as a user would write them in a profile
RESOURCES = [
    "train_network:gpu=0",
    "train_network:mem_mb=250 if (wildcards.model, attempt) == ('over_memory', 1) else 1800",
    "train_network:runtime=2 if (wildcards.model, attempt) == ('over_time', 1) else 30",
    "train_network:slurm_partition={('node_lost', 1): 'lost', ('node_drained', 1): 'drained'}"
    ".get((wildcards.model, attempt), 'faults')",
]


def output(model: str) -> str:
    """Return the output of the job of a model."""
    return str(REGRESS / model / "1")


def wildcards(model: str) -> str:
    """Return how Snakemake's plugin names the job of a model."""
    return f"tiny_published_{model}_1"


def prepare(folder: Path) -> Path:
    """Make a project with an undisturbed run of all models, run on this machine."""
    copy_project(folder)
    configure(folder)
    ensemble = {**TINY_RUN["regressors"]["ensemble"], "max_epochs": 300, "patience": 300,
                "checkpoint_epochs": 20}  # fmt: skip
    ensemble["search"] = None
    run = {**TINY_RUN, "samples": ["tiny"], "regressors": dict.fromkeys(FAULTS, ensemble)}
    run["importance"] = {}
    run |= {"bundles": {}, "targets": []}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    local(folder, *map(output, FAULTS), "--cores", "2")
    return folder


def untrained(folder: Path, prepared: Path) -> Path:
    """Copy the prepared project without what comes of training."""
    shutil.copytree(prepared, folder, symlinks=True)
    for path in (folder / "results/tiny/regress", folder / "benchmarks/runs", folder / "logs"):
        shutil.rmtree(path, ignore_errors=True)
    return folder


def go(folder: Path, prepared: Path, slurm: SingleHost) -> Outcome:
    """Run the training on SLURM and let the faults happen."""
    untrained(folder, prepared)
    full_disk = FullDisk(folder / REGRESS / "disk_full")
    run = start(
        folder, slurm, "run.log", *map(output, FAULTS),
        "--workflow-profile", "profiles/slurm", "--cores", "2",
        "--default-resources", "slurm_partition=faults",
        "runtime=30", "--set-resources", *RESOURCES, *QUICK, "--show-failed-logs",
        module="sdssflow.running.start",
    )  # fmt: skip
    facts: dict = {"disk": full_disk.mounted}
    faults = [threading.Thread(target=fault, args=(folder, slurm, facts), daemon=True)
              for fault in (cancel, stand_still, lose_node, drain_node)]  # fmt: skip
    if full_disk.mounted:
        faults.append(threading.Thread(target=full_disk.make_room, args=(run,), daemon=True))
    for fault in faults:
        fault.start()
    try:
        facts["status"] = run.end(3600)
        for fault in faults:
            fault.join(timeout=1200)
        left = tables(folder)  # while the disk is there
    finally:
        full_disk.unmount()
    return Outcome(folder, left, tables(prepared), run.text, jobs_in(folder, slurm), facts)


def frozen(folder: Path, slurm: SingleHost, model: str) -> tuple[Freezer, str]:
    """Wait for the job of a model and stop it after its first checkpoint."""
    freezer = Freezer(slurm)
    jobid = freezer.job_of(folder, wildcards(model), after=set())
    freezer.freeze(jobid, folder / REGRESS / model / "checkpoints/1")
    return freezer, jobid


def cancel(folder: Path, slurm: SingleHost, facts: dict) -> None:
    """Cancel a job in the middle of its training."""
    _, jobid = frozen(folder, slurm, "cancelled")
    slurm.run("scancel", jobid)
    facts["cancelled"] = jobid


def stand_still(folder: Path, slurm: SingleHost, facts: dict) -> None:
    """Stop a job until SLURM ends it; keep the checkpoint it leaves."""
    _, facts["timed out"] = frozen(folder, slurm, "over_time")


def lose_node(folder: Path, slurm: SingleHost, facts: dict) -> None:
    """Kill the slurmd under a job whose processes go on while the retry waits."""
    freezer, first = frozen(folder, slurm, "node_lost")
    slurm.kill_node("lost1")
    second = freezer.job_of(folder, wildcards("node_lost"), after={first})
    log = folder / "logs/train_network/tiny/published/node_lost/1.log"
    end = time.monotonic() + 1200
    facts["waited"] = False
    while not facts["waited"] and time.monotonic() < end:
        # Snakemake removes the first job's log before the second one begins
        facts["waited"] = log.exists() and "waiting" in log.read_text()
        time.sleep(0.2)
    facts["lost"], facts["after the loss"] = first, second
    freezer.thaw(first)
    slurm.start_node("lost1")


def drain_node(folder: Path, slurm: SingleHost, facts: dict) -> None:
    """Drain the node under a job; a probe that comes after has to wait."""
    freezer, jobid = frozen(folder, slurm, "node_drained")
    slurm.run("scontrol", "update", "NodeName=drained1", "State=DRAIN", "Reason=test")
    probe = slurm.run("sbatch", "--parsable", "--partition=drained", "--output=/dev/null",
                      "--chdir=/", "--wrap=true").strip()  # fmt: skip
    freezer.thaw(jobid)

    def state(which: str) -> str:
        return next(job["JobState"] for job in slurm.jobs() if job["JobId"] == which)

    end = time.monotonic() + 1200
    while state(jobid) == "RUNNING" and time.monotonic() < end:
        time.sleep(0.2)
    facts["drained"], facts["probe while drained"] = jobid, state(probe)
    slurm.run("scontrol", "update", "NodeName=drained1", "State=RESUME")
    while state(probe) != "COMPLETED" and time.monotonic() < end:
        time.sleep(0.2)
    facts["probe after"] = state(probe)


class FullDisk:
    """A disk of one page under a folder; needs root."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        self.mounted = self._mount("size=4k")

    def make_room(self, run) -> None:
        """Wait until a job complained, then make the disk larger."""
        run.wait_for("The disk is full", 3600)
        self._mount("remount,size=1m")

    def unmount(self) -> None:
        """Take the disk away."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
