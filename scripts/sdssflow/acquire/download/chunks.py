"""One chunk of a download: verified rows in one Parquet file, with what proves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.plan import Plan
from sdssflow.acquire.schema import field
from sdssflow.tables import write_parquet_blocks


def download_chunk(archive: Archive, plan: Plan, chunk: int, path: str | Path) -> int:
    """Download the rows of a chunk and write them.

    Parameters
    ----------
    archive : Archive
        To ask.
    plan : Plan
        The plan.
    chunk : int
        Which of its ranges.
    path : path-like
        Parquet file, whole or not at all.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    DownloadError
        If the server can't be asked, or has changed since the plan was made.
    """
    within = plan.within(chunk)
    spectra = archive.spectra(within)
    if spectra != plan.chunk_spectra[chunk]:
        raise DownloadError(
            f"chunk {chunk} had {plan.chunk_spectra[chunk]:,} spectra when the plan was made and "
            f"has {spectra:,} now: the server has changed, or lost rows",
            "Make the plan again: snakemake --forcerun plan_chunks.",
        )
    about = {
        "low": str(within.low),
        "high": str(within.high),
        "spectra_planned": plan.chunk_spectra[chunk],
        "spectra": spectra,
        "counted": 0,
    }

    def tables() -> Iterator[pa.Table]:
        for piece in archive.rows(within):
            about["counted"] += piece.tally.n
            yield piece.table

    write_parquet_blocks(tables(), pa.schema([field(name) for name in archive.names]), path, about)
    return about["counted"]
