"""A download through Snakemake that is killed again and again, against one that is left alone.

`pytest tests/workflow/test_downloads.py -rP` prints the transcript.
"""

from __future__ import annotations

import threading
from collections import Counter

import psutil
import pytest
import yaml

from sdssflow.files import file_digest
from sdssflow.tables import read_csv
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.workflow.conftest import Run, copy_project

pytestmark = pytest.mark.workflow
CHUNKS = 4
RESULTS = [f"results/far/catalogue/{name}" for name in
           ("catalogue.parquet", "defects.csv", "completeness.csv")]  # fmt: skip


def project(folder, url):
    """A copy of the project with one sample, on the server at `url`."""
    copy_project(folder)
    sample = {
        "title": "Far away",
        "source": {"kind": "skyserver", "server": url, "chunks": CHUNKS},
        "tasks": ["classify"],
        "splits": {"random": {"kind": "holdout"}},
    }
    (folder / "config/samples/far.yaml").write_text(yaml.safe_dump(sample))
    run = yaml.safe_load((folder / "config/config.yaml").read_text())
    run |= {"samples": ["far"], "downloads": {"pause_s": 0.0, "wait_s": 0.1}}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(run))
    return Run(folder)


class Doorkeeper:
    """Middleware that keeps queries for rows waiting, so that a kill meets some under way."""

    def __init__(self):
        self.changed = threading.Condition()
        self.come, self.let_in = 0, float("inf")

    def __call__(self, request, application):
        if "ORDER BY s.specObjID" in request.sql:
            with self.changed:
                self.come += 1
                self.changed.notify_all()
                mine = self.come
                self.changed.wait_for(lambda: mine <= self.let_in)
        return application(request)

    def let(self, more):
        """Let so many queries more in."""
        with self.changed:
            self.let_in = self.come + more
            self.changed.notify_all()

    def wait_for(self, kept_out):
        """Wait until so many queries stand at the door."""
        with self.changed:
            came = self.changed.wait_for(lambda: self.come >= self.let_in + kept_out, timeout=600)
            assert came


@pytest.fixture(scope="module")
def door():
    return Doorkeeper()


@pytest.fixture(scope="module")
def server(tmp_path_factory, door):
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=4000, seed=5)
    with SkyServer(folder, middleware=door) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    run = project(tmp_path_factory.mktemp("undisturbed"), server.url)
    run.snakemake("--cores", "2", *RESULTS)
    return run


def data_queries(server):
    """Count the queries for rows that the server was asked, by their text."""
    return Counter(x.sql for x in server.log if "ORDER BY s.specObjID" in x.sql)


def answered(run):
    """Number of verified answers in the store."""
    return len(list(run.folder.glob("data/downloads/*/*/*.csv.zst")))


def kill_after(run, door, answers, only_a_job):
    """Kill -9 after so many answers, while two queries wait for theirs: everything, or one job."""
    door.let(answers)
    process = run.start("--cores", "2", *RESULTS)
    door.wait_for(2)
    if only_a_job:
        jobs = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "download_chunk" in " ".join(child.cmdline())
        ]
        jobs[-1].kill()
        door.let(float("inf"))
        process.wait(timeout=600)
    else:
        run.kill(process)


def test_kill_and_resume(server, door, undisturbed, tmp_path):
    expected = {name: file_digest(undisturbed.folder / name) for name in RESULTS}
    assert sum(data_queries(server).values()) == CHUNKS
    run = project(tmp_path, server.url)
    server.log.clear()
    kills = [(0, False), (1, False), (0, True)]  # the others go on after the last
    for answers, only_a_job in kills:
        kill_after(run, door, answers, only_a_job)
        what = "a job" if only_a_job else "Snakemake and its jobs"
        asked = sum(data_queries(server).values())
        print(f"kill -9 {what}: {asked} queries for rows so far, {answered(run)} answers kept")
    run.snakemake("--cores", "2", *RESULTS)
    queries = data_queries(server)
    print(f"to the end: {sum(queries.values())} queries for rows in {len(queries)} chunks")
    found = {name: file_digest(run.folder / name) for name in RESULTS}
    for name in RESULTS:
        print(f"{name} undisturbed {expected[name][:12]} killed and resumed {found[name][:12]}")
    assert found == expected
    # a query is asked again only if a kill met it under way: two at a time
    assert len(queries) == CHUNKS
    assert sum(queries.values()) <= CHUNKS + 2 * len(kills)
    assert not list(run.folder.rglob("results/**/.*parquet"))


@pytest.mark.parametrize("name", ["skyserver", "published"])
def test_the_plan_of_the_shipped_samples_asks_no_server(tmp_path, name):
    run = Run(tmp_path)
    copy_project(tmp_path)
    done = run.snakemake("plan", "--configfile", f"config/{name}.yaml", "--cores", "1")
    samples = yaml.safe_load((tmp_path / f"config/{name}.yaml").read_text())["samples"]
    table = read_csv(tmp_path / "results/download_estimate.csv").set_index("sample")
    assert sorted(table.index) == sorted(samples)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert set(samples) <= set(lines)
    assert "5801200" in lines.get("dr17_spectra", "5801200")
    assert not (tmp_path / "data/downloads").exists()
