"""Write a catalogue from blocks of archive rows, downloaded or from bulk files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.acquire.checks import Defects, archived
from sdssflow.acquire.schema import COLUMNS, Column, field
from sdssflow.tables import write_parquet_blocks


def write_catalogue(
    blocks: Iterable[pa.Table],
    columns: Mapping[str, Column],
    path: str | Path,
    about: Mapping[str, Any],
    limit: int | None = None,
) -> pd.DataFrame:
    """Write a catalogue block by block; return its defects as in `Defects.frame`.

    The rows of `blocks` are in the catalogue's order and types; at most `limit` are written.
    `columns` maps names to columns, without `row_id`; they are written in the order of the schema,
    unknown ones last. `about` is the provenance, read after the last block.
    """
    ordered = [name for name in {**COLUMNS, **columns} if name in columns]
    schema = pa.schema([field("row_id"), *(field(name, columns) for name in ordered)])
    defects = Defects()
    numbered = _numbered(blocks, {name: columns[name] for name in ordered}, limit, defects)
    write_parquet_blocks(numbered, schema, path, about)
    frame = defects.frame()
    order = frame["column"].map(ordered.index)
    return frame.iloc[np.lexsort((frame["defect"], order))].reset_index(drop=True)


def _numbered(
    blocks: Iterable[pa.Table], columns: dict[str, Column], limit: int | None, defects: Defects
) -> Iterator[pa.Table]:
    row_id = 0
    for block in blocks:
        if limit is not None:
            block = block.slice(0, limit - row_id)
        if block.num_rows == 0:
            continue
        made = {"row_id": pa.array(np.arange(row_id, row_id + block.num_rows))}
        for name, column in columns.items():
            made[name] = archived(name, column, block[name].combine_chunks(), defects, row_id)
        yield pa.table(made)
        row_id += block.num_rows
