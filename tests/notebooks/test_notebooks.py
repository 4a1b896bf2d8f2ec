"""What holds of each notebook, and what those on the workflow and LSDB say of their numbers."""

import importlib.util
import re

import nbformat
import pytest

from tests.notebooks.executing import (
    NOTEBOOKS,
    ROOT,
    code_cells,
    copy_project,
    execute,
    figures,
    read,
    silent,
)
from tests.workflow.conftest import PROJECT, install, keep_compiled

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each
def test_is_stored_without_outputs(path):
    notebook = read(path.name)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        stored = cell.outputs or cell.execution_count is not None or cell.metadata
        assert not stored, f"cell {cell.id}: clear all outputs before you commit"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert dict(notebook.metadata.language_info) == {"name": "python"}


@each
def test_cells_have_names_and_are_short(path):
    notebook = read(path.name)
    for cell in notebook.cells:
        assert set(cell.id) <= set("abcdefghijklmnopqrstuvwxyz-"), cell.id
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code_cells(notebook)}
    assert max(lengths.values()) <= 45, lengths


@each
def test_pages_and_notebooks_that_it_names_exist(path):
    words = " ".join(cell.source for cell in read(path.name).cells).split("`")
    for word in words:
        if word.startswith("docs/"):
            assert (ROOT / word).is_file(), word
        if word.endswith(".ipynb"):
            assert (ROOT / "notebooks" / word).is_file(), word


@each
def test_the_first_cell_installs_what_is_missing_and_nothing_else(path, monkeypatch):
    cell = code_cells(read(path.name))[0]
    assert cell.id == "install"
    program = re.sub(r"%pip (.*)", r'asked.append(f"\1")', cell.source)
    asked = []
    exec(program, {"asked": asked})
    assert asked == []
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sdssflow" else found(name)
    )
    exec(program, {"asked": asked})
    packages = " hats lsdb" if path.stem == "lsdb" else ""
    assert asked == [f"install --quiet ..{packages}"]
    assert (path.parent / ".." / "pyproject.toml").is_file()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("repository"), (*PROJECT, "notebooks"))
    keep_compiled(folder / "scripts")
    return folder


@pytest.fixture
def alone(tmp_path):
    """A notebook and nothing else, as Colab opens it once the package is installed."""
    install(tmp_path / "scripts")
    return copy_project(tmp_path, ("notebooks/own_table.ipynb",))


OWN_TABLE = """
import json

by_score = scores.set_index(["model", "metric"])[["value", "lower", "upper"]]
print(json.dumps({
    "nmad": {name: by_score.loc[(name, "sigma_nmad")].tolist() for name in ("linear", "ensemble")},
    "bias": by_score.loc[("ensemble", "bias")].tolist(),
    "found": float(found),
    "inside": float(inside),
    "error": [float(error[kept_aside < 0.05].mean()), float(error[kept_aside > 0.15].mean())],
    "project": str(PROJECT),
    "removed": int(pd.read_csv(folder / "results/mine/clean/flow.csv").removed.sum()),
}))
"""


def test_own_table(alone):
    executed, answers = execute("own_table.ipynb", alone, OWN_TABLE)
    silent(executed)
    assert answers["project"] == str(alone / "scripts/sdssflow/workflow")
    assert [path.name for path in (alone / "notebooks").iterdir()] == ["own_table.ipynb"]
    assert figures(executed) == 2
    assert answers["nmad"]["ensemble"][0] < answers["nmad"]["linear"][0]
    _, low, high = answers["nmad"]["ensemble"]
    assert low - (high - low) / 2 < answers["found"] < high + (high - low) / 2
    assert 0.6 < answers["inside"] < 0.8
    near, far = answers["error"]
    assert far > near
    assert answers["removed"] > 0


DENSITIES = """
import json
import shutil

for result in ("bundles", "mgs/regress"):  # for the notebook that applies the bundle
    shutil.copytree(run / "results" / result, PROJECT / "results" / result)
print(json.dumps({
    "run": str(run) != str(PROJECT),
    "widths": [float(width.min()), float(width.max())],
    "nmad": [scores(objects[f"zphot_{name}"])["sigma_nmad"] for name in ("mean", "mode", "best")],
    "covered": {name: row["covered"] for name, row in intervals.items()},
    "spread": spreads,
    "differences": (bins.difference.abs() / (1 + bins["mean zspec"])).tolist(),
    "odds": odds.to_dict("list"),
    "outside": float(objects.outside_training.mean()),
}))
"""


@pytest.fixture(scope="module")
def densities(workplace):
    return execute("redshift_densities.ipynb", workplace, DENSITIES)


def test_redshift_densities(densities):
    executed, answers = densities
    silent(executed)
    assert figures(executed) == 4
    assert answers["run"]
    narrowest, widest = answers["widths"]
    assert widest > 5 * narrowest
    assert max(answers["nmad"]) < 1.1 * min(answers["nmad"])
    for name, covered in answers["covered"].items():
        assert covered == pytest.approx(float(name.split()[1]) / 100, abs=0.05), name
    spread = answers["spread"]
    assert spread["zphot"] < spread["sum of p(z)"]
    assert abs(spread["sum of p(z)"] / spread["zspec"] - 1) < 0.03
    assert max(answers["differences"]) < 0.003
    odds = answers["odds"]
    assert odds["sigma_nmad"][3] < odds["sigma_nmad"][0]
    assert odds["outliers beyond 0.05"][3] < odds["outliers beyond 0.05"][0] / 3
    assert odds["median r (mag)"] == sorted(odds["median r (mag)"], reverse=True)
    assert odds["mean zspec"][-1] < odds["mean zspec"][0]
    assert answers["outside"] < 0.02


LSDB = """
import json

print(json.dumps({
    "trained": run != PROJECT,
    "rows": [len(survey), len(cell_by_cell), len(near)],
    "difference": float(difference),
    "matches": [len(matched), len(spectra.compute(progress_bar=False))],
    "cells": [estimates.npartitions, cone.npartitions],
}))
"""


def test_lsdb(workplace, densities):
    pytest.importorskip("lsdb", reason="make .venv/.hats")
    executed, answers = execute("lsdb.ipynb", workplace, LSDB)
    assert figures(executed) == 1
    assert not answers["trained"]  # the other notebook's bundle was there
    surveyed, estimated, near = answers["rows"]
    assert surveyed == estimated == 5000
    assert answers["difference"] < 1e-5
    assert 0 < near < surveyed
    found, observed = answers["matches"]
    assert found == observed
    whole, touched = answers["cells"]
    assert touched < whole
