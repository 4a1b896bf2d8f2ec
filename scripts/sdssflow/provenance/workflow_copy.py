"""A copy of the workflow among its results, with everything that another run needs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from sdssflow.files import write_text

# what a run reads, and what its installation needs
PARTS = (
    "Snakefile",
    "rules",
    "scripts",
    "config",
    "profiles",
    "report",
    "data/embedded",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
    "LICENSE",
    "CITATION.cff",
)
USED = "configuration.json"  # in the copy: the configuration as used, all files merged
ELSEWHERE = "configuration"  # folder in the copy for files from outside the project


def workflow_files(root: str | Path) -> Iterator[str]:
    """Yield the files of the workflow at `root` that belong to a copy, as relative paths, sorted.

    ``__pycache__`` and hidden files don't.
    """
    root = Path(root)
    for part in PARTS:
        path = root / part
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            name = file.relative_to(root)
            hidden = any(x.startswith(".") or x == "__pycache__" for x in name.parts)
            if file.is_file() and not hidden:
                yield name.as_posix()


def copy_workflow(
    root: str | Path, target: str | Path, configuration: Iterable[str | Path], used: str
) -> list[str]:
    """Copy the workflow at `root` to `target`, replacing it completely or not at all.

    Configuration files of the run outside `root` go to ``configuration/``; `used` is the
    configuration as used, JSON text, for ``configuration.json``. Returns the files of the copy,
    relative to it, sorted.
    """
    root, target = Path(root).resolve(), Path(target)
    sources = {name: root / name for name in workflow_files(root)}
    for path in dict.fromkeys(Path(path).resolve() for path in configuration):
        sources[_place(path, root, sources)] = path
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        copy = Path(folder) / target.name
        for name, source in sources.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy / name)
        write_text(copy / USED, used)
        if target.exists():
            target.replace(Path(folder) / "before")
        copy.replace(target)
    return sorted([*sources, USED])


def _place(path: Path, root: Path, taken: Collection[str]) -> str:
    """Return where a configuration file goes; files of equal names are numbered."""
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    name, number = path.name, 1
    while f"{ELSEWHERE}/{name}" in taken:
        number += 1
        name = f"{path.stem}_{number}{path.suffix}"
    return f"{ELSEWHERE}/{name}"
