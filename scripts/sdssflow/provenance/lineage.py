"""The way back: from a result through the records of the jobs to the sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sdssflow.provenance.digests import RECORDS, Content, read_card

RESULTS = "results"
Reader = Callable[[str], dict[str, Any]]


class LineageError(ValueError):
    """A result can't be followed back; the message says which and what to do."""


@dataclass
class Lineage:
    """What stands behind a result.

    A record stands after those it read from; sources are shipped tables, files of the user and
    templates; unrecorded are files in ``results/`` without a record; a disagreement is a sentence
    about a file that a job read with another content than its maker recorded.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, Content] = field(default_factory=dict)
    unrecorded: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record; LineageError if it is missing or not one."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if not {"rule", "inputs", "outputs", "log"} <= record.keys():
            raise ValueError("not a record of a job")
    except (OSError, ValueError, AttributeError) as error:
        raise LineageError(
            f"{path}: no record that can be read ({error}); make what it belongs to again"
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
    """Tell a file that a job makes from a source."""
    return Path(path).parts[:1] == (RESULTS,)


@cache
def _makers(folder: Path) -> dict[str, str]:
    """Return the latest record that names each output: the way back where cards were lost."""
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
    """Follow results back to their sources; LineageError where no record can be read."""
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
            f"{result}: no record says how it was made. Ask for a file or folder that a rule of "
            f"the workflow writes, as it is called there, from the folder of the run; a result "
            f"that is older than the records gets one by: snakemake --force {result}"
        )
    return record


def _records_behind(record: dict[str, Any], lineage: Lineage, read: Reader) -> set[str]:
    """Return the records behind the inputs of a record; note what has none or disagrees."""
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
