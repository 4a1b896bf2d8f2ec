"""Parquet and CSV tables with provenance: what every rule reads and writes.

A Parquet table carries, under the key ``sdssflow`` of its schema metadata, one JSON object with
what is needed to quote it: sample, split, seed, feature names, data digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.files import replacing

if TYPE_CHECKING:  # a job that downloads does without: half of its start-up
    import pandas as pd

METADATA_KEY = b"sdssflow"
DIGEST_LENGTH = 12
ROW_GROUP = 65_536
# columns of text that look otherwise where all cells are empty, or digits (with an e among them)
TEXTS = (
    "because", "closed_by", "data_digest", "digest", "entry", "gaps", "partition", "reason",
    "refused", "remark", "repeated", "weighted_to",
)  # fmt: skip


class ContentDigest:
    """Digest of column names, types and values of a table that comes in blocks.

    The same rows in the same order give the same digest whatever their blocks, file format,
    compression or library version; units and provenance do not enter.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the blocks; fixed-width columns, strings, and lists of numbers.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows = 0
        # nulls, values and (of texts) lengths apart: a null is not zero, "ab","c" not "a","bc"
        self._hashes = [[hashlib.sha256() for _ in range(3)] for _ in schema.names]

    def update(self, block: pa.Table) -> None:
        """Add the rows of a block."""
        self._rows += block.num_rows
        for column, (nulls, values, lengths) in zip(block.columns, self._hashes, strict=True):
            nulls.update(column.is_null().to_numpy())
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                for texts in column.fill_null("").cast(pa.large_string()).chunks:
                    ends = np.frombuffer(texts.buffers()[1], dtype=np.int64)
                    ends = ends[texts.offset : texts.offset + len(texts) + 1]
                    values.update(texts.buffers()[2][ends[0] : ends[-1]])
                    lengths.update(np.diff(ends).data)
            elif pa.types.is_list(column.type):
                for lists in column.chunks:
                    lengths.update(lists.value_lengths().fill_null(0).to_numpy())
                    values.update(np.ascontiguousarray(lists.flatten().to_numpy()).data)
            elif pa.types.is_boolean(column.type):
                values.update(column.fill_null(False).to_numpy())
            else:
                values.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).data)

    def hexdigest(self) -> str:
        """Return 12 hexadecimal digits."""
        digest = hashlib.sha256(f"{self._rows};".encode())
        for column, hashes in zip(self._schema, self._hashes, strict=True):
            digest.update(f"{column.name}:{column.type};".encode())
            for part in hashes:
                digest.update(part.digest())
        return digest.hexdigest()[:DIGEST_LENGTH]


def content_digest(table: pa.Table) -> str:
    """Digest a table as `ContentDigest` does: 12 hexadecimal digits."""
    digest = ContentDigest(table.schema)
    digest.update(table)
    return digest.hexdigest()


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


def write_parquet_blocks(
    blocks: Iterable[pa.Table], schema: pa.Schema, path: str | Path, about: Mapping[str, Any]
) -> str:
    """Write blocks of any size as one zstd Parquet file, whole or not at all, in bounded memory.

    The bytes depend on the rows and their order, not on the blocks in which they came.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
        Of `schema`.
    schema : pyarrow.Schema
        Of the file.
    path : path-like
        The file.
    about : mapping
        Entries of its provenance object, read when the last block is written; `data_digest` is
        added.

    Returns
    -------
    str
        That digest, as `content_digest` gives it.
    """
    digest = ContentDigest(schema)
    with replacing(path) as temporary, _writer(temporary, schema) as writer:
        for block in of_equal_size(blocks, schema):
            digest.update(block)
            writer.write_table(block, row_group_size=ROW_GROUP)
        told = {**metadata(schema), **about, "data_digest": digest.hexdigest()}
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(told, sort_keys=True)})
    return digest.hexdigest()


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a writer with the encodings that suit each type.

    A dictionary of measured numbers has as many entries as rows: it costs most of the time and a
    third of the space. Their bytes apart, first with first, are what compresses them.
    """
    floats = [column.name for column in schema if pa.types.is_floating(column.type)]
    floats += [f"{c.name}.list.element" for c in schema if pa.types.is_list(c.type)]
    repeated = [
        column.name
        for column in schema
        if pa.types.is_string(column.type)
        or (pa.types.is_integer(column.type) and column.type.bit_width < 64)
    ]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        store_schema=True,
        use_dictionary=repeated or False,
        use_byte_stream_split=floats or False,
    )


def of_equal_size(
    blocks: Iterable[pa.Table], schema: pa.Schema, rows: int = ROW_GROUP
) -> Iterator[pa.Table]:
    """Yield the rows of `blocks`, of a schema, in tables of `rows` rows, the last one shorter."""
    waiting = schema.empty_table()
    for block in blocks:
        waiting = pa.concat_tables([waiting, block.cast(schema)])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if waiting.num_rows:
        yield waiting


def read_schema(path: str | Path) -> pa.Schema:
    """Read the schema of a Parquet table with its provenance object, wherever the file keeps it.

    A table written in blocks knows its digest only after its last row, when the schema is written
    already: its provenance stands in the footer.
    """
    file = pq.read_metadata(path)
    schema = file.schema.to_arrow_schema()
    late = (file.metadata or {}).get(METADATA_KEY)
    return schema.with_metadata({**(schema.metadata or {}), METADATA_KEY: late}) if late else schema


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet table (or some of its columns) with its metadata.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    KeyError
        If a column is missing; the message names file, column and what there is.
    """
    schema = read_schema(path)
    missing = [name for name in columns or [] if name not in schema.names]
    if missing:
        raise KeyError(f"{path}: no column {missing[0]!r}; it has {', '.join(schema.names)}")
    # not by read_table, which imports what reads many files at once
    with pq.ParquetFile(path) as file:
        table = file.read(columns)
    table = table if columns is None else table.select(columns)
    return table.replace_schema_metadata(schema.metadata)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a result table as CSV with the shortest digits that read back equal."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a result table written by `write_csv`; text columns keep an empty cell as ''."""
    import pandas as pd

    # a file of a target may be called NA.csv: only an empty cell is none
    frame = pd.read_csv(
        path, dtype=dict.fromkeys(TEXTS, "str"), keep_default_na=False, na_values=[""]
    )
    text = frame.select_dtypes(include=["object", "string"]).columns
    return frame.assign(**{name: frame[name].fillna("") for name in text})
