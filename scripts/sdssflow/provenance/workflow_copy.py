"""A copy of the workflow beside its results: all that another run needs, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sdssflow.files import write_text

# what a run reads or needs to be set up; the first two make a workflow
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
USED = "configuration.json"  # of the copy: the configuration as it was used, all files merged
ELSEWHERE = "configuration"  # folder of the copy for files of other folders


def workflow_files(root: str | Path) -> Iterator[str]:
    """Yield the files of the workflow at `root` that belong to a copy, as relative paths, sorted.

    What Python or an editor leaves there (``__pycache__``, hidden files) does not.
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
    """Copy the workflow at `root` to `target`, in place of what is there, whole or not at all.

    Configuration files of the run outside `root` come to lie in ``configuration/``; `used` is the
    configuration as it was used, JSON text, for ``configuration.json``. Returns the files of the
    copy, relative to it, sorted.
    """
    root, target = Path(root).resolve(), Path(target)
    sources = {name: root / name for name in workflow_files(root)}
    sources |= {_place(Path(path).resolve(), root): Path(path) for path in configuration}
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


def _place(path: Path, root: Path) -> str:
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return f"{ELSEWHERE}/{path.name}"
