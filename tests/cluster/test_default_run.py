"""The default samples on SLURM: the same bytes as here, few jobs, one GPU for one job at a time."""

import itertools
import json
import re
from collections import Counter
from datetime import datetime

import pytest

from tests.cluster.cluster_runs import local
from tests.cluster.conftest import outcome

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def run(runs):
    return outcome(runs, "default")


def overlaps(intervals):
    """Pairs of intervals that have a moment in common."""
    ordered = sorted(intervals)
    return [(a, b) for a, b in itertools.pairwise(ordered) if b[0] < a[1]]


def gpu_jobs(run):
    return [job for job in run.jobs if "gpu" in job.get("TresPerJob", "")]


def records(run):
    """Paths of the records of its jobs, below the folder of all records."""
    folder = run.folder / "results/provenance"
    return [path.relative_to(folder) for path in folder.glob("[!.]*/**/*.json")]


def test_every_table_is_byte_equal_to_the_local_run(run, evidence):
    assert run.facts["status"] == 0, run.said[-4000:]
    assert run.differing == []
    assert len(run.tables) > 100
    evidence(
        f"default run: {len(run.tables)} tables byte-equal to the local run, "
        f"{run.facts['seconds']:.0f} s"
    )


def test_downloads_stay_on_the_submit_host(run):
    submitted = " ".join(job.get("Comment", "") for job in run.jobs)
    assert "train_network" in submitted
    for rule in ("plan_chunks", "download_chunk", "estimate_download"):
        assert f"rule_{rule}" not in submitted


def test_few_jobs_are_submitted(run, evidence):
    submissions = {job["JobId"] for job in run.jobs}
    made = len(records(run))
    evidence(f"default run: {made} jobs of the workflow in {len(submissions)} submissions")
    assert len(submissions) <= made / 3


def test_slurm_never_gave_the_one_gpu_to_two_jobs(run, evidence):
    jobs = gpu_jobs(run)
    assert len(jobs) > 4
    intervals = [(job["StartTime"], job["EndTime"]) for job in jobs]
    assert overlaps(intervals) == []
    evidence("jobs with the GPU, as SLURM recorded them (scontrol show job):")
    for job in sorted(jobs, key=lambda job: job["StartTime"]):
        evidence("  {JobId:>4} {TresPerJob} {StartTime} {EndTime} {NodeList} {JobState}".format(
            **job) + f" {job.get('Comment', '')}")  # fmt: skip


def test_the_jobs_own_clocks_say_the_same(run, evidence):
    paths = [path for rule in ("train_network", "search_settings")
             for path in (run.folder / "results/provenance" / rule).rglob("*.json")]  # fmt: skip
    records = [json.loads(path.read_text()) for path in paths]
    assert len(records) == len(gpu_jobs(run))
    clocks = [
        tuple(datetime.fromisoformat(record[end]) for end in ("started", "ended"))
        for record in records
    ]
    assert overlaps(clocks) == []
    assert {record["batch_system"]["SLURM_JOB_ID"] for record in records} == {
        job["JobId"] for job in gpu_jobs(run)
    }
    assert {record["resources"]["gpu"] for record in records} == {1}  # as submitted, inside too
    assert {record["device"] for record in records} == {"cpu"}  # the GPU is a fake
    evidence(f"own clocks of {len(records)} such jobs: no two at once")


def test_the_report_of_snakemake_has_the_run_times_of_all_jobs(run):
    local(run.folder, "--report", "snakemake_report.html")
    shown = (run.folder / "snakemake_report.html").read_text()
    # a specification in Vega-Lite, filled in with one row for each job
    values = re.search(r'"Runtimes of jobs\.", "data": {"values": (\[.*?\])', shown)[1]
    told, recorded = Counter(), Counter()
    for each in json.loads(values):
        assert each["runtime"] > 0, each
        told[each["rule"]] += each["runtime"]
    for path in records(run):
        record = json.loads((run.folder / "results/provenance" / path).read_text())
        recorded[record["rule"]] += record["seconds"]
    assert told.keys() == recorded.keys()
    # Snakemake's ends are the time stamps of outputs, which come a little before those of a record
    assert {
        rule: told[rule] > 0.8 * seconds for rule, seconds in recorded.items()
    } == dict.fromkeys(recorded, True)
