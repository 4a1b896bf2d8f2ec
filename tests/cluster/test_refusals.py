"""On the real SLURM too, a run that fails ends with the reasons."""

import shutil

import pytest

from tests.cluster.cluster_runs import QUICK, environment
from tests.workflow.failing_project import REFUSED, assert_last, catalogue, make, said

pytestmark = pytest.mark.cluster


def test_the_reasons_of_submitted_jobs_are_the_last_words(ground, slurm, evidence):
    shutil.rmtree(ground / "refusals", ignore_errors=True)  # what a test that failed has left
    run = make(ground / "refusals")
    text = said(
        run, "--workflow-profile", "profiles/slurm", "--cores", "1", "--retries", "0", *QUICK,
        *map(catalogue, ["refused", "sound", "killed"]), environment=environment(slurm),
    )  # fmt: skip
    assert_last(text, REFUSED.format(more=""))
    assert (
        "killed before it could say why. It died with SIGKILL. Its log there: logs/slurm/" in text
    )
    evidence("\n".join(text.splitlines()[-6:]))
