"""Read the mapped columns of VOTable files into Arrow, in blocks of rows.

astropy reads only complete documents: for each block, it gets one with the header of the file and
some of its rows.
"""

from __future__ import annotations

import io
import re
from binascii import b2a_base64
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from xml.parsers.expat import ExpatError

import pyarrow as pa

from sdssflow.acquire.errors import REPAIR, CatalogueError
from sdssflow.acquire.files.columns import (
    ALL_ROWS,
    ASTROPY_ROWS,
    FileColumns,
    Part,
    mapped_table,
    named_table,
    needed_columns,
)
from sdssflow.acquire.files.votable_scan import Rows, Scan, has_blocks, with_rows
from sdssflow.acquire.units import votable_unit
from sdssflow.acquire.votable_nulls import (
    TEXTS,
    document,
    masked,
    null_flags,
    unpack,
    where_rows_begin,
)

TR, TD = re.compile(rb"<(?:\w+:)?TR\b"), re.compile(rb"<(?:\w+:)?TD\b")
MOST_AS_A_WHOLE = 200_000_000  # bytes of a file that can't be read in blocks


def votable_blocks(
    path: str, columns: dict[str, str], table: str | int | None, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a VOTable; see `mapped_table`.

    Columns are identified by the name of their FIELD, not its ID. `table` is ID, name or number
    (from 0) of the TABLE, required if there are several. Tables truncated by the server or stored
    elsewhere are refused, as are large ones that contain FITS or are in UTF-16, unless all rows are
    requested at once.
    """
    most = float("inf") if rows == ALL_ROWS else MOST_AS_A_WHOLE
    rows = min(rows, ASTROPY_ROWS)
    try:
        scan = Scan(path, rows)
    except ExpatError as error:
        raise _unreadable(path, error) from error
    in_blocks = has_blocks(path, scan.tables)
    if not in_blocks:
        _refuse_large(path, most)
    content = with_rows(path, scan.tables, -1, b"") if in_blocks else Path(path).read_bytes()
    tables = _parsed(path, content)
    number = _chosen(path, tables, table)
    place = scan.in_order()[number]
    its = scan.tables[place]
    described = _columns(path, tables, number, place, content, columns.values())
    needed_columns(path, columns, described)
    if not in_blocks:
        total = len(tables[number].array)
        _check_promised(path, its, total)
        whole = partial(mapped_table, path, columns, described)
        yield from part.of_pieces([(total, whole)], total)
        return

    def read(stream: BinaryIO, begin: int, end: int, first: int) -> pa.Table:
        stream.seek(begin)
        body = stream.read(end - begin)
        body = body if its.form == "TABLEDATA" else b2a_base64(body, newline=False)
        content = with_rows(path, scan.tables, place, body)
        tables = _parsed(path, content, first)
        described = _columns(path, tables, number, place, content, columns.values())
        return mapped_table(path, columns, described)

    with Path(path).open("rb") as source, TemporaryFile() as raw:
        stream: BinaryIO = source
        places, total = its.places, its.count
        if its.form.startswith("BINARY"):
            try:
                unpack(source, place, raw)
                fields, flagged = tables[number].fields, its.form == "BINARY2"
                stream, (places, total) = raw, where_rows_begin(raw, fields, flagged, rows)
            except (ValueError, EOFError, OSError) as error:
                raise _unreadable(path, error) from error
        _check_promised(path, its, total)
        pieces = (
            (min(rows, total - first), partial(read, stream, begin, end, first))
            for first, (begin, end) in zip(range(0, total, rows), pairwise(places), strict=True)
        )
        yield from part.of_pieces(pieces, total)


def _refuse_large(path: str, most: float) -> None:
    if (size := Path(path).stat().st_size) > most:
        raise CatalogueError(
            path,
            f"a VOTable that contains a FITS file or is in UTF-16 is read at once; this one has "
            f"{size:,} bytes, more than {most:,}",
            "Write it as Parquet or FITS, with astropy: Table.read(FILE).write('table.fits').",
        )


def _check_promised(path: str, its: Rows, total: int) -> None:
    if its.promised not in (None, total):
        raise CatalogueError(
            path,
            f"the table is truncated: it states {its.promised:,} rows, but has {total:,}",
            REPAIR,
        )


def _unreadable(path: str, error: Exception, first: int = 0) -> CatalogueError:
    what = f"the rows from {first:,} on" if first else "the file"
    return CatalogueError(path, f"{what} can't be read as VOTable ({error})", REPAIR)


def _parsed(path: str, content: bytes, first: int = 0) -> list[Any]:
    """Return the tables of a document; `first` is the row of the file with which it begins."""
    from astropy.io.votable.exceptions import W30, W46, W51

    try:
        return list(document(content).iter_tables())
    except Exception as error:  # astropy raises expat's errors and others
        if isinstance(error, W30 | W46 | W51) or " (in row " in str(error):
            raise _misfit(path, content, str(error), first) from error
        raise _unreadable(path, error, first) from error


def _misfit(path: str, content: bytes, words: str, first: int) -> CatalogueError:
    """Return the error for a cell, from words that begin with its position in `content`."""
    _, line, place, *_, said = words.split(":", 4)
    row, cell = None, ""
    if line.isdigit() and TR.search(content):
        lines = content.splitlines(keepends=True)
        before = b"".join(lines[: int(line) - 1]) + lines[int(line) - 1][: int(place)]
        rows = TR.split(before.rpartition(b"TABLEDATA>")[2])
        row, cell = first + len(rows) - 2, f"value {len(TD.findall(rows[-1]))} "
    said = re.split(r" \(in row |\.  ", said)[0].strip()  # that row is counted in the block
    return CatalogueError(
        path,
        f"{cell}does not fit its FIELD: {said}",
        "Correct it, look for a missing or extra value before it, or correct datatype and "
        "arraysize of the FIELD ('*' fits any text). An empty cell is a missing value.",
        row=row,
    )


def _columns(
    path: str,
    tables: Sequence[Any],
    number: int,
    place: int,
    content: bytes,
    wanted: Collection[str],
) -> FileColumns:
    """Return the columns of a table, the one at `place` in document order."""
    chosen, fields = tables[number], tables[number].fields
    names = [found.name for found in fields]
    others = {
        found.name or found.ID or str(i): [column.name for column in found.fields]
        for i, found in enumerate(tables)
        if i != number
    }
    flags = None
    if any(found.datatype in TEXTS and found.name in wanted for found in fields):
        flags = null_flags(io.BytesIO(content), place, fields)
    if flags is not None and len(flags) != len(chosen.array):
        raise CatalogueError(path, "the null flags of its texts can't be read", REPAIR)
    return FileColumns(
        names=names,
        read=lambda name: masked(chosen, names.index(name), flags),
        unit=lambda name: votable_unit(fields[names.index(name)]),
        others=lambda: others,
    )


def _chosen(path: str, tables: Sequence[Any], table: str | int | None) -> int:
    names = {i: [x for x in (found.name, found.ID) if x] for i, found in enumerate(tables)}
    if table is not None:
        return named_table(path, table, names)
    if len(tables) != 1:
        listed = ", ".join(its[0] if its else str(i) for i, its in names.items())
        raise CatalogueError(
            path,
            f"the file holds {len(tables)} tables",
            f"Set source.table to one of: {listed}." if tables else REPAIR,
        )
    return 0
