"""Digests of files and folders, and cards that spare reading a large file once more.

A card per path lies in ``.snakemake/sdssflow_files/``: digest, size, time stamps, and the record of
the job that made it. Who writes a file leaves its card; who reads it takes the digest from there as
long as size and time stamps agree, else reads it and leaves a new one. So a large table is read for
its digest when it is made and once more after Snakemake has touched it, however many jobs read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sdssflow.files import file_digest, write_json

RECORDS = Path("results/provenance")
CARDS = Path(".snakemake/sdssflow_files")

FOLDER_MARK = ".snakemake_timestamp"  # Snakemake's, in each output folder: not part of the content


class Content(NamedTuple):
    """Digest (64 hexadecimal digits) and size of a file or of all files of a folder.

    The digest of a folder is that of the sorted lines ``NAME <zero byte> SHA256``.
    """

    sha256: str
    bytes: int


def read_content(path: str | Path) -> Content:
    """Read a file, or all files of a folder, and return digest and size; OSError if that fails."""
    path = Path(path)
    if not path.is_dir():
        return Content(file_digest(path), path.stat().st_size)
    digest, size = hashlib.sha256(), 0
    for file in files_of(path):
        content = read_content(file)
        digest.update(f"{file.relative_to(path).as_posix()}\0{content.sha256}\n".encode())
        size += content.bytes
    return Content(digest.hexdigest(), size)


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, sorted, without Snakemake's mark."""
    yield from sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != FOLDER_MARK
    )


def names_in(folder: str | Path) -> list[str]:
    """Return the files of a folder and its subfolders, relative to it."""
    return [file.relative_to(folder).as_posix() for file in files_of(Path(folder))]


def content_of(path: str | Path) -> Content:
    """Return digest and size of a path: from its card if that is still true, else by reading.

    What had to be read gets a new card, so the next job need not.
    """
    card = read_card(path)
    if card and stamp_of(path) == card["stamp"]:
        return Content(card["sha256"], card["bytes"])
    return write_card(path, card["record"] if card else None)


def read_card(path: str | Path) -> dict[str, Any] | None:
    """Return the card of a path, None if it has none that can be read."""
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
        return card if {"sha256", "bytes", "stamp", "record"} <= card.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def write_card(path: str | Path, record: str | None) -> Content:
    """Read a path, leave its card with the record of the job that made it, return its content."""
    stamp = stamp_of(path)  # before reading: a change meanwhile must not look read
    content = read_content(path)
    card = {"path": str(path), "stamp": stamp, "record": record, **content._asdict()}
    write_json(card_path(path), card)
    return content


def card_path(path: str | Path) -> Path:
    """Return where the card of a path lies."""
    path = Path(path)
    if path.is_absolute() or ".." in path.parts:
        name = hashlib.sha256(str(path).encode()).hexdigest()
        return CARDS / "elsewhere" / f"{name}.json"
    return CARDS / path.parent / f"{path.name}.json"


def stamp_of(path: str | Path) -> str:
    """Return what changes when the content does, of a folder that of its files.

    Modification times can be set, as ``cp -p`` and ``tar`` do; the time of the last change of the
    inode and its number can't.
    """
    path = Path(path)
    if not path.is_dir():
        stat = path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
    lines = (f"{file.relative_to(path).as_posix()}\0{stamp_of(file)}\n" for file in files_of(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
