"""The workflow runs wherever it lies: from a checkout in other folders, installed, as a module."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


def code_of(folder):
    path = folder / "results/provenance/clean_catalogue/mclass.json"
    return json.loads(path.read_text())["code"]["modules"]


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
    warning = "explorer_rows is called figure_rows now"
    assert run(tmp_path, "--dry-run", CLEAN)["stderr"].count(warning) == 1
    # as in a job of a cluster, which parses the workflow again
    assert warning not in run(tmp_path, "--dry-run", "--mode", "remote", CLEAN)["stderr"]


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


def test_a_module_with_a_prefix_is_refused_in_a_line(tmp_path):
    parent(tmp_path, 'prefix: "sdss"')
    answer = server().run(tmp_path, ["--cores", "1", "-n"])
    assert answer["status"] == 2
    assert "takes no prefix" in answer["stderr"].strip().splitlines()[-1]
