"""The workflow from a repository on a server: by snakedeploy, and by `github(...)` in a module.

No server is asked: git takes a folder of the test for https://github.com/.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sdssflow.code_digests import code_digest
from tests.workflow.conftest import copy_project, parsed_modules
from tests.workflow.snakemakes import ROOT
from tests.workflow.test_places import CLEAN, RUN, code_of

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Environment in which the project lies at https://github.com/someone/sdssflow, tagged v1."""
    folder = tmp_path_factory.mktemp("server")
    repository = folder / "someone/sdssflow"
    copy_project(repository)
    shutil.rmtree(repository / ".snakemake")
    shutil.copytree(ROOT / "workflow", repository / "workflow")
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "all"],
        ["tag", "v1"],
    ):
        subprocess.run(["git", *arguments], cwd=repository, check=True)
    return {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{folder}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "GITHUB_TOKEN": "",
        "PYTHONPATH": "",
    }


def run(folder, environment, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def configure(folder):
    """Write a small run, and spare it the parsing of the modules."""
    (folder / "config/config.yaml").write_text(yaml.safe_dump(RUN))
    (folder / ".snakemake").mkdir()
    (folder / ".snakemake/sdssflow_modules.json").write_text(parsed_modules())


def test_what_snakedeploy_writes_runs(server, tmp_path):
    pytest.importorskip("snakedeploy")  # which is for Python 3.11 and 3.12
    repository = "https://github.com/someone/sdssflow"
    run(
        tmp_path, server, "snakedeploy.client", "deploy-workflow", repository, "here", "--tag", "v1"
    )
    folder = tmp_path / "here"
    text = (folder / "workflow/Snakefile").read_text()
    assert 'github("someone/sdssflow", path="workflow/Snakefile", tag="v1")' in text
    configure(folder)
    run(folder, server, "snakemake", "--cores", "1", CLEAN)
    assert code_of(folder) == code_digest(ROOT / "scripts/clean_catalogue.py")


def test_a_repository_on_this_disk_is_checked_out_too(server, tmp_path):
    (tmp_path / "config").mkdir()
    configure(tmp_path)
    repository = Path(server["XDG_CACHE_HOME"]).parent / "someone/sdssflow"
    source = f"git+file://{repository}/workflow/Snakefile@v1"
    (tmp_path / "Snakefile").write_text(
        'configfile: "config/config.yaml"\n'
        f'module sdssflow:\n    snakefile: "{source}"\n    config: config\n'
        "use rule * from sdssflow\n"
    )
    planned = run(tmp_path, server, "snakemake", "--dry-run")
    assert "write_crate" in planned and "train_classifier" in planned  # as of `all`
