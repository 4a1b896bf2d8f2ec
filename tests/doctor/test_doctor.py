"""The doctor as it is started."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdssflow.doctor import __main__ as doctor
from sdssflow.doctor import examination
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "scripts/sdssflow/doctor"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}


def start(*arguments, folder=ROOT, options=(), before=None):
    """Start it; `before` is a folder of modules that stand before those that are installed."""
    path = f"{before}{os.pathsep}{ROOT / 'scripts'}" if before else str(ROOT / "scripts")
    return subprocess.run(
        [sys.executable, *options, "-m", "sdssflow.doctor", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**ENVIRONMENT, "PYTHONPATH": path},
    )  # fmt: skip


@pytest.fixture
def light(tmp_path_factory):
    """A torch that takes no second to import, for what has nothing to do with it."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "torch.py").write_text(
        "__version__ = '2'\nclass cuda:\n    device_count = staticmethod(int)\n"
        "class version:\n    cuda = None\n"
    )
    return folder


def rows(done):
    return {row["check"]: row for row in json.loads(done.stdout)["findings"]}


def test_in_a_folder_where_a_run_can_start(tmp_path):
    (tmp_path / "config").symlink_to(ROOT / "config")
    found = rows(start("--json", "--directory", str(tmp_path)))
    checks = ["snakemake", "profile", "rules of the profile", "site", "slurm", "gpu",
              "configuration", "locks", "incomplete outputs", "writing", "file locks",
              "file system", "disk", "temporary disk", "network", "loopback"]  # fmt: skip
    assert list(found) == ["python", "packages", *checks]
    for check in set(checks) - {"disk", "temporary disk", "gpu"}:  # these depend on the machine
        assert found[check]["state"] in (OK, "not needed"), found[check]
    assert list(tmp_path.iterdir()) == [tmp_path / "config"]


def test_every_fault_is_seen_at_once_and_ends_with_status_1(tmp_path, light):
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").write_text("a\n")
    (tmp_path / "results").write_text("")
    (tmp_path / "profile.yaml").write_text("jobz: 1\nset-resources: {train: {gpu: 0}}\n")
    (tmp_path / "mine.yaml").write_text("samples: [none]\n")
    done = start(
        "--profile", "profile.yaml", "--configfile", "mine.yaml", "--json", folder=tmp_path,
        before=light,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    for word in ("jobz (line 1)", "set-resources.train", "locked by", "Not a directory", "none"):
        assert word in done.stdout, word


def test_a_missing_profile_is_a_fault(light):
    done = start("--profile", "profiles/none", "--json", before=light)
    assert done.returncode == 1
    assert rows(done)["profile"]["state"] == FAULT and "slurm" in rows(done)["profile"]["found"]


def test_without_any_package_it_still_says_so():
    done = start("--json", options=["-S"])
    assert done.returncode == 1
    assert rows(done)["packages"]["state"] == FAULT
    assert "No module named" in rows(done)["doctor"]["found"]


@pytest.mark.parametrize("name", ["__main__", "findings"])
def test_an_old_python_gets_as_far_as_its_fault(name):
    ast.parse((SOURCE / f"{name}.py").read_text(), feature_version=(3, 8))


def test_nothing_heavy_is_imported():
    program = (
        "import sys; import sdssflow.doctor.examination, sdssflow.doctor.__main__; "
        "print(sorted({'torch', 'pandas', 'numpy', 'pyarrow', 'snakemake'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_only_faults_set_the_status(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    for check in ("check_python", "check_packages"):
        monkeypatch.setattr(doctor, check, lambda *_: Finding("python", OK, "fine"))
    for state, status in ((OK, 0), (WARNING, 0), (FAULT, 1)):
        found = [Finding("disk", state, "something")]
        monkeypatch.setattr(examination, "examine", lambda *_, found=found: found)
        assert doctor.main([]) == status
        assert "something" in capsys.readouterr().out


def test_a_check_that_breaks_is_a_row():
    def broken():
        raise RuntimeError("unforeseen")

    (found,) = examination._guarded(broken)
    assert found.state == WARNING and "RuntimeError: unforeseen" in found.found
