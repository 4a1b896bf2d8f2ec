"""Write a catalogue from blocks of rows as an archive has them: downloaded, or of bulk files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.acquire.checks import Defects, archived
from sdssflow.acquire.schema import COLUMNS, field
from sdssflow.tables import write_parquet_blocks


def write_catalogue(
    blocks: Iterable[pa.Table],
    names: Iterable[str],
    path: str | Path,
    about: Mapping[str, Any],
    limit: int | None = None,
) -> pd.DataFrame:
    """Write a catalogue block by block; return its defects, as `Defects.frame` has them.

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
    """
    asked = set(names)
    ordered = [name for name in COLUMNS if name in asked]
    schema = pa.schema([field(name) for name in ("row_id", *ordered)])
    defects = Defects()
    write_parquet_blocks(_numbered(blocks, ordered, limit, defects), schema, path, about)
    frame = defects.frame()
    order = frame["column"].map(ordered.index)
    return frame.iloc[np.lexsort((frame["defect"], order))].reset_index(drop=True)


def _numbered(
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
            made[name] = archived(name, block[name].combine_chunks(), defects, row_id)
        yield pa.table(made)
        row_id += block.num_rows
