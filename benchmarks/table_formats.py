"""Tables of any size in common formats, written in bounded memory."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from astropy.io.votable import from_table, writeto
from astropy.table import Table

BLOCK = 131_072
PLAIN = pa_csv.WriteOptions(include_header=False)


def blocks(parquet: Path) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file."""
    with pq.ParquetFile(parquet) as file:
        for batch in file.iter_batches(BLOCK):
            yield pa.Table.from_batches([batch])


def head(parquet: Path, form: str, **how: str) -> bytes:
    """Return what astropy writes for an empty table with the columns of a Parquet file."""
    empty = Table(pq.read_schema(parquet).empty_table().to_pandas().to_records(index=False))
    if form == "votable":
        document, written = from_table(empty), io.BytesIO()
        writeto(document, written)
        return written.getvalue()
    text = io.StringIO()
    empty.write(text, format=form, **how)
    return text.getvalue().encode()


def csv(parquet: Path, stream: BinaryIO) -> None:
    """Write comma-separated text."""
    stream.write((",".join(pq.read_schema(parquet).names) + "\n").encode())
    for block in blocks(parquet):
        pa_csv.write_csv(block, stream, PLAIN)


def csv_gz(parquet: Path, stream: BinaryIO) -> None:
    """Write compressed comma-separated text."""
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as packed:
        csv(parquet, packed)


def ecsv(parquet: Path, stream: BinaryIO) -> None:
    """Write text with a header that describes its columns."""
    stream.write(head(parquet, "ascii.ecsv", delimiter=","))
    for block in blocks(parquet):
        pa_csv.write_csv(block, stream, PLAIN)


def votable(parquet: Path, stream: BinaryIO) -> None:
    """Write XML with an element for each value."""
    start, end, rest = head(parquet, "votable").partition(b"</TABLE>")
    stream.write(start + b"<DATA><TABLEDATA>\n")
    for block in blocks(parquet):
        cells = [column.cast(pa.string()).fill_null("") for column in block.columns]
        rows = pc.binary_join_element_wise(*cells, "</TD><TD>")
        stream.writelines(f"<TR><TD>{row}</TD></TR>\n".encode() for row in rows.to_pylist())
    stream.write(b"</TABLEDATA></DATA>" + end + rest)


def hdf5(parquet: Path, stream: BinaryIO) -> None:
    """Write a dataset for each column."""
    total = pq.read_metadata(parquet).num_rows
    with h5py.File(stream, "w") as file:
        for field in pq.read_schema(parquet):
            file.create_dataset(field.name, (total,), field.type.to_pandas_dtype())
        start = 0
        for block in blocks(parquet):
            for name, column in zip(block.column_names, block.columns, strict=True):
                file[name][start : start + len(block)] = column.to_numpy()
            start += len(block)


FORMS: dict[str, Callable[[Path, BinaryIO], None]] = {
    "csv": csv,
    "csv.gz": csv_gz,
    "ecsv": ecsv,
    "vot": votable,
    "h5": hdf5,
}


def convert(parquet: Path, path: Path, form: str) -> None:
    """Write the rows of a Parquet file, numbers without nulls, in another form."""
    with path.open("w+b") as stream:
        FORMS[form](parquet, stream)
