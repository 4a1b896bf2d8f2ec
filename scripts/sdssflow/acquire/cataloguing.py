"""From blocks of rows as an archive has them to a catalogue, whichever road they came by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.acquire.defects import KEPT, KEPT_AS_NULL, SET_TO_NULL, Defects
from sdssflow.acquire.measurements import limits, null_sentinels, out_of_range
from sdssflow.acquire.schema import COLUMNS, field
from sdssflow.tables import write_parquet_blocks

# SDSS writes -9999 where nothing was measured; what else is impossible is out of range
SENTINELS = [-9999.0]


def write_catalogue(
    blocks: Iterable[pa.Table],
    names: Iterable[str],
    path: str | Path,
    about: Mapping[str, Any],
    limit: int | None = None,
) -> pd.DataFrame:
    """Write a catalogue block by block.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
        Rows in the catalogue's order, with the columns `names` in the catalogue's types.
    names : iterable of str
        Columns of the catalogue, besides `row_id`; written in the order of the schema.
    path : path-like
        The catalogue.
    about : mapping
        Its provenance, read when the last block is written.
    limit : int, optional
        At most this many rows, the first ones.

    Returns
    -------
    pandas.DataFrame
        Defects, as `sdssflow.acquire.validation.conform` gives them.
    """
    asked = set(names)
    ordered = [name for name in COLUMNS if name in asked]
    schema = pa.schema([field(name) for name in ("row_id", *ordered)])
    defects = Defects()
    write_parquet_blocks(_usable_blocks(blocks, ordered, limit, defects), schema, path, about)
    frame = defects.frame()
    order = frame["column"].map(ordered.index)
    return frame.iloc[np.lexsort((frame["defect"], order))].reset_index(drop=True)


def _usable_blocks(
    blocks: Iterable[pa.Table], names: list[str], limit: int | None, defects: Defects
) -> Iterator[pa.Table]:
    row_id = 0
    for block in blocks:
        if limit is not None:
            block = block.slice(0, limit - row_id)
        if block.num_rows == 0:
            continue
        made = {"row_id": pa.array(np.arange(row_id, row_id + block.num_rows))}
        for name in names:
            made[name] = usable(name, block[name].combine_chunks(), defects, row_id)
        yield pa.table(made)
        row_id += block.num_rows


def usable(name: str, column: pa.Array, defects: Defects, first_row: int) -> pa.Array:
    """Return a column with sentinels and impossible values null, each counted.

    Parameters
    ----------
    name : str
        Column of the catalogue.
    column : pyarrow.Array
        Of its type, shape (n,).
    defects : Defects
        Where defects are counted.
    first_row : int
        `row_id` of the first value.
    """
    missing = column.is_null().to_numpy(zero_copy_only=False)
    kind = column.type
    if pa.types.is_string(kind):
        return column
    defects.note(name, "missing", missing, KEPT_AS_NULL, first_row)
    if pa.types.is_integer(kind) and kind.bit_width == 64:  # ids were proven, and don't fit floats
        return column
    values = column.to_numpy(zero_copy_only=False)
    if name == "zspec":
        defects.note(name, "exactly zero", values == 0, KEPT, first_row)
    if _all_usable(name, values[~missing]):  # by far the most blocks
        return column
    values = values.astype(np.float64)
    endless = ~missing & ~np.isfinite(values)
    defects.note(name, "not finite", endless, SET_TO_NULL, first_row)
    values[endless] = np.nan
    null_sentinels(name, values, SENTINELS, defects, first_row)
    outside = out_of_range(name, values)
    defects.note(name, "out of range", outside, SET_TO_NULL, first_row)
    values[outside] = np.nan
    return pa.array(values, from_pandas=True).cast(kind, safe=False)


def _all_usable(name: str, known: np.ndarray) -> bool:
    """Tell whether no value is a sentinel, out of range or NaN (which is in no range)."""
    low, high = limits(name)
    sentinels = any(low <= sentinel <= high for sentinel in SENTINELS)
    return len(known) == 0 or bool(not sentinels and low <= known.min() and known.max() <= high)
