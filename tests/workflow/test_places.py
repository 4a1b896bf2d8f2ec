"""The workflow runs wherever it lies: from a checkout in other folders, installed, as a module."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sdssflow.provenance.lineage import walk_back
from tests.workflow.conftest import install, remember_modules
from tests.workflow.snakemakes import ROOT, server

pytestmark = pytest.mark.workflow
CLEAN = "results/mclass/clean/catalogue.parquet"
RUN = {
    "samples": ["mclass"],
    "seeds": [1],
    "classifiers": {"dummy": {"kind": "dummy"}},
    "regressors": {"mean": {"kind": "mean"}},
}
PARENT = """
module sdssflow:
    snakefile: "{root}/Snakefile"
    {more}
    config: config["sdssflow"]

use rule * from sdssflow as sdss_*

rule mine:
    default_target: True
    input: "{clean}"
    output: "mine.txt"
    log: "mine.log"
    script: "mine.py"
"""


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def run(folder, *arguments):
    answer = server().run(folder, ["--cores", "1", *arguments])
    assert answer["status"] == 0, answer["stderr"]
    return answer


def record_of(folder, job="clean_catalogue/mclass"):
    return json.loads((folder / f"results/provenance/{job}.json").read_text())


def code_of(folder):
    return record_of(folder)["code"]["modules"]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with nothing in it but a result, made by the checkout's workflow."""
    folder = tmp_path_factory.mktemp("elsewhere")
    remember_modules(folder)
    run(folder, CLEAN)
    return folder


def test_two_folders_share_a_checkout_and_one_has_a_definition_of_its_own(elsewhere, tmp_path):
    definition = yaml.safe_load((ROOT / "config/samples/mclass.yaml").read_text())
    (tmp_path / "config/samples").mkdir(parents=True)
    own = definition | {"cuts": [{"cut": "classes", "keep": ["STAR"]}]}
    (tmp_path / "config/samples/mclass.yaml").write_text(yaml.safe_dump(own))
    remember_modules(tmp_path)
    run(elsewhere, "--directory", str(tmp_path), CLEAN)
    assert (elsewhere / CLEAN).exists()
    assert digest(elsewhere / CLEAN) != digest(tmp_path / CLEAN)
    assert code_of(elsewhere) == code_of(tmp_path)
    answer = server().run(tmp_path, ["--cores", "1", "--config", "samples=[mcless]", "-n"])
    assert "(did you mean 'mclass'?)" in answer["stderr"]


def test_an_old_name_of_a_key_is_warned_of_by_the_run_and_not_by_each_job(tmp_path):
    text = (ROOT / "config/targets/mockphoto.yaml").read_text()
    (tmp_path / "config/targets").mkdir(parents=True)
    (tmp_path / "config/targets/mockphoto.yaml").write_text(f"{text}explorer_rows: 2000\n")
    remember_modules(tmp_path)
    warning = "explorer_rows is now called figure_rows"
    assert run(tmp_path, "--dry-run", CLEAN)["stderr"].count(warning) == 1
    # as in a job of a cluster, which parses the workflow again
    assert warning not in run(tmp_path, "--dry-run", "--mode", "remote", CLEAN)["stderr"]


def test_a_job_of_a_cluster_is_of_the_configuration_that_its_run_began_with(tmp_path):
    remember_modules(tmp_path)
    asked = ["--config", "samples=[mclass]", "bootstrap={replicates: 100, level: 0.9}"]
    run(tmp_path, "results/download_estimate.csv", *asked)
    # as in a job, which parses the workflow again
    job = ["--dry-run", "--mode", "remote", CLEAN]
    assert run(tmp_path, *job, *asked)["jobs"]
    answer = server().run(tmp_path, ["--cores", "1", *job, "--config", "samples=[mclass]"])
    assert answer["status"] == 1
    assert "has changed since this run began" in answer["stderr"]


def test_an_installed_package_has_all_that_it_needs(elsewhere, tmp_path):
    def python(*arguments, folder, path=""):
        environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    site, place = tmp_path / "site", tmp_path / "place"
    install(site)
    place.mkdir()
    remember_modules(place)
    said = python("-m", "sdssflow", "--help", folder=place, path=site).stdout
    assert str(site / "sdssflow/workflow") in said
    python("-m", "sdssflow", "run", CLEAN, "--cores", "1", folder=place, path=site)
    assert digest(place / CLEAN) == digest(elsewhere / CLEAN)
    assert code_of(place) == code_of(elsewhere)
    python("-m", "sdssflow", "run", "--dry-run", folder=place, path=site)


