"""Faults on the real SLURM cost time and nothing else: tables as if nothing had happened."""

import pytest

from tests.cluster.conftest import outcome
from tests.cluster.fault_run import output, wildcards

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def run(runs):
    return outcome(runs, "faults")


@pytest.fixture(scope="module")
def restarted(runs):
    return outcome(runs, "restarts")


def of_model(run, model):
    """Jobs that trained a model, in order."""
    jobs = [job for job in run.jobs if job.get("Comment", "").endswith(wildcards(model))]
    return sorted(jobs, key=lambda job: job["StartTime"])


def states(run, model):
    return [job["JobState"] for job in of_model(run, model)]


def training_log(run, model):
    return (run.folder / f"logs/train_network/tiny/published/{model}/1.log").read_text()


def show(evidence, run, model, fault):
    """Print a row of the fault table: jobs, digest of the weights, whether as undisturbed."""
    first, *later = of_model(run, model)
    weights = f"{output(model)}/fold_0.safetensors"
    same = "equal" if run.tables[weights] == run.reference[weights] else "DIFFERS"
    then = ", ".join(f"{job['JobId']} {job['JobState']}" for job in later) or "-"
    evidence(
        f"| {fault} | {first['JobId']} {first['JobState']} | {then} | "
        f"{run.tables[weights][:12]} | {same} |"
    )


def test_all_tables_are_those_of_the_undisturbed_run(run, evidence):
    assert run.facts["status"] == 0, run.said[-4000:]
    assert run.differing == []
    evidence(f"faults: {len(run.tables)} tables byte-equal to the undisturbed run")
    evidence("| fault | first job | then | weights | undisturbed |")
    evidence("|---|---|---|---|---|")


def test_a_job_without_a_fault_runs_once(run, evidence):
    assert states(run, "undisturbed") == ["COMPLETED"]
    show(evidence, run, "undisturbed", "none")


def test_a_cancelled_job_is_run_again(run, evidence):
    assert states(run, "cancelled") == ["CANCELLED", "COMPLETED"]
    show(evidence, run, "cancelled", "cancelled")


def test_a_job_over_its_memory_gets_more(run, evidence):
    assert states(run, "over_memory") == [
        "FAILED",
        "COMPLETED",
    ]  # OUT_OF_MEMORY where cgroups are used
    assert [job["MinMemoryNode"] for job in of_model(run, "over_memory")] == ["250M", "1800M"]
    show(evidence, run, "over_memory", "over memory")


def test_a_job_over_its_time_goes_on_from_its_checkpoint(run, evidence):
    assert states(run, "over_time") == ["TIMEOUT", "COMPLETED"]
    assert "resumed after epoch" in training_log(run, "over_time")
    show(evidence, run, "over_time", "over time")


def test_a_lost_node_leaves_no_two_writers(run, evidence):
    assert states(run, "node_lost") == ["NODE_FAIL", "COMPLETED"]
    assert run.facts["waited"], "the retry wrote while the first job still lived"
    show(evidence, run, "node_lost", "slurmd killed")


def test_a_drained_node_ends_its_job_and_takes_no_other(run, evidence):
    assert states(run, "node_drained") == ["COMPLETED"]
    assert run.facts["probe while drained"] == "PENDING"
    assert run.facts["probe after"] == "COMPLETED"
    show(evidence, run, "node_drained", "node drained")


def test_a_full_disk_is_named_and_the_retry_ends(run, evidence):
    if not run.facts["disk"]:
        pytest.skip("a disk of our own to fill needs root")
    assert states(run, "disk_full") == ["FAILED", "COMPLETED"]
    assert "The disk is full: make room" in run.said
    show(evidence, run, "disk_full", "disk full")


def test_after_kill_9_running_jobs_are_adopted(restarted, evidence):
    assert restarted.facts["adopting"] == 0
    assert states(restarted, "cancelled") == ["COMPLETED"]
    first = of_model(restarted, "undisturbed")[0]
    assert restarted.facts["adopted"][0] == first["JobId"]
    assert first["JobState"] == "COMPLETED"
    assert "Nothing to be done" in restarted.facts["adopting said"]
    show(evidence, restarted, "cancelled", "kill -9, adopted")


def test_after_kill_9_and_unlock_orphans_are_cancelled_first(restarted, evidence):
    assert restarted.facts["locked"] != 0
    jobs = {job["JobId"]: job for job in restarted.jobs}
    orphan, successor = (jobs[restarted.facts[who]] for who in ("orphan", "successor"))
    assert orphan["JobState"] == "CANCELLED"
    assert successor["SubmitTime"] >= orphan["EndTime"]
    show(evidence, restarted, "undisturbed", "kill -9, cancelled")


def test_after_term_jobs_end_and_nothing_else_begins(restarted):
    jobs = {job["JobId"]: job["JobState"] for job in restarted.jobs}
    assert jobs[restarted.facts["successor"]] == "COMPLETED"
    assert (
        len(of_model(restarted, "undisturbed")) == 3
    )  # adopted, orphan, successor: none after TERM
    assert restarted.facts["status"] == 0
    assert restarted.differing == []
