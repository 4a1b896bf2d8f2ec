"""Sort more rows than fit in memory: sorted runs on disk, then a merge.

The files of a release are ordered by plate within each part of the survey, not as a whole, and
within a plate by date and fibre, where a specObjID has fibre and date. So nothing is assumed about
their order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

RUN_ROWS = 131_072
SPILL_ROWS = 1024  # smallest piece of a run that is read back


def in_order(
    blocks: Iterable[pa.Table],
    key: str,
    folder: str | Path,
    limit: int | None = None,
    run_rows: int = RUN_ROWS,
) -> Iterator[pa.Table]:
    """Yield the rows of `blocks` in the order of a column.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
        All of one schema.
    key : str
        Column of whole numbers without nulls.
    folder : path-like
        Where runs are spilled, to files without a name: they vanish with the process, however it
        ends.
    limit : int, optional
        No more than the first `limit` rows are needed.
    run_rows : int
        Most rows that are sorted at once; about twice as many are in memory.
    """
    with ExitStack() as stack:
        spilled: list[BinaryIO] = []
        waiting: list[pa.Table] = []

        def spill() -> None:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            _write(_sorted(waiting, key).slice(0, limit), file)
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


def _write(table: pa.Table, file: BinaryIO) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(file, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=SPILL_ROWS)
    file.seek(0)


def _read(file: BinaryIO, pieces: int) -> Iterator[pa.Table]:
    """Yield a run in tables of some pieces each."""
    batches: list[pa.RecordBatch] = []
    for batch in pa.ipc.open_stream(file):
        batches.append(batch)
        if len(batches) == pieces:
            yield pa.Table.from_batches(batches)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def _merged(runs: list[Iterator[pa.Table]], key: str) -> Iterator[pa.Table]:
    """Merge sorted runs: what is not above the lowest last key of the runs' heads is complete."""
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
