"""Parquet and CSV tables with provenance: what every rule reads and writes.

A Parquet table carries, under the key ``sdssflow`` of its schema metadata, one JSON object with
what is needed to quote it: sample, split, seed, feature names, data digest.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.files import replacing

METADATA_KEY = b"sdssflow"
DIGEST_LENGTH = 12


def content_digest(table: pa.Table) -> str:
    """Digest column names, types and values of `table`: 12 hexadecimal digits.

    The same rows in the same order give the same digest whatever their chunks, file format,
    compression or library version; units and provenance do not enter.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table.column(name)
        digest.update(f"{name}:{column.type}:{len(column)};".encode())
        # null positions and fill values apart, so that a null is never equal to a zero
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            digest.update("\x1f".join(value or "" for value in column.to_pylist()).encode())
        elif pa.types.is_boolean(column.type):
            digest.update(np.packbits(column.fill_null(False).to_numpy()).tobytes())
        else:
            digest.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).tobytes())
    return digest.hexdigest()[:DIGEST_LENGTH]


def with_metadata(table: pa.Table, **entries: Any) -> pa.Table:
    """Return `table` with `entries` added to (or replacing) its provenance object."""
    merged = {**metadata(table.schema), **entries}
    raw = dict(table.schema.metadata or {})
    raw[METADATA_KEY] = json.dumps(merged, sort_keys=True).encode()
    return table.replace_schema_metadata(raw)


def metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return the provenance object of a schema; empty if there is none."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    return json.loads(raw) if raw else {}


def write_parquet(table: pa.Table, path: str | Path) -> None:
    """Write `table` as zstd Parquet, whole or not at all."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", store_schema=True)


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet table (or some of its columns) with its metadata.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    KeyError
        If a column is missing; the message names file, column and what there is.
    """
    if columns is not None:
        present = pq.read_schema(path).names
        missing = [name for name in columns if name not in present]
        if missing:
            raise KeyError(f"{path}: no column {missing[0]!r}; it has {', '.join(present)}")
    return pq.read_table(path, columns=columns)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a result table as CSV with the shortest digits that read back equal."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a result table written by `write_csv`; text columns keep an empty cell as ''."""
    frame = pd.read_csv(path)
    text = frame.select_dtypes(include=["object", "string"]).columns
    return frame.assign(**{name: frame[name].fillna("") for name in text})
