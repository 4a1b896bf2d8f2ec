"""Lineage: from a result through the records of jobs back to the sources.

``.snakemake/sdssflow_files/`` has a card for each path: digest, size, time stamps, and the record
of the job that made it. A job that writes a file writes its card; a job that reads the file takes
the digest from the card if size and time stamps agree, otherwise it reads the file and writes a new
card. So a large table is hashed once when it is made and once after Snakemake has touched it,
however many jobs read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sdssflow.files import file_digest, write_json

RECORDS = Path("results/provenance")
CARDS = Path(".snakemake/sdssflow_files")

FOLDER_MARK = ".snakemake_timestamp"  # of Snakemake in each output folder, not part of the content
RESULTS = "results"
Reader = Callable[[str], dict[str, Any]]


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
    """Yield the files of a folder and its subfolders, sorted, without Snakemake's time stamp."""
    yield from sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != FOLDER_MARK
    )


def bytes_of(path: str | Path) -> int:
    """Return the size of a file, or of all files of a folder."""
    path = Path(path)
    return sum(file.stat().st_size for file in (files_of(path) if path.is_dir() else [path]))


def names_in(folder: str | Path) -> list[str]:
    """Return the files of a folder and its subfolders, relative to it."""
    return [file.relative_to(folder).as_posix() for file in files_of(Path(folder))]


def content_of(path: str | Path) -> Content:
    """Return digest and size of a path, from its card if still valid.

    Otherwise the path is read and gets a new card.
    """
    card = read_card(path)
    if card and stamp_of(path) == card["stamp"]:
        return Content(card["sha256"], card["bytes"])
    return write_card(path, card["record"] if card else None)


def read_card(path: str | Path) -> dict[str, Any] | None:
    """Return the card of a path; None if it has no valid card."""
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
        return card if {"sha256", "bytes", "stamp", "record"} <= card.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def write_card(path: str | Path, record: str | None) -> Content:
    """Read a path, write its card with the record of the job that made it, return its content."""
    stamp = stamp_of(path)  # before reading, so that a change during reading is noticed
    content = read_content(path)
    card = {"path": str(path), "stamp": stamp, "record": record, **content._asdict()}
    write_json(card_path(path), card)
    return content


def card_path(path: str | Path) -> Path:
    """Return the path of a path's card."""
    path = Path(path)
    if path.is_absolute() or ".." in path.parts:
        name = hashlib.sha256(str(path).encode()).hexdigest()
        return CARDS / "elsewhere" / f"{name}.json"
    return CARDS / path.parent / f"{path.name}.json"


def stamp_of(path: str | Path) -> str:
    """Return a text that changes with the content of a file, or of the files of a folder.

    Modification times can be set, as ``cp -p`` and ``tar`` do; the change time of an inode and its
    number can't.
    """
    path = Path(path)
    if not path.is_dir():
        stat = path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
    lines = (f"{file.relative_to(path).as_posix()}\0{stamp_of(file)}\n" for file in files_of(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class LineageError(ValueError):
    """A result can't be traced back; the message says which and what to do."""


@dataclass
class Lineage:
    """Everything that a result was made from.

    `records` are in order, each after those it depends on; `sources` are shipped tables, files of
    the user and templates; `unrecorded` are files in ``results/`` without a record;
    `disagreements` has a sentence for each file that a job read with other content than recorded.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, Content] = field(default_factory=dict)
    unrecorded: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record; LineageError if it is missing or invalid."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if not {"rule", "inputs", "outputs", "log"} <= record.keys():
            raise ValueError("not a record of a job")
    except (OSError, ValueError, AttributeError) as error:
        raise LineageError(
            f"{path}: this record can't be read ({error}); make its results again"
        ) from None
    return record


def record_of(path: str | Path, read: Reader = read_record) -> str | None:
    """Return the path of the record of the job that made a file; None if there is none."""
    card = read_card(path)
    record = card["record"] if card else None
    if record and Path(record).is_file() and str(path) in read(record)["outputs"]:
        return record
    return _makers(Path.cwd()).get(str(path)) if is_result(path) else None


def is_result(path: str | Path) -> bool:
    """Return whether a path is made by a job, not a source."""
    return Path(path).parts[:1] == (RESULTS,)


@cache
def _makers(folder: Path) -> dict[str, str]:
    """Return the latest record of each output, for outputs whose cards were lost."""
    latest: dict[str, tuple[str, str]] = {}
    for record in sorted((folder / RECORDS).rglob("*.json")):
        try:
            content = read_record(record)
        except LineageError:
            continue
        for output in content["outputs"]:
            made = (content.get("ended", ""), str(record.relative_to(folder)))
            latest[output] = max(made, latest.get(output, made))
    return {output: record for output, (_, record) in latest.items()}


def walk_back(*results: str | Path) -> Lineage:
    """Trace results back to their sources; LineageError where no record can be read."""
    firsts = [_maker_of(result) for result in results]
    read: Reader = cache(read_record)
    lineage, waiting, seen = Lineage(), [(first, False) for first in reversed(firsts)], set()
    while waiting:
        path, is_done = waiting.pop()
        if is_done:
            lineage.records[path] = read(path)
        elif path not in seen:
            seen.add(path)
            waiting.append((path, True))
            made_by = _records_behind(read(path), lineage, read)
            waiting += [(maker, False) for maker in sorted(made_by, reverse=True)]
    lineage.unrecorded = sorted(set(lineage.unrecorded))
    lineage.disagreements.sort()
    return lineage


def _maker_of(result: str | Path) -> str:
    """Return the record of the job that made a result; LineageError without one."""
    record = record_of(result)
    if record is None:
        raise LineageError(
            f"{result}: no record says how it was made. Name an output of a rule of the workflow, "
            "with its path relative to the folder of the run, and call this from there; a result "
            f"that is older than the records gets one by: snakemake --force {result}"
        )
    return record


def _records_behind(record: dict[str, Any], lineage: Lineage, read: Reader) -> set[str]:
    """Return the records of a record's inputs; note those without record and disagreements."""
    makers = set()
    for path, found in record["inputs"].items():
        maker = record_of(path, read)
        if maker is None and is_result(path):
            lineage.unrecorded.append(path)
        elif maker is None:
            lineage.sources[path] = Content(found["sha256"], found["bytes"])
        else:
            makers.add(maker)
            made = read(maker)
            if made["outputs"][path]["sha256"] != found["sha256"]:
                lineage.disagreements.append(
                    f"{path}: {record['rule']} read {found['sha256'][:12]}, but "
                    f"{made['rule']} had written {made['outputs'][path]['sha256'][:12]}; "
                    f"make it again: snakemake --forcerun {made['rule']}"
                )
    return makers
