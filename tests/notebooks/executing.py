"""Notebooks are executed in a copy of the project, so that they can spoil nothing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "notebooks" / name, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def copy_project(folder: Path, names: tuple[str, ...]) -> Path:
    """Copy files and folders of the project that a notebook needs, and nothing else."""
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def execute(name: str, workplace: Path, question: str) -> tuple[nbformat.NotebookNode, dict]:
    """Run a notebook in a workplace and then a question, which prints JSON; return both."""
    notebook = read(name)
    notebook.cells.append(nbformat.v4.new_code_cell(question))
    # no folders of kernels: ipykernel's own, that is, this very interpreter. Sockets in a folder:
    # a port that is free now may be somebody else's when the kernel starts.
    with tempfile.TemporaryDirectory() as folder:
        kernel = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            ip=f"{folder}/kernel",
            shutdown_wait_time=600,  # a kernel that is killed leaves its scratch folder
        )
        client = NotebookClient(
            notebook,
            km=kernel,
            timeout=3600,
            startup_timeout=600,
            resources={"metadata": {"path": str(workplace / "notebooks")}},
        )
        environment = {
            **os.environ,
            "IPYTHONDIR": f"{folder}/ipython",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(workplace / "scripts"),
        }
        client.execute(env=environment, cleanup_kc=True)
    return notebook, json.loads("".join(output["text"] for output in notebook.cells[-1].outputs))


def silent(executed: nbformat.NotebookNode) -> None:
    """Fail if a cell has written a warning."""
    for cell in code_cells(executed):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"{cell.id}: {output.get('text')}"


def figures(executed: nbformat.NotebookNode) -> int:
    """Return how many cells show a figure; fail if one shows two, or no text follows it."""
    shown = 0
    for cell, after in zip(executed.cells, executed.cells[1:], strict=False):
        pngs = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if pngs:
            shown += 1
            assert len(pngs) == 1, f"{cell.id} shows a figure twice"
            assert after.cell_type == "markdown", f"{cell.id}: what is to be seen in the figure?"
    return shown
