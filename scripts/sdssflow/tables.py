"""Read and write Parquet and CSV tables with provenance, the files exchanged between rules.

A Parquet table has a JSON object under the key ``sdssflow`` of its schema metadata with its
provenance: sample, split, seed, feature names, data digest.
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

if TYPE_CHECKING:  # not imported by downloads, whose start-up it would double
    import pandas as pd

METADATA_KEY = b"sdssflow"
DIGEST_LENGTH = 12
ROW_GROUP = 65_536
# text columns that pandas would parse as numbers if all cells are empty, digits or like 1e5
TEXTS = (
    "because", "closed_by", "data_digest", "digest", "entry", "gaps", "partition", "reason",
    "refused", "remark", "repeated", "weighted_to",
)  # fmt: skip


class ContentDigest:
    """Digest of the column names, types and values of a table in blocks.

    The digest depends on the rows and their order, not on blocks, file format, compression, library
    version, units or provenance.

    Parameters
    ----------
    schema : pyarrow.Schema
        Schema of the blocks: fixed-width columns, strings, and lists of numbers.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows = 0
        # nulls, values and lengths separately: null differs from 0, ("ab", "c") from ("a", "bc")
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
    """Return the `ContentDigest` of a table: 12 hexadecimal digits."""
    digest = ContentDigest(table.schema)
    digest.update(table)
    return digest.hexdigest()


def with_metadata(table: pa.Table, **entries: Any) -> pa.Table:
    """Return `table` with `entries` added to its provenance object, or replaced in it."""
    merged = {**metadata(table.schema), **entries}
    raw = dict(table.schema.metadata or {})
    raw[METADATA_KEY] = json.dumps(merged, sort_keys=True).encode()
    return table.replace_schema_metadata(raw)


def metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return the provenance object of a schema; empty without one."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    return json.loads(raw) if raw else {}


def write_parquet(table: pa.Table, path: str | Path) -> None:
    """Write `table` as zstd Parquet, atomically."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", store_schema=True)


def write_parquet_blocks(
    blocks: Iterable[pa.Table], schema: pa.Schema, path: str | Path, about: Mapping[str, Any]
) -> str:
    """Write blocks of any size as one zstd Parquet file, atomically, in bounded memory.

    The bytes depend on the rows and their order, not on the blocks.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
        Tables of `schema`.
    schema : pyarrow.Schema
        Schema of the file.
    path : path-like
        The file.
    about : mapping
        Entries of its provenance object, read after the last block; `data_digest` is added.

    Returns
    -------
    str
        The digest, as from `content_digest`.
    """
    digest = ContentDigest(schema)
    with replacing(path) as temporary, _writer(temporary, schema) as writer:
        for block in of_equal_size(blocks, schema):
            digest.update(block)
            writer.write_table(block, row_group_size=ROW_GROUP)
        entries = {**metadata(schema), **about, "data_digest": digest.hexdigest()}
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(entries, sort_keys=True)})
    return digest.hexdigest()


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a writer with encodings chosen by type.

    Dictionaries of measured numbers have as many entries as rows: they take most of the time and a
    third of the space. Floats compress best as byte streams, split by the position of the byte.
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
    """Yield the rows of `blocks` in tables of `rows` rows; the last one may be shorter."""
    waiting = schema.empty_table()
    for block in blocks:
        waiting = pa.concat_tables([waiting, block.cast(schema)])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if waiting.num_rows:
        yield waiting


def read_schema(path: str | Path) -> pa.Schema:
    """Read the schema of a Parquet table with its provenance object.

    For a table written in blocks, the digest is known only after the schema was written: its
    provenance is in the file's metadata.
    """
    file = pq.read_metadata(path)
    schema = file.schema.to_arrow_schema()
    raw = (file.metadata or {}).get(METADATA_KEY)
    return schema.with_metadata({**(schema.metadata or {}), METADATA_KEY: raw}) if raw else schema


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet table, or some of its columns, with its metadata.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    KeyError
        If a column is missing; the message lists the existing ones.
    """
    schema = read_schema(path)
    missing = [name for name in columns or [] if name not in schema.names]
    if missing:
        raise KeyError(f"{path}: no column {missing[0]!r}; it has {', '.join(schema.names)}")
    # read_table would import pyarrow.dataset
    with pq.ParquetFile(path) as file:
        table = file.read(columns)
    table = table if columns is None else table.select(columns)
    return table.replace_schema_metadata(schema.metadata)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a result table as CSV, with the shortest digits that are read back exactly."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a result table written by `write_csv`; empty cells of text columns are ''."""
    import pandas as pd

    # only empty cells are missing: a target's file may be called NA
    frame = pd.read_csv(
        path, dtype=dict.fromkeys(TEXTS, "str"), keep_default_na=False, na_values=[""]
    )
    text = frame.select_dtypes(include=["object", "string"]).columns
    return frame.assign(**{name: frame[name].fillna("") for name in text})
