"""The lecture runs as it stands, offline, and what its prose says holds in its numbers."""

import ast
import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
LECTURE = ROOT / "notebooks/lecture.ipynb"
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
    return nbformat.read(LECTURE, as_version=4)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A copy of what the lecture needs, so that it can spoil nothing and use nothing else."""
    copy = tmp_path_factory.mktemp("repository")
    for name in NEEDED:
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    shutil.copy(ROOT / "Snakefile", copy)
    return copy


@pytest.fixture(scope="module")
def executed(notebook, workplace, tmp_path_factory):
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    notebook.cells.append(nbformat.v4.new_code_cell(QUESTIONS))
    # no folders of kernels: ipykernel's own, that is, this very interpreter. Sockets in a folder:
    # a port that is free now may be somebody else's when the kernel starts.
    with tempfile.TemporaryDirectory() as sockets:
        kernel = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            ip=f"{sockets}/kernel",
            shutdown_wait_time=600,  # a kernel that is killed leaves its scratch folder
        )
        execute(notebook, kernel, workplace, tmp_path_factory.mktemp("ipython"))
    return notebook


def execute(notebook, kernel, workplace, ipython):
    environment = {
        **os.environ,
        "IPYTHONDIR": str(ipython),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(workplace / "scripts"),
    }
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=3600,
        startup_timeout=600,
        resources={"metadata": {"path": str(workplace / "notebooks")}},
    )
    client.execute(env=environment, cleanup_kc=True)


@pytest.fixture(scope="module")
def answers(executed):
    return json.loads("".join(output["text"] for output in executed.cells[-1].outputs))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        stored = cell.outputs or cell.execution_count is not None or cell.metadata
        assert not stored, f"cell {cell.id}: clear all outputs before you commit"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert dict(notebook.metadata.language_info) == {"name": "python"}


def test_cells_have_names_and_are_short(notebook):
    for cell in notebook.cells:
        assert set(cell.id) <= set("abcdefghijklmnopqrstuvwxyz-"), cell.id
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code_cells(notebook)}
    assert max(lengths.values()) <= 45, lengths


def variables(cell):
    """Names that a code cell uses; lines of IPython's own are left out."""
    lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
    tree = ast.parse("\n".join(lines))
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
    for cell in code_cells(executed):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"{cell.id}: {output.get('text')}"
    assert Path(answers["python"]).resolve() == Path(sys.executable).resolve()


def test_every_figure_is_followed_by_what_to_see(executed):
    figures = [
        place
        for place, cell in enumerate(executed.cells)
        if cell.cell_type == "code"
        and any("image/png" in output.get("data", {}) for output in cell.outputs)
    ]
    assert len(figures) >= 10
    for place in figures:
        pngs = [o for o in executed.cells[place].outputs if "image/png" in o.get("data", {})]
        assert len(pngs) == 1, f"{executed.cells[place].id} shows a figure twice"
        assert executed.cells[place + 1].cell_type == "markdown", executed.cells[place].id


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
