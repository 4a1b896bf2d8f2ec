"""How a download is split into chunks, and one chunk: verified rows in one Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdssflow.acquire.column_names import contradiction
from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.plan import Plan
from sdssflow.acquire.download.ranges import EVERYTHING, PLATE_SHIFT, Range, plates, split_plates
from sdssflow.acquire.schema import field
from sdssflow.configuration.sources import SkyServerSource, TapSource
from sdssflow.tables import write_parquet_blocks


def make_plan(archive: Archive, source: SkyServerSource | TapSource, name: str) -> Plan:
    """Ask the server what there is, and split it into chunks.

    Parameters
    ----------
    archive : Archive
        To ask.
    source : SkyServerSource or TapSource
        The sample's definition.
    name : str
        Name of the server.

    Raises
    ------
    DownloadError
        If a mapping contradicts the names of its columns, no row meets the conditions, or the
        server can't be asked.
    """
    if isinstance(source, TapSource) and (doubt := contradiction(source)):
        raise DownloadError(*doubt)
    split = _split_by_plate if archive.language.by_plate else _split_by_width
    ranges, spectra = split(archive, source)
    whole = Range(ranges[0].low, ranges[-1].high)
    rows = archive.count(whole).n
    if rows == 0:
        raise DownloadError(
            f"{name} has no row that meets all conditions "
            f"({sum(spectra):,} spectra meet those on spectra)",
            "Loosen source.selection.",
        )
    return Plan(
        archive=name,
        release=source.release,
        query=archive.queries.rows(whole),
        spectra=sum(spectra),
        rows=rows,
        limit=source.limit,
        bounds=[(part.low, part.high) for part in ranges],
        chunk_spectra=spectra,
        key=archive.language.key,
    )


def _split_by_plate(
    archive: Archive, source: SkyServerSource | TapSource
) -> tuple[list[Range], list[int]]:
    plate, spectra = archive.plates()
    whole = EVERYTHING
    if source.limit is not None:
        number = _enough(archive, plate, spectra, source.limit)
        if number < len(plate):
            plate, spectra = plate[:number], spectra[:number]
            whole = Range(0, plates(0, int(plate[-1])).high)
    ranges = split_plates(plate, spectra, source.chunks, whole)
    return ranges, list(_spectra_within(ranges, plate, spectra))


def _split_by_width(
    archive: Archive, source: SkyServerSource | TapSource
) -> tuple[list[Range], list[int]]:
    """Split the key into ranges of equal width; those after `limit` rows are left empty."""
    halves = [Range(0, 1 << 63), Range(1 << 63, 1 << 64)]  # where signed keys become negative
    ends = []
    for tally in map(archive.count, halves):
        ends += [end % (1 << 64) for end in (tally.lo, tally.hi) if end is not None]
    low, high = (min(ends), max(ends) + 1) if ends else (0, 1)
    step = -(-(high - low) // source.chunks)
    bounds = [0, *(low + step * chunk for chunk in range(1, source.chunks)), 1 << 64]
    ranges = [Range(*pair) for pair in pairwise(bounds)]
    rows: list[int] = []
    for chunk, within in enumerate(ranges):
        if source.limit is not None and sum(rows) >= source.limit:
            end = ranges[chunk - 1].high
            ranges[chunk], within = Range(end, end), Range(end, end)
        rows.append(archive.count(within).n)
    return ranges, rows


def _enough(archive: Archive, plate: np.ndarray, spectra: np.ndarray, limit: int) -> int:
    """Return how many plates hold `limit` rows; conditions on photometry are counted."""
    number = int(np.searchsorted(np.cumsum(spectra), limit)) + 1
    while number < len(plate) and archive.count(plates(0, int(plate[number - 1]))).n < limit:
        number *= 2
    return number


def _spectra_within(ranges: list[Range], plate: np.ndarray, spectra: np.ndarray) -> Iterator[int]:
    for low, high in ranges:
        inside = (plate >= low >> PLATE_SHIFT) & (plate < high >> PLATE_SHIFT)
        yield int(spectra[inside].sum())


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
