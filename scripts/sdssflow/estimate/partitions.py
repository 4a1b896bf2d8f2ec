"""The partitions of a target, each read by one job.

Snakemake imports this module each time it parses the workflow, so its imports are light.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from sdssflow.configuration.targets import Target

HATS_FILES = ("hats.properties", "properties")  # either marks a HATS catalogue
COLLECTION_FILE = "collection.properties"  # marks a catalogue with its margins and indexes


class Partition(NamedTuple):
    """Part `number` of `of` parts of a file, with equal numbers of rows."""

    path: str
    number: int
    of: int


def partitions(name: str, target: Target) -> dict[str, Partition]:
    """Return the partitions of a target by their names.

    Those of a folder are named by its files, so that an added file changes no name.

    Raises
    ------
    FileNotFoundError
        If a folder has no data file.
    """
    parts = target.partitions
    match target.source.kind:
        case "file":
            path = target.source.path
        case "url":
            path = f"results/{name}/download/{target.source.file_name}"
        case _:
            path = f"results/{name}/catalogue/catalogue.parquet"
    if target.source.kind != "file" or not Path(path).is_dir():
        return {f"{k:04d}": Partition(path, k, parts) for k in range(parts)}
    return {
        f"{stem}_{k:04d}" if parts > 1 else stem: Partition(file, k, parts)
        for stem, file in _named(path, data_files(path)).items()
        for k in range(parts)
    }


def data_files(folder: str) -> list[str]:
    """Return the data files of a folder, sorted; of a HATS catalogue its partitions.

    Of a HATS collection they are those of its catalogue. Names that begin with a dot or an
    underscore are ignored.
    """
    root = _catalogue_of(Path(folder))
    relative = sorted(file.relative_to(root) for file in root.rglob("*") if file.is_file())
    relative = [
        path for path in relative if not any(part.startswith((".", "_")) for part in path.parts)
    ]
    if any((root / name).is_file() for name in HATS_FILES):
        relative = [path for path in relative if re.search(r"Npix=\d+", path.as_posix())]
    if not relative:
        raise FileNotFoundError(f"{folder}: the folder has no data file")
    return [str(root / path) for path in relative]


def _catalogue_of(folder: Path) -> Path:
    """Return the catalogue inside a HATS collection; any other folder as it is."""
    about = folder / COLLECTION_FILE
    if not about.is_file():
        return folder
    text = about.read_text(encoding="utf-8")
    found = re.search(r"^hats_primary_table_url\s*[=:]\s*(\S+)\s*$", text, re.MULTILINE)
    inner = folder / found[1] if found else folder
    if inner == folder or not inner.is_dir():
        raise FileNotFoundError(
            f"{about} names no catalogue inside the collection; set source.path to the folder of "
            "the catalogue"
        )
    return inner


def _named(folder: str, files: list[str]) -> dict[str, str]:
    """Return a unique name of letters, digits and underscores for each file."""
    found: dict[str, str] = {}
    for file in files:
        path = Path(file).relative_to(folder)
        name = re.sub(r"[^A-Za-z0-9]+", "_", path.with_suffix("").as_posix()).strip("_") or "rows"
        if name in found:
            name += "_" + hashlib.sha256(path.as_posix().encode()).hexdigest()[:8]
        found[name] = file
    return found
