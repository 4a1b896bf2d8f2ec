"""The record of a job: what went in, what came out, by which code, where and when.

One JSON file per job, beside the results: ``logs/X.log`` -> ``results/provenance/X.json``.
Nothing of it goes into a table, so tables stay equal between runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sdssflow.files import file_digest, write_json
from sdssflow.provenance.digests import RECORDS, Content, content_of, write_card
from sdssflow.provenance.surroundings import batch_system, device, environment, machine

RESOURCES = ("mem_mb", "runtime", "gpu")
FACTS: dict[str, Any] = {}


def note(**facts: Any) -> None:
    """Tell the record of the running job something that only its program knows.

    Parameters
    ----------
    **facts
        What JSON can hold. ``device`` takes the place of the device that is found without asking;
        all else is kept under ``notes``.
    """
    FACTS.update(facts)


def record_path(log: str | Path) -> Path | None:
    """Return the path of the record beside a log; None if the log is not in ``logs/``.

    >>> str(record_path("logs/score_pdfs/mgs/published.log"))
    'results/provenance/score_pdfs/mgs/published.json'
    """
    log = Path(log)
    if log.parts[0] != "logs" or log.suffix != ".log":
        return None
    return RECORDS / Path(*log.parts[1:]).with_suffix(".json")


def write_record(snakemake: Any, script: str | None, started: datetime) -> Path | None:
    """Write the record of a job that has just succeeded, whole or not at all.

    Parameters
    ----------
    snakemake : snakemake.script.Snakemake
        What Snakemake handed to the script.
    script : str or None
        Path of the script.
    started : datetime.datetime
        When it began, UTC.

    Returns
    -------
    pathlib.Path or None
        The record; None for a rule without a log in ``logs/``.

    Raises
    ------
    OSError
        If record or card can't be written. The job then counts as failed: a result without a
        record could not be followed back.
    """
    path = record_path(snakemake.log[0]) if snakemake.log else None
    if path is None:
        return None
    ended = datetime.now(UTC)
    record = {
        **_question(snakemake, script),
        "inputs": _contents((name, content_of(name)) for name in _paths(snakemake.input)),
        "environment": environment(),
        "device": FACTS.get("device") or device(),
        "machine": machine(),
        "batch_system": batch_system(),
        "notes": {key: value for key, value in FACTS.items() if key != "device"},
        "started": started.isoformat(timespec="milliseconds"),
        "ended": ended.isoformat(timespec="milliseconds"),
        "seconds": round((ended - started).total_seconds(), 3),
    }
    outputs = {name: write_card(name, str(path)) for name in _paths(snakemake.output)}
    write_json(path, {**record, "outputs": _contents(outputs.items())})
    FACTS.clear()
    return path


def _question(snakemake: Any, script: str | None) -> dict[str, Any]:
    """Return what Snakemake asked of the job."""
    parameters = {name: value for name, value in snakemake.params.items() if name != "code"}
    text = json.dumps(parameters, sort_keys=True, default=str)
    resources = {
        name: snakemake.resources.get(name)
        for name in RESOURCES
        if snakemake.resources.get(name) is not None
    }
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "parameters": json.loads(text),
        "parameters_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "code": {
            "modules": snakemake.params.get("code"),
            "script_sha256": file_digest(script) if script and Path(script).is_file() else None,
        },
        "resources": {"threads": snakemake.threads, **resources},
        "log": snakemake.log[0],
    }


def _paths(files: Iterable[Any]) -> list[str]:
    """Return each path of an input or output once, sorted."""
    return sorted({str(path) for path in files})


def _contents(contents: Iterable[tuple[str, Content]]) -> dict[str, dict[str, Any]]:
    return {name: content._asdict() for name, content in contents}