def parent(folder, more=""):
    """Write a workflow that uses ours as a module and has a rule of its own."""
    text = PARENT.format(root=ROOT, more=more, clean=CLEAN)
    (folder / "Snakefile").write_text(f'configfile: "config.yaml"\n{text}')
    script = "open(snakemake.output[0], 'w').write(f'{snakemake.rule} {[*snakemake.params]}')\n"
    (folder / "mine.py").write_text(script)
    (folder / "config.yaml").write_text(yaml.safe_dump({"own": 1, "sdssflow": RUN}))
    remember_modules(folder)


def test_a_module_renames_its_rules_and_leaves_those_of_others_alone(elsewhere, tmp_path):
    parent(tmp_path)
    run(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine []"
    assert digest(tmp_path / CLEAN) == digest(elsewhere / CLEAN)
    assert code_of(tmp_path) == code_of(elsewhere)
    assert run(tmp_path, "--dry-run")["jobs"] == []
    planned = run(tmp_path, "--dry-run", "sdss_all")["jobs"]
    assert {"sdss_train_classifier", "sdss_write_crate"} <= {rule for rule, _ in planned}
    assert "mine" not in {rule for rule, _ in planned}


def test_a_module_that_replaces_prefixes_is_refused_in_a_line(tmp_path):
    parent(tmp_path, 'replace_prefix: {"results": "sdss"}')
    answer = server().run(tmp_path, ["--cores", "1", "-n"])
    assert answer["status"] == 2
    assert "takes no replace_prefix" in answer["stderr"].strip().splitlines()[-1]


PREFIXED = """
module {name}:
    snakefile: "{root}/Snakefile"
    prefix: "{prefix}"
    config: config["{name}"]

use rule * from {name} as {name}_*
"""
MINE = "out/two/results/mine/catalogue/catalogue.parquet"


@pytest.fixture
def prefixed(tmp_path):
    """A workflow that uses ours twice, in two folders; one of them reads a file of its own."""
    modules = [("one", "sky"), ("two", "out/two")]
    text = "".join(PREFIXED.format(name=n, root=ROOT, prefix=p) for n, p in modules)
    text += f'rule asked:\n    default_target: True\n    input: "sky/{CLEAN}", "{MINE}"\n'
    (tmp_path / "Snakefile").write_text(f'configfile: "config.yaml"\n{text}')
    runs = {"one": RUN, "two": {**RUN, "samples": ["mine"]}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(runs))
    columns = {f"model_mag_{band}": band for band in "ugriz"} | {"zspec": "redshift"}
    mine = {
        "title": "Mine",
        "source": {"kind": "file", "path": "data/mine.csv", "columns": columns},
        "cuts": [],
        "features": {"groups": ["colors", "magnitudes"]},
        "splits": {"random": {"kind": "holdout"}},
        "tasks": ["regress"],
    }
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.yaml").write_text(yaml.safe_dump(mine))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.csv").write_text("u,g,r,i,z,redshift\n19.5,18.4,17.9,17.6,17.4,0.1\n")
    remember_modules(tmp_path)
    return tmp_path


def test_modules_with_prefixes_are_runs_in_their_folders(elsewhere, prefixed, monkeypatch):
    run(prefixed)
    assert digest(prefixed / "sky" / CLEAN) == digest(elsewhere / CLEAN)
    ours, plain = record_of(prefixed / "sky"), record_of(elsewhere)
    for key in ("inputs", "outputs", "parameters", "code", "log", "wildcards"):
        assert ours[key] == plain[key], key
    assert ours["rule"] == "one_clean_catalogue"
    monkeypatch.chdir(prefixed / "out/two")
    assert list(walk_back(MINE.removeprefix("out/two/")).sources) == ["../../data/mine.csv"]
    left = {path.name for path in (prefixed / "out/two").iterdir()}
    assert left <= {"results", "logs", "benchmarks", ".snakemake"}
    assert run(prefixed, "--dry-run")["jobs"] == []
    with (prefixed / "data/mine.csv").open("a") as stream:
        stream.write("19.9,18.7,18.2,17.8,17.6,0.2\n")
    assert [rule for rule, _ in run(prefixed, "--dry-run")["jobs"]] == [
        "two_import_catalogue",
        "asked",
    ]
    planned = run(prefixed, "--dry-run", "two_all")["jobs"]
    assert {rule.partition("_")[0] for rule, _ in planned} == {"two"}
    assert all(output.startswith("out/two/") for _, output in planned if output)
