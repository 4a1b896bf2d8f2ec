"""Targets in a run: what is set aside, what runs again, and what a killed run leaves."""

import shutil
import time

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.workflow
ONE = "results/unknown/estimates/a.parquet"
GATHERED = {"gather_estimates", "check_estimates", "plot_estimates", "compare_target"}
REPORTED = {"build_report", "write_crate"}


@pytest.fixture
def run(finished, tmp_path):
    return finished.copy(tmp_path / "run")


def estimated(run):
    """Return the files of estimates that a run would make."""
    return [output for rule, output in run.jobs() if rule == "estimate_partition"]


def test_a_target_gets_its_estimates_bundle_and_page(finished):
    folder = finished.folder
    assert "2 partitions" in (folder / "results/unknown/complete.txt").read_text()
    assert pq.read_table(folder / ONE)["zphot"].null_count == 0
    assert (folder / "results/bundles/mgs_ensemble.zip").is_file()
    page = (folder / "results/report/unknown.html").read_text()
    assert "Galaxies without redshifts" in page


def test_a_new_file_is_estimated_alone_and_a_damaged_one_set_aside(run):
    before = (run.folder / ONE).read_bytes()
    shutil.copy2(run.folder / "data/unknown/a.parquet", run.folder / "data/unknown/c.parquet")
    assert estimated(run) == ["results/unknown/estimates/c.parquet"]
    assert {rule for rule, _ in run.jobs()} == {"estimate_partition", *GATHERED, *REPORTED}
    rows = run.folder / "data/unknown/b.parquet"
    good = rows.read_bytes()
    rows.write_bytes(good[: len(good) // 2])
    done = run.snakemake(check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()
    assert "1 of 3 partitions were set aside" in "\n".join(last[-4:])
    assert "b.parquet" in last[-1]
    assert (run.folder / ONE).read_bytes() == before
    assert pq.read_table(run.folder / "results/unknown/estimates/c.parquet").num_rows > 0
    assert "b.parquet" in (run.folder / "results/report/unknown.html").read_text()
    rows.write_bytes(good)
    assert estimated(run) == ["results/unknown/estimates/b.parquet"]
    run.snakemake()


def test_a_killed_run_goes_on_and_ends_alike(run):
    before = run.results()
    shutil.rmtree(run.folder / "results/unknown")
    for name in "cd":
        shutil.copy2(
            run.folder / "data/unknown/a.parquet", run.folder / f"data/unknown/{name}.parquet"
        )
    running = run.start("--cores", "1", "results/unknown/complete.txt")
    estimates = run.folder / "results/unknown/estimates"
    while not list(estimates.glob("[a-d].parquet")) and running.poll() is None:
        time.sleep(0.05)
    run.kill(running)
    run.snakemake()
    for name in "cd":
        (run.folder / f"data/unknown/{name}.parquet").unlink()
    run.snakemake()
    after = run.results()
    assert {path: after.get(path) for path in before} == before
    left = {path.name for path in estimates.iterdir() if path.suffix == ".parquet"}
    assert left == {"a.parquet", "b.parquet"}
