"""From the bulk files to a catalogue, and the count of what was left out on the way."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.acquire.bulk.pairs import BLOCK_ROWS, Pairs
from sdssflow.acquire.bulk.sorting import in_order
from sdssflow.acquire.cataloguing import write_catalogue
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import COLUMNS
from sdssflow.acquire.selecting import columns_of, select
from sdssflow.configuration.selection import canonical_conditions
from sdssflow.configuration.sources import BulkSource
from sdssflow.logs import progress

logger = logging.getLogger("sdssflow")
KEY = "specobjid"


def import_bulk(
    source: BulkSource, path: str | Path, sample: str, block_rows: int = BLOCK_ROWS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the catalogue of a sample from the bulk files, in bounded memory.

    Parameters
    ----------
    source : BulkSource
        Files, selection, columns and limit.
    path : path-like
        The catalogue; runs of the sort are spilled beside it.
    sample : str
        Name of the sample.
    block_rows : int
        Rows read at once.

    Returns
    -------
    completeness : pandas.DataFrame
        ``stage, file, rows, digest``: rows of each file with its SHA-256, rows with photometry,
        rows that meet the selection, rows of the catalogue.
    defects : pandas.DataFrame
        As `sdssflow.acquire.validation.conform` gives it.

    Raises
    ------
    CatalogueError
        If the files are not whole, don't belong together, or no row meets the selection.
    """
    pairs = Pairs(source, [*source.columns, *columns_of(source.selection)])
    counts = {"with photometry": 0, "meeting the selection": 0, "written": 0}
    about: dict[str, Any] = {
        "sample": sample,
        "magnitude_system": "asinh",
        "extinction_applied": False,
        "archive": f"{pairs.spectra.path.name} with {pairs.photometry.path.name}",
        "release": source.release,
        "query": query(source),
        "limit": source.limit,
        "simulated": False,
    }
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    chosen = _chosen(pairs, source, block_rows, counts)
    rows = _rows(in_order(chosen, KEY, folder, source.limit), pairs, source, counts, about)
    defects = write_catalogue(rows, source.columns, path, about, source.limit)
    return _completeness(pairs, counts), defects


def query(source: BulkSource) -> str:
    """Say the selection in words that stand in the report, in place of SQL.

    Examples
    --------
    >>> query(BulkSource(kind="bulk", folder=".", selection=[]))
    'all spectra with photometry'
    """
    conditions = canonical_conditions(source.selection)
    said = [", ".join(f"{key} {value}" for key, value in one.items()) for one in conditions]
    return f"spectra with photometry, {'; '.join(said)}" if said else "all spectra with photometry"


def _chosen(
    pairs: Pairs, source: BulkSource, block_rows: int, counts: dict[str, int]
) -> Iterator[pa.Table]:
    """Yield the rows that meet the selection, in the catalogue's columns and types."""
    schema = pa.schema([(name, COLUMNS[name].type) for name in source.columns])
    blocks = math.ceil(pairs.spectra.rows / block_rows)
    for table in progress(pairs.blocks(block_rows), blocks, "blocks of the bulk files"):
        counts["with photometry"] += table.num_rows
        found = select(table, source.selection)
        counts["meeting the selection"] += found.num_rows
        if found.num_rows:
            yield _cast(found.select(source.columns), schema, pairs)


def _cast(table: pa.Table, schema: pa.Schema, pairs: Pairs) -> pa.Table:
    try:
        return table.cast(schema)
    except pa.ArrowInvalid as error:
        raise CatalogueError(
            str(pairs.spectra.path),
            f"a value here, or in {pairs.photometry.path}, does not fit the catalogue: {error}",
            "Are they the files of an SDSS release?",
        ) from error


def _rows(
    blocks: Iterable[pa.Table],
    pairs: Pairs,
    source: BulkSource,
    counts: dict[str, int],
    about: dict[str, Any],
) -> Iterator[pa.Table]:
    """Yield the rows of the catalogue; at the end its provenance is known."""
    before = -1
    for block in blocks:
        ids = block[KEY].to_numpy()
        steps = np.flatnonzero(ids[1:] == ids[:-1])
        if len(steps) or int(ids[0]) == before:
            twice = ids[steps[0]] if len(steps) else ids[0]
            raise CatalogueError(
                str(pairs.spectra.path),
                f"the spectrum {twice} stands there twice",
                "Use specObj of one release, as SDSS offers it: one row per spectrum.",
                column="SPECOBJID",
            )
        before = int(ids[-1])
        left = block.num_rows if source.limit is None else source.limit - counts["written"]
        counts["written"] += min(block.num_rows, left)
        yield block
    if before < 0:
        raise CatalogueError(
            str(pairs.spectra.path),
            f"no row meets all conditions ({counts['with photometry']:,} have photometry)",
            "Loosen source.selection.",
        )
    digests = f"{pairs.spectra.sha256}\n{pairs.photometry.sha256}"
    about["source_sha256"] = hashlib.sha256(digests.encode()).hexdigest()


def _completeness(pairs: Pairs, counts: dict[str, int]) -> pd.DataFrame:
    rows = [
        {"stage": stage, "file": file.path.name, "rows": file.rows, "digest": file.sha256}
        for stage, file in (("spectra", pairs.spectra), ("photometry", pairs.photometry))
    ]
    rows += [
        {"stage": stage, "file": "", "rows": count, "digest": ""} for stage, count in counts.items()
    ]
    return pd.DataFrame(rows)
