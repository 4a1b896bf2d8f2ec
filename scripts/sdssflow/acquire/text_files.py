"""Read CSV files, plain or gzipped, as text: numbers are made of it later, with ids kept exact."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv

from sdssflow.acquire.errors import CatalogueError, unknown_column

GZIP_MAGIC = b"\x1f\x8b"
# SkyServer puts the name of its result set before the header
SKYSERVER_MARK = re.compile(rb"#Table\d+\s*$")


def read_csv_text(path: str, columns: dict[str, str]) -> pa.Table:
    """Read the mapped columns of a comma-separated file, every value as text.

    Parameters
    ----------
    path : str
        A file with one header line, UTF-8, plain or gzipped (told from its first bytes).
    columns : dict of str to str
        Catalogue name -> name in the header.

    Returns
    -------
    pyarrow.Table
        String columns under catalogue names, values as they stand in the file.

    Raises
    ------
    CatalogueError
        For a file that is no CSV, a header without a mapped column or with one twice, and rows
        whose number of values differs from the header's.
    """
    skipped, header = _read_header(path)
    for name in columns.values():
        if name not in header:
            raise unknown_column(path, name, header)
        if header.count(name) > 1:
            raise CatalogueError(
                path,
                f"the header names {name!r} {header.count(name)} times",
                "Give each column its own name.",
            )
    ragged: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"  # the first one is raised below, with a better message than Arrow's

    wanted = list(columns.values())
    try:
        with pa.input_stream(path, compression="gzip" if _is_gzip(path) else None) as stream:
            table = pa_csv.read_csv(
                stream,
                # rows are numbered only when read by one thread
                read_options=pa_csv.ReadOptions(use_threads=False, skip_rows=skipped),
                parse_options=pa_csv.ParseOptions(invalid_row_handler=note),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types={name: pa.string() for name in wanted},
                    strings_can_be_null=False,
                ),
            )
    except (pa.ArrowInvalid, OSError) as error:
        raise CatalogueError(
            path,
            f"the file can't be read as CSV ({error})",
            "It may be cut short, damaged or not UTF-8; fetch or export it again.",
        ) from error
    if ragged:
        raise _ragged(path, ragged[0], len(ragged))
    return table.rename_columns(list(columns))


def line_of_row(path: str, row: int) -> int:
    """Return the line (from 1) on which data row `row` (from 0) of a CSV file stands.

    Empty lines hold no row. Reads the file again: for messages only.
    """
    skipped, _ = _read_header(path)
    return _line_of_record(path, skipped + 1 + row)


def _line_of_record(path: str, record: int) -> int:
    """Return the line of the non-empty line number `record`, counted from 0."""
    seen = -1
    with _open(path) as stream:
        for line, content in enumerate(stream, start=1):
            seen += content not in (b"\n", b"\r\n")
            if seen == record:
                return line
    raise IndexError(f"{path} has only {seen + 1} lines that are not empty")


def _ragged(path: str, row: pa_csv.InvalidRow, count: int) -> CatalogueError:
    line = _line_of_record(path, row.number - 1)
    text = row.text if len(row.text) <= 60 else row.text[:57] + "..."
    several = f" ({count} lines are like this)" if count > 1 else ""
    return CatalogueError(
        path,
        f"the header names {row.expected_columns} columns, this line has {row.actual_columns} "
        f"values{several}: {text!r}",
        "Name every column in the header, quote values that hold commas, and look for a line that "
        "was cut short.",
        line=line,
    )


def _is_gzip(path: str) -> bool:
    with Path(path).open("rb") as stream:
        return stream.read(2) == GZIP_MAGIC


def _open(path: str) -> BinaryIO:
    return gzip.open(path) if _is_gzip(path) else Path(path).open("rb")


def _read_header(path: str) -> tuple[int, list[str]]:
    """Return how many lines stand before the header, and its column names."""
    skipped = 0
    try:
        with _open(path) as stream:
            line = stream.readline()
            if SKYSERVER_MARK.match(line):
                skipped, line = 1, stream.readline()
        text = line.decode("utf-8-sig")
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise CatalogueError(
            path,
            f"the first line can't be read ({error})",
            "The file may be cut short, damaged or not UTF-8; fetch or export it again.",
        ) from error
    if not text.strip():
        raise CatalogueError(path, "the file is empty", "Fetch or export it again.")
    if text.lstrip().startswith(("<", "{")):
        raise CatalogueError(
            path,
            f"this is no CSV but looks like a web page, XML or JSON: {text.strip()[:50]!r}",
            "Open it in a browser: a download often saves the server's message instead of the "
            "table. For a VOTable set source.format to votable.",
        )
    header = next(csv.reader([text]))
    if len(header) == 1:
        raise CatalogueError(
            path,
            f"the header {text.strip()[:50]!r} has no comma",
            "Export the table with commas between the values.",
        )
    return skipped, header
