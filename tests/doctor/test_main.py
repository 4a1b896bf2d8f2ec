import pytest

from sdssflow.doctor.__main__ import check_packages, check_python
from sdssflow.doctor.findings import FAULT, OK, WARNING

PROJECT = """\
[project]
requires-python = ">=3.11"
dependencies = [
    "snakemake",
    "scikit-learn",
]

[project.optional-dependencies]
dev = ["ruff"]
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements.lock").write_text(
        "# pinned\nruff==0.9.1\nscikit_learn==1.8.0\nsnakemake==9.27.1\ntorch==2.13.0\n"
    )
    return tmp_path


GOOD = {"ruff": "0.9.1", "scikit-learn": "1.8.0", "snakemake": "9.27.1", "torch": "2.13.0+cu128"}


def test_python_is_that_of_the_projects_environment_or_there_is_none(root):
    assert check_python(root, (3, 11, 0), root / "envs/sdssflow").state == OK
    (root / ".venv").mkdir()
    assert check_python(root, (3, 12, 1), root / ".venv").state == OK
    found = check_python(root, (3, 11, 0), root / "elsewhere")
    assert found.state == WARNING and "make doctor" in found.advice


def test_old_python_is_a_fault(root):
    found = check_python(root, (3, 10, 14), root / ".venv")
    assert found.state == FAULT and "3.10.14" in found.found and "3.11" in found.advice


def test_packages_as_locked_are_ok_whatever_torch_was_built_for(root):
    assert check_packages(root, GOOD).state == OK
    assert check_packages(root, GOOD | {"torch": "2.13.0+cpu"}).state == OK


def test_other_versions_are_listed(root):
    found = check_packages(root, GOOD | {"torch": "2.12.0+cpu"})
    assert found.state == WARNING and "torch 2.12.0+cpu (lock: 2.13.0)" in found.found


@pytest.mark.parametrize(("name", "state"), [("scikit-learn", FAULT), ("ruff", OK)])
def test_a_missing_package_is_a_fault_if_the_run_needs_it(root, name, state):
    found = check_packages(root, {key: value for key, value in GOOD.items() if key != name})
    assert found.state == state
    assert ("missing: scikit-learn" in found.found) == (state == FAULT)


def test_without_a_lock_nothing_is_compared(tmp_path):
    assert check_packages(tmp_path, GOOD).state == WARNING
