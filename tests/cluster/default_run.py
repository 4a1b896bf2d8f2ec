"""The default samples end to end through sbatch, with one GPU in the cluster."""

from __future__ import annotations

import time
from pathlib import Path

from tests.cluster.cluster_runs import QUICK, Outcome, jobs_in, start, tables
from tests.cluster.single_host import SingleHost
from tests.workflow.conftest import copy_project

ROOT = Path(__file__).parents[2]
# the GPU that SLURM hands out is a fake: the jobs that get it work on the CPU, as the profile says
FAKE_GPU = ["--set-resources", "train_network:gpu=1", "search_settings:gpu=1",
            "train_network:without_gpu=cpu", "search_settings:without_gpu=cpu"]  # fmt: skip


def go(folder: Path, slurm: SingleHost) -> Outcome:
    """Run the default configuration; the local run it is compared with is the checkout's own."""
    copy_project(folder)
    started = time.monotonic()
    run = start(
        folder, slurm, "run.log", "--workflow-profile", "profiles/slurm", "--cores", "2",
        *QUICK, *FAKE_GPU, module="sdssflow.running.start",
    )  # fmt: skip
    status = run.end(7200)
    facts = {"status": status, "seconds": time.monotonic() - started}
    return Outcome(folder, tables(folder), tables(ROOT), run.text, jobs_in(folder, slurm), facts)
