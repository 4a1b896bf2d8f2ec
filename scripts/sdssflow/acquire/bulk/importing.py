"""Turn the bulk files into a catalogue, counting the rows that are left out."""

from __future__ import annotations

import hashlib
import logging
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.bulk.join import BLOCK_ROWS, Pairs
from sdssflow.acquire.bulk.selection import columns_of as selected
from sdssflow.acquire.bulk.selection import select
from sdssflow.acquire.catalogue import write_catalogue
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import columns_of
from sdssflow.configuration.selection import canonical_conditions
from sdssflow.configuration.sources import BulkSource
from sdssflow.logs import progress

logger = logging.getLogger("sdssflow")
KEY = "specobjid"
RUN_ROWS = 131_072
SPILL_ROWS = 1024  # smallest piece of a run that is read back


def import_bulk(
    source: BulkSource,
    files: Mapping[str, str],
    path: str | Path,
    sample: str,
    block_rows: int = BLOCK_ROWS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the catalogue of a sample from the bulk files, in bounded memory.

    `files` maps the paths of spectra and photometry to their SHA-256. The catalogue at `path` has
    the `sample` in its metadata; sorted runs are spilled next to it. `block_rows` rows are read at
    a time.

    Returns
    -------
    completeness : pandas.DataFrame
        ``stage, file, rows, digest``: rows of each file with its SHA-256, rows with photometry,
        rows that meet the selection, rows written.
    defects : pandas.DataFrame
        As returned by `sdssflow.acquire.files.conform.conform`.

    Raises
    ------
    CatalogueError
        If the files are incomplete or don't match each other, or no row meets the selection.
    """
    pairs = Pairs(source, [*files], [*source.names, *selected(source.selection)])
    spectra, photometry = (Path(file).name for file in files)
    counts = {"with photometry": 0, "meeting the selection": 0, "written": 0}
    about: dict[str, Any] = {
        "sample": sample,
        "magnitude_system": "asinh",
        "extinction_applied": False,
        "source_sha256": hashlib.sha256("\n".join(files.values()).encode()).hexdigest(),
        "archive": f"{spectra} with {photometry}",
        "release": source.release,
        "query": query(source),
        "limit": source.limit,
        "simulated": False,
    }
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    chosen = _chosen(pairs, source, block_rows, counts)
    ordered = in_order(chosen, KEY, folder, source.limit)
    blocks = _checked(ordered, pairs, source, counts)
    known = columns_of(source.declared)
    columns = {name: known[name] for name in source.names}
    defects = write_catalogue(blocks, columns, path, about, source.limit)
    rows = [
        {"stage": stage, "file": Path(its.path).name, "rows": its.rows, "digest": files[its.path]}
        for stage, its in (("spectra", pairs.spectra), ("photometry", pairs.photometry))
    ]
    rows += [
        {"stage": stage, "file": "", "rows": count, "digest": ""} for stage, count in counts.items()
    ]
    return pd.DataFrame(rows), defects


def query(source: BulkSource) -> str:
    """Describe the selection for the report, where downloads give their SQL.

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
    known = columns_of(source.declared)
    schema = pa.schema([(name, known[name].type) for name in source.names])
    blocks = math.ceil(pairs.spectra.rows / block_rows)
    for table in progress(pairs.blocks(block_rows), blocks, "blocks of the bulk files"):
        counts["with photometry"] += table.num_rows
        found = select(table, source.selection)
        counts["meeting the selection"] += found.num_rows
        try:
            chosen = found.select(source.names).cast(schema)
        except pa.ArrowInvalid as error:
            raise CatalogueError(
                pairs.spectra.path,
                f"a value here or in {pairs.photometry.path} does not fit the catalogue: {error}",
                "Are they the files of an SDSS release?",
            ) from error
        if chosen.num_rows:
            yield chosen


def _checked(
    blocks: Iterable[pa.Table], pairs: Pairs, source: BulkSource, counts: dict[str, int]
) -> Iterator[pa.Table]:
    """Yield and count the rows of the catalogue; refuse repeated spectra and an empty selection."""
    before = -1
    for block in blocks:
        ids = block[KEY].to_numpy()
        steps = np.flatnonzero(ids[1:] == ids[:-1])
        if len(steps) or int(ids[0]) == before:
            twice = ids[steps[0]] if len(steps) else ids[0]
            raise pairs.spectra.error(
                "SPECOBJID",
                f"the spectrum {twice} occurs twice",
                "Use the original specObj file of one release: it has one row per spectrum.",
            )
        before = int(ids[-1])
        left = block.num_rows if source.limit is None else source.limit - counts["written"]
        counts["written"] += min(block.num_rows, left)
        yield block
    if before < 0:
        raise CatalogueError(
            pairs.spectra.path,
            f"no row meets all conditions ({counts['with photometry']:,} have photometry)",
            "Loosen source.selection.",
        )


def in_order(
    blocks: Iterable[pa.Table],
    key: str,
    folder: str | Path,
    limit: int | None = None,
    run_rows: int = RUN_ROWS,
) -> Iterator[pa.Table]:
    """Yield the rows of `blocks`, all of one schema, sorted by a column.

    `key` is an integer column without nulls; at least the first `limit` rows are yielded. Sorted
    runs are spilled to unnamed files in `folder`, which vanish with the process however it ends.
    About `run_rows` rows are sorted at once, and about twice as many are in memory.
    """
    with ExitStack() as stack:
        spilled: list[BinaryIO] = []
        waiting: list[pa.Table] = []

        def spill() -> None:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            table = _sorted(waiting, key).slice(0, limit)
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_stream(file, table.schema, options=options) as writer:
                writer.write_table(table.combine_chunks(), max_chunksize=SPILL_ROWS)
            file.seek(0)
            spilled.append(file)
            waiting.clear()

        for block in blocks:
            waiting.append(block)
            if sum(table.num_rows for table in waiting) >= run_rows:
                spill()
        if not spilled:
            yield from [_sorted(waiting, key).slice(0, limit)] if waiting else []
            return
        if waiting:
            spill()
        pieces = max(1, run_rows // (len(spilled) * SPILL_ROWS))
        yield from _merged([_read(file, pieces) for file in spilled], key)


def _sorted(tables: list[pa.Table], key: str) -> pa.Table:
    table = pa.concat_tables(tables)
    return table.take(pc.sort_indices(table[key]))


def _read(file: BinaryIO, pieces: int) -> Iterator[pa.Table]:
    """Yield a run in tables of some record batches each."""
    run = iter(pa.ipc.open_stream(file))
    while batches := list(islice(run, pieces)):
        yield pa.Table.from_batches(batches)


def _merged(runs: list[Iterator[pa.Table]], key: str) -> Iterator[pa.Table]:
    """Merge sorted runs: rows up to the lowest last key of the runs' heads are complete."""
    heads = {number: next(run) for number, run in enumerate(runs)}
    while heads:
        last = {number: head[key][-1].as_py() for number, head in heads.items()}
        bound = min(last.values())
        parts = []
        for number, head in list(heads.items()):
            keys = head[key].to_numpy()
            ready = int(np.searchsorted(keys, keys.dtype.type(bound), side="right"))
            parts.append(head.slice(0, ready))
            rest = head.slice(ready) if ready < len(keys) else next(runs[number], None)
            if rest is None:
                del heads[number]
            else:
                heads[number] = rest
        yield _sorted(parts, key)
