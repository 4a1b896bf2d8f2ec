"""Records and crate of a whole run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import PurePath

import pytest

from sdssflow.files import file_digest
from sdssflow.provenance.lineage import read_content
from tests.provenance.validation import issues
from tests.workflow.conftest import Run, keep_compiled

pytestmark = pytest.mark.workflow
SCORES = "results/tiny/regress/published/scores.csv"


def records(run):
    """Return the records of all jobs by their paths, relative to the run."""
    paths = (run.folder / "results/provenance").rglob("*.json")
    return {str(path.relative_to(run.folder)): json.loads(path.read_text()) for path in paths}


def show(run, result):
    return subprocess.run(
        [sys.executable, "-m", "sdssflow.provenance.show", result],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(run.folder / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def crate(finished):
    return json.loads((finished.folder / "results/ro-crate-metadata.json").read_text())


def test_every_job_with_a_log_has_a_record(finished):
    logs = {
        str(path.relative_to(finished.folder / "logs").with_suffix(""))
        for path in (finished.folder / "logs").rglob("*.log")
    }
    found = {path.removeprefix("results/provenance/")[:-5] for path in records(finished)}
    assert found == logs


def test_every_job_read_what_the_job_before_had_written(finished):
    written = {
        path: (record["rule"], content)
        for record in records(finished).values()
        for path, content in record["outputs"].items()
    }
    edges = 0
    for record in records(finished).values():
        for path, content in record["inputs"].items():
            if path in written:
                assert content == written[path][1], (record["rule"], path)
                edges += 1
            else:
                assert not path.startswith("results/"), path
    assert edges > 150


def test_records_have_the_digests_of_the_files(finished):
    for record in records(finished).values():
        for path, content in (record["inputs"] | record["outputs"]).items():
            if path != "results/ro-crate-metadata.json":  # its own record is written after it
                assert read_content(finished.folder / path)._asdict() == content, path


def test_no_job_named_the_machine_or_loaded_torch_for_its_record(finished):
    for record in records(finished).values():
        assert record["device"] == "cpu"
        assert record["resources"]["mem_mb"] > 0
        assert record["code"]["script_sha256"] and record["code"]["modules"]


def test_recording_costs_little(finished):
    lines = [
        line
        for path in (finished.folder / "logs").rglob("*.log")
        for line in path.read_text().splitlines()
    ]
    recording = sum(float(x.split("recorded in ")[1].split()[0]) for x in lines if "recorded" in x)
    jobs = sum(float(x.split("done in ")[1].split()[0]) for x in lines if "done in" in x)
    print(f"recording: {recording:.2f} s of {jobs:.1f} s in jobs")
    # both by the same clock: a busy machine slows both. Of seconds-long jobs it is 1 or 2 %
    assert recording < 0.3 * jobs


def test_show_leads_from_a_score_to_the_source_table(finished):
    done = show(finished, SCORES)
    assert (done.returncode, done.stderr) == (0, "")
    assert file_digest(finished.folder / "data/tiny.parquet")[:16] in done.stdout
    assert file_digest(finished.folder / SCORES)[:16] in done.stdout
    for rule in ("import_catalogue", "split_sample", "train_network", "score_redshifts"):
        assert f"\n{rule} (" in done.stdout


def test_one_byte_of_a_table_is_noticed(finished, tmp_path):
    run = finished.copy(tmp_path / "changed")
    path = run.folder / SCORES
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    done = show(run, SCORES)
    assert done.returncode == 1
    assert f"{SCORES}: CHANGED: now {file_digest(path)[:16]}" in done.stderr
    path.touch()  # newer than what was made of it
    (run.folder / "results/ro-crate-metadata.json").unlink()
    done = run.snakemake("--rerun-triggers", "params", check=False)
    assert done.returncode != 0
    assert f"{SCORES}: it has changed since score_redshifts wrote it" in done.stderr


def test_the_crate_conforms_to_its_profiles(finished, tmp_path):
    assert issues(finished.folder / "results", tmp_path / "cache") == []


def test_the_crate_holds_every_job_behind_the_report(finished, crate):
    found = {entity["@id"]: entity for entity in crate["@graph"]}
    jobs = {name for name in found if name.startswith("#job/")}
    expected = {
        f"#job/{path.removeprefix('results/provenance/').removesuffix('.json')}"
        for path, record in records(finished).items()
        if record["rule"] != "write_crate"
    }
    assert jobs == expected
    assert found["#run"]["instrument"] == {"@id": "workflow/Snakefile"}
    results = {item["@id"] for item in found["#run"]["result"]}
    assert {"report.html", SCORES.removeprefix("results/")} <= results


def test_files_of_the_crate_have_the_digests_it_says(finished, crate):
    checked = 0
    for entity in crate["@graph"]:
        if "sha256" in entity and not entity["@id"].startswith("ni:"):
            found = read_content(finished.folder / "results" / entity["@id"])
            assert found.sha256 == entity["sha256"], entity["@id"]
            checked += 1
    assert checked > 200


def test_the_copy_in_the_crate_gives_the_same_bytes_from_nothing(finished, tmp_path):
    """All tables and models; figures and pages are made of them."""
    data = {".csv", ".parquet", ".hdf5", ".json", ".skops", ".safetensors"}
    before = {
        path: content
        for path, content in finished.results().items()
        if PurePath(path).suffix in data
        # test_downloads makes a downloaded catalogue twice
        and not path.startswith(("results/workflow/", "results/mock/"))
    }
    assert {PurePath(path).suffix for path in before} == data
    copy = Run(tmp_path / "copy")
    shutil.copytree(finished.folder / "results/workflow", copy.folder)
    keep_compiled(copy.folder / "scripts", finished.folder / "scripts")
    shutil.copy2(finished.folder / "data/tiny.parquet", copy.folder / "data/tiny.parquet")
    shutil.copytree(finished.folder / "data/unknown", copy.folder / "data/unknown")
    assert sum(copy.planned().values()) == len(records(finished))
    folders = ("/1/", "/bundles/")
    copy.snakemake(*(path for path in before if not any(map(path.__contains__, folders))))
    after = copy.results()
    assert [path for path in before if before[path] != after.get(path)] == []


def test_left_overs_of_another_configuration_are_not_in_the_crate(finished, tmp_path):
    run = finished.copy(tmp_path / "fewer")
    path = run.folder / "config/config.yaml"
    path.write_text(path.read_text().replace("- mock\n", ""))
    run.snakemake()
    text = (run.folder / "results/ro-crate-metadata.json").read_text()
    assert "tiny/clean/flow.csv" in text
    assert "mock/clean/flow.csv" not in text
    assert (run.folder / "results/mock/clean/flow.csv").is_file()
