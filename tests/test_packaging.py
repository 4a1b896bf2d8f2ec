"""Lock, environment.yml and pyproject.toml name the same packages at the same versions."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import sdssflow

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    "pytorch": "torch",
    "python-duckdb": "duckdb",
    "matplotlib-base": "matplotlib",
    "snakemake-minimal": "snakemake",
}
MODULE_NAMES = {"scikit-learn": "sklearn", "pillow": "PIL", "umap-learn": "umap", "pyyaml": "yaml",
                "roc-validator": "rocrate_validator"}  # fmt: skip


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {plain(name): version for name, version in pins}


def direct(*extras):
    """Names of the packages that a run needs, and those of extras; by default of all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = extras or project["optional-dependencies"]
    of_extras = (name for extra in asked for name in project["optional-dependencies"][extra])
    named = [*project["dependencies"], *of_extras]
    return [name.split(";")[0] for name in named if "[" not in name]


def environment():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    pins = dict(line.split("=") for line in content["dependencies"])
    pins.pop("python")
    return {CONDA_NAMES.get(name, name): version for name, version in pins.items()}


def test_every_line_of_the_lock_is_an_exact_pin():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.!]+", line), (
            line
        )


def test_the_lock_has_every_direct_dependency():
    assert {plain(name) for name in direct()} <= set(locked())


def test_continuous_integration_runs_on_the_pythons_that_the_package_takes():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    pythons = workflow["jobs"]["all"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={pythons[0]}"
    stated = "Programming Language :: Python :: "
    assert project["classifiers"] == [stated + version for version in pythons]


def test_the_version_to_cite_is_that_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert citation == sdssflow.__version__


def test_environment_yml_is_in_step_with_the_lock():
    lock, conda = locked(), environment()
    run = direct("cluster", "hats")  # what jobs import; what tests need comes by pip
    assert set(conda) == set(run), "environment.yml and pyproject.toml list other packages"
    assert {name: lock[plain(name)] for name in conda} == conda


def imported(path):
    """Names of the packages that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("folder", ["scripts", "tests", "benchmarks", "data"])
def test_every_imported_package_is_a_direct_dependency(folder):
    known = {MODULE_NAMES.get(name, name.replace("-", "_")) for name in direct()}
    known |= {"pydantic_core"}  # half of pydantic, of the version that it pins itself
    known |= {"sdssflow", "skyserver_standin", "tests", *sys.stdlib_module_names}
    known |= {path.stem for path in (ROOT / "scripts").glob("*.py")}
    known |= {path.stem for name in ("benchmarks", "tests") for path in (ROOT / name).rglob("*.py")}
    for path in (ROOT / "benchmarks/peers").glob("requirements*.txt"):  # of other environments
        known |= set(re.findall(r"^[a-z0-9_]+", path.read_text(), re.MULTILINE))
    for path in (ROOT / folder).rglob("*.py"):
        assert set(imported(path)) <= known, path


def test_scripts_start_as_snakemake_can_run_them():
    # Snakemake puts its preamble before the script: a __future__ import there is a SyntaxError
    for path in (ROOT / "scripts").glob("*.py"):
        text = path.read_text()
        assert "from __future__" not in text, path
        assert text.endswith('if "snakemake" in globals():\n    run(main, snakemake)\n'), path


def test_one_rule_one_script_one_name():
    rules = re.findall(
        r"^rule (\w+):", "\n".join(p.read_text() for p in (ROOT / "rules").glob("*.smk")), re.M
    )
    assert sorted(rules) == sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))


def test_nothing_unpickles():
    for path in (ROOT / "scripts").rglob("*.py"):
        text = path.read_text()
        for word in ("pickle.load", "joblib.load", "torch.load(", "allow_pickle=True"):
            assert word not in text, f"{path}: {word}"
