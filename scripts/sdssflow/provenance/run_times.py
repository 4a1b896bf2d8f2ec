"""When jobs of a cluster began, for ``snakemake --report``.

Snakemake takes the time stamp of a mark for the start of a job. The Snakemake within a submitted
job removes that mark before the one outside has read it, which then takes the job for instantaneous
(9.27, ``persistence``). Our records know better.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sdssflow.provenance.digests import RECORDS
from sdssflow.provenance.lineage import LineageError, read_record


def restore_starts(persistence: Any, folder: Path) -> int:
    """Give Snakemake's metadata the starts that the records of a run's jobs tell.

    A start is moved back only: where Snakemake saw the job itself, it began before its script did.

    Parameters
    ----------
    persistence : snakemake.persistence.PersistenceBase
        Of the run that has just ended.
    folder : pathlib.Path
        Where it ran.

    Returns
    -------
    int
        Of how many outputs the start was moved.
    """
    moved = 0
    for path in sorted((folder / RECORDS).glob("[!.]*/**/*.json")):
        try:
            record = read_record(path)
            started = datetime.fromisoformat(record["started"]).timestamp()
        except (LineageError, KeyError, ValueError):
            continue  # whoever follows a number back is told; a run that has ended well stays well
        for output in record["outputs"]:
            metadata = persistence._read_record(output)
            if metadata is None or not started < (metadata.starttime or 0):
                continue
            metadata.starttime = started
            persistence._write_record(output, metadata)
            moved += 1
    return moved
