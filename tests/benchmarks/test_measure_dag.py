import json
import os
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from tests.benchmarks.loading import load
from tests.workflow.conftest import Run

dag, overhead = load("measure_dag"), load("measure_overhead").overhead

MADE_BEFORE_THE_EDITED = {"import_catalogue", "clean_catalogue", "split_sample", "train_network"}


@pytest.mark.workflow
def test_a_project_has_the_jobs_asked_for_and_a_finished_one_reruns_what_was_edited(
    tmp_path, monkeypatch
):
    def quick(arguments, folder):
        done = Run(folder).snakemake(*arguments[2:])
        return None, done.stdout + done.stderr

    with monkeypatch.context() as patched:
        patched.setattr(dag, "cost", quick)
        jobs = dag.make_project(tmp_path, 100)
    assert abs(jobs - 100) <= 20
    seeds = len(yaml.safe_load((tmp_path / "config/config.yaml").read_text())["seeds"])
    fresh = dag.planned(dag.cost(dag.DRY_RUN, tmp_path)[1])
    assert sum(fresh.values()) == jobs
    assert {"train_network", "predict_pdfs", "train_classifier", "build_report"} <= set(fresh)

    records = dag.finish(tmp_path)
    made = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert records == len(made)  # a folder that is an output holds a time stamp and nothing else
    run = Run(tmp_path)
    done = run.snakemake("--dry-run")
    assert "Nothing to be done" in done.stdout
    assert "missing provenance" not in done.stdout + done.stderr

    path = tmp_path / "config/config.yaml"
    before = path.read_text()
    assert "kind: polynomial" in before
    path.write_text(before.replace("kind: polynomial", "kind: polynomial\n    degree: 3"))
    planned = run.planned()
    assert (planned["train_regressor"], planned["build_report"]) == (seeds, 1)
    assert not MADE_BEFORE_THE_EDITED & set(planned)


@pytest.mark.parametrize("jobs", [100, 1000, 5000, 20_000])
def test_samples_and_seeds_make_about_the_jobs_asked_for(jobs):
    samples, seeds = dag.shape(jobs, 3, 49, 22)
    assert 3 + samples * (49 + 22 * seeds) == pytest.approx(jobs, rel=0.1)
    assert abs(samples - 2 * seeds) <= 3


def test_what_is_no_dry_run_is_refused():
    assert dag.planned("Job stats:\njob  count\n---  ---\nall     1\nplot 12\ntotal 13\n") == {
        "all": 1, "plot": 12,
    }  # fmt: skip
    with pytest.raises(ValueError, match="not a dry run"):
        dag.planned("WorkflowError: no file")


def test_a_process_that_fails_is_named_with_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        dag.cost(["-c", "raise SystemExit('no such thing')"], tmp_path)


def test_a_process_costs_its_own_seconds_and_memory(tmp_path):
    code = "import time; b = bytearray(200_000_000); time.sleep(0.1); print('done')"
    found, text = dag.cost(["-c", code], tmp_path, rounds=2)
    assert text == "done\n"
    assert found.wall >= 0.1
    assert found.cpu < found.wall
    assert found.memory > 190  # at least: till it starts Python it is a copy of this process


def test_seconds_of_import_are_summed_by_package():
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       200 |        200 |     numpy.core\n"
        "import time:      1000 |       1200 |   numpy\n"
        "import time:      5000 |       6200 | snakemake.cli\n"
        "another line\n"
    )
    assert dag.import_seconds(text) == pytest.approx({"snakemake": 0.005, "numpy": 0.0012})


def write_log(folder, name, date, *lines):
    path = folder / ".snakemake/log" / f"{name}.snakemake.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"  Date: {date}", *lines, ""]))


def write_benchmark(folder, rule, name, seconds, threads=1):
    path = folder / "benchmarks/runs" / rule / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rule_name": rule, "s": seconds, "threads": threads}) + "\n")
    return path


@pytest.fixture
def finished(tmp_path):
    """A run of four jobs in 100 s on two cores; before and after it others that don't count."""
    done = [f"Finished jobid: {number} (Rule: a)" for number in range(4)]
    write_log(tmp_path, "1", "2026-01-01 09:00:00", "Provided cores: 1", *done[:1],
              "Elapsed time: 0:00:09.5")  # fmt: skip
    write_log(tmp_path, "2", "2026-01-01 10:00:00", "Provided cores: 2", *done,
              "Elapsed time: 0:01:40.000000")  # fmt: skip
    write_log(tmp_path, "3", "2026-01-01 11:00:00", "Building DAG of jobs...", *done, *done)
    write_benchmark(tmp_path, "train", "one", 60.0)
    write_benchmark(tmp_path, "train", "two", 20.0, threads=8)
    write_benchmark(tmp_path, "plot", "deep/one", 30.0)
    old = write_benchmark(tmp_path, "plot", "two", 500.0)
    before = datetime(2026, 1, 1, 9, 59, 59).timestamp()
    os.utime(old, (before, before))
    return tmp_path


def test_overhead_is_wall_time_without_what_the_jobs_need_on_all_cores(finished):
    run = overhead(finished)
    assert (run.wall, run.cores) == (100.0, 2)
    assert run.jobs == {"train": [60.0, 40.0], "plot": [30.0]}  # 8 threads on 2 cores are 2
    assert run.computed == 130.0
    assert run.seconds == 100.0 - 130.0 / 2


def test_days_count(finished):
    log = finished / ".snakemake/log/2.snakemake.log"
    log.write_text(log.read_text().replace("0:01:40.000000", "1 day, 0:00:01.5"))
    assert overhead(finished).wall == 86_401.5


def test_a_folder_without_a_finished_run_is_refused(finished, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="no log of a finished run"):
        overhead(tmp_path_factory.mktemp("empty"))
    for path in Path(finished, "benchmarks").rglob("*.jsonl"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="no file of the run of 2026-01-01 10:00:00"):
        overhead(finished)
