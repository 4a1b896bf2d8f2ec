"""The lecture runs as it stands, offline, and what its prose says holds in its numbers."""

import ast
import itertools
import re
import sys
from pathlib import Path

import pytest

from tests.notebooks.executing import (
    ROOT,
    code_cells,
    copy_project,
    execute,
    figures,
    read,
    silent,
)

NEEDED = ("scripts", "data/embedded", "config", "notebooks")
# appended as a last cell: what the tests ask of the final namespace
QUESTIONS = """
import json
import sys

def numbers(frame):
    return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in frame.items()}

print(json.dumps({
    "python": sys.executable,
    "linear_difference": float(linear_difference),
    "descent_difference": float(descent_difference),
    "steps": [len(losses), len(library_descent.history)],
    "first_losses": losses[:200],
    "scores": numbers(by_hand.T),
    "library_scores": numbers(
        long_table.pivot(index="model", columns="metric", values="value").T),
    "gain": numbers(gain.set_index("metric")[["value", "lower", "upper"]].T),
    "ari": {name: float(table[table.chosen & (table.algorithm == "kmeans")].ari.iloc[0])
            for name, (_, table, _) in results.items()},
    "macro_f1": numbers(class_table[class_table.metric == "macro_f1"][["value", "lower"]].T),
    "mape_with_zero": list(mape_with_zero.values()),
    "epochs": [best_epoch + 1, len(history)],
    "validation_losses": [loss for _, loss in history],
    "mse_on_halves": [float(np.mean((z - part.zspec) ** 2)) for part, z in held_back.values()],
    "scratch": str(folder),
}))
"""


@pytest.fixture(scope="module")
def notebook():
    return read("lecture.ipynb")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A copy of what the lecture needs, so that it can use nothing else."""
    return copy_project(tmp_path_factory.mktemp("repository"), (*NEEDED, "Snakefile"))


@pytest.fixture(scope="module")
def asked(workplace):
    return execute("lecture.ipynb", workplace, QUESTIONS)


@pytest.fixture(scope="module")
def executed(asked):
    return asked[0]


@pytest.fixture(scope="module")
def answers(asked):
    return asked[1]


def variables(cell):
    """Names that a code cell uses, lines of IPython's own left out."""
    tree = ast.parse(re.sub(r"^( *)%.*", r"\1pass", cell.source, flags=re.MULTILINE))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_test_half_is_made_in_one_cell_and_opened_in_the_last_section_only(notebook):
    named = [c.id for c in code_cells(notebook) if "mgs_test.parquet" in c.source]
    assert named == ["linear-split", "judge-predict"]
    judging = next(place for place, c in enumerate(notebook.cells) if c.id == "judge-heading")
    early = [c for c in notebook.cells[:judging] if c.cell_type == "code"]
    assert [c.id for c in early if variables(c) & {"test", "judge"}] == [
        "classify-train",  # `judge` of a fold of the other sample
        "linear-split",
    ]


def test_runs_without_warnings_in_its_own_interpreter(executed, answers):
    silent(executed)
    assert Path(answers["python"]).resolve() == Path(sys.executable).resolve()


def test_every_figure_is_followed_by_what_to_see(executed):
    assert figures(executed) >= 10


def test_leaves_nothing_behind(workplace, answers):
    before = {path.relative_to(ROOT) for name in NEEDED for path in (ROOT / name).rglob("*")}
    after = {
        path.relative_to(workplace) for name in NEEDED for path in (workplace / name).rglob("*")
    }
    assert after <= before
    there = {"Snakefile", "scripts", "data", "config", "notebooks"}
    assert {path.name for path in workplace.iterdir()} == there
    assert not Path(answers["scratch"]).exists()


def test_three_ways_of_linear_regression_agree(answers):
    assert answers["linear_difference"] < 1e-10
    assert answers["descent_difference"] < 1e-7
    by_hand, library = answers["steps"]
    assert library < by_hand / 5
    losses = answers["first_losses"]
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))


def test_networks_beat_the_linear_regression(answers):
    linear = answers["scores"]["normal equations"]
    for name in ("network", "network by hand"):
        network = answers["scores"][name]
        assert network["mse"] < 0.8 * linear["mse"]
        assert network["sigma_nmad"] < 0.9 * linear["sigma_nmad"]
        assert network["mape"] < linear["mape"]
        assert network["r2"] > linear["r2"]
    assert all(row["lower"] > 0 for row in answers["gain"].values())
    assert linear["r2"] > 0.5 > abs(answers["scores"]["mean"]["r2"])


def test_scores_by_hand_are_those_of_the_library(answers):
    for model, scores in answers["scores"].items():
        library = answers["library_scores"][model]
        assert scores == pytest.approx({name: library[name] for name in scores}, rel=1e-9)


def test_network_by_hand_stops_early_at_its_best_epoch(answers):
    best, epochs = answers["epochs"]
    losses = answers["validation_losses"]
    assert epochs == len(losses)
    assert epochs == 200 or epochs - best == 15  # its patience
    assert losses[best - 1] == min(losses)


def test_what_the_prose_says_of_groups_classes_and_mape_holds(answers):
    assert answers["ari"]["colours and size"] > answers["ari"]["colours"] + 0.2
    dummy = answers["macro_f1"].pop("dummy")
    assert all(row["lower"] > dummy["value"] for row in answers["macro_f1"].values())
    honest = answers["scores"]["network"]["mape"]
    assert honest < answers["mape_with_zero"][0]
    assert answers["mape_with_zero"][-1] > 1e6 * honest
    validation, test = answers["mse_on_halves"]
    assert test < validation
