"""Parse a VOTable without losing nulls; find row offsets in BINARY and BINARY2 tables.

astropy never masks texts. BINARY2 has a null flag per cell: the table is parsed a second time with
astropy's converters, and only the flags are kept.
"""

from __future__ import annotations

import binascii
import io
import re
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, BinaryIO
from xml.parsers import expat

import numpy as np

CHUNK = 1 << 20
TEXTS = ("char", "unicodeChar")
OLD = re.compile(rb"""(<(?:\w+:)?VOTABLE\b[^>]*?\sversion\s*=\s*["'])1\.[0-2](?=["'])""")
# message of astropy about a missing number
MISSING = r".*literal for float '\s*(null|none|nil|n/?a|-+)\s*'"


def document(content: bytes) -> Any:
    """Return astropy's document of a VOTable, whose values are as in the file or null.

    astropy only warns that it reads text among floats as null (W30), cuts texts to the arraysize of
    their field (W46) and numbers to the range of its datatype (W51): these warnings are raised,
    with row and column. Before VOTable 1.3, it would read empty integers as 0.
    """
    from astropy.io.votable import parse
    from astropy.io.votable.exceptions import W30, W46, W51, conf

    content = OLD.sub(rb"\g<1>1.3", content, count=1)
    with warnings.catch_warnings(), conf.set_temp("max_warnings", sys.maxsize):
        warnings.simplefilter("ignore")
        for kind in (W30, W46, W51):
            warnings.simplefilter("error", kind)
        warnings.filterwarnings("ignore", MISSING, W30)
        return parse(io.BytesIO(content), verify="warn")


def null_flags(stream: BinaryIO, number: int, fields: Sequence[Any]) -> np.ndarray | None:
    """Return the null flags of a table, shape (n_rows, n_fields); None if it is not BINARY2.

    Parameters
    ----------
    stream : file
        The XML, uncompressed.
    number : int
        Number of the TABLE, from 0, in document order.
    fields : sequence of astropy.io.votable.tree.Field
        Its columns.
    """
    raw = io.BytesIO()
    if not unpack(stream, number, raw, ("BINARY2",)):
        return None
    raw.seek(0)
    return _flags(raw, fields)


def unpack(
    stream: BinaryIO, number: int, raw: BinaryIO, forms: Sequence[str] = ("BINARY", "BINARY2")
) -> bool:
    """Write the decoded rows of a table to `raw`; return whether it has one of these `forms`.

    ValueError if they are not valid base64.
    """
    table, inside, found = -1, False, False
    waiting = ""  # fewer than four characters, which encode three bytes

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal table, inside, found
        tag = element.rpartition(":")[2]
        table += tag == "TABLE"
        if tag in forms and table == number:
            inside = found = True

    def end(element: str) -> None:
        nonlocal inside
        if inside and element.rpartition(":")[2] in forms:
            inside = False
            raw.write(binascii.a2b_base64(waiting))

    def text(part: str) -> None:
        nonlocal waiting
        if inside:
            letters = waiting + "".join(part.split())
            whole = len(letters) & ~3
            raw.write(binascii.a2b_base64(letters[:whole]))
            waiting = letters[whole:]

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.buffer_text = text, True
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        parser.Parse(chunk)
    return found


def where_rows_begin(
    raw: BinaryIO, fields: Sequence[Any], flagged: bool, every: int
) -> tuple[list[int], int]:
    """Return the offset of each `every`-th row and of the end, and the number of rows.

    Rows of BINARY2 are `flagged`. EOFError if the last row is incomplete.
    """
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    read = partial(_exactly, raw)
    places, count, place = [], 0, 0
    fixed = not any("*" in (field.arraysize or "") for field in fields)
    while place < size:
        if count % every == 0:
            places.append(place)
        read((len(fields) + 7) // 8 if flagged else 0)
        for field in fields:
            field.converter.binparse(read)
        count, place = count + 1, raw.tell()
        if fixed:  # all rows have the same length
            count, rest = divmod(size, place)
            if rest:
                raise EOFError("the last row is incomplete")
            return [*range(0, size, place * every), size], count
    return [*places, size], count


def masked(table: Any, place: int, flags: np.ndarray | None) -> np.ma.MaskedArray:
    """Return a column of a TABLE, masked where null; `flags` as returned by `null_flags`."""
    values, field = np.ma.asarray(table.array[table.array.dtype.names[place]]), table.fields[place]
    if field.datatype not in TEXTS:
        return values
    mask = np.ma.getmaskarray(values).copy()
    if flags is not None:
        mask |= flags[:, place]
    if field.values.null is not None:
        mask |= values == field.values.null
    return np.ma.array(np.ma.getdata(values), mask=mask)


def _exactly(raw: BinaryIO, length: int) -> bytes:
    part = raw.read(length)
    if len(part) < length:
        raise EOFError("the last row is incomplete")
    return part


def _flags(raw: BinaryIO, fields: Sequence[Any]) -> np.ndarray:
    read = partial(_exactly, raw)
    rows: list[np.ndarray] = []
    try:
        while True:
            bits = np.frombuffer(read((len(fields) + 7) // 8), np.uint8)
            for field in fields:
                field.converter.binparse(read)
            rows.append(np.unpackbits(bits)[: len(fields)].astype(bool))
    except EOFError:
        return np.array(rows, dtype=bool).reshape(-1, len(fields))
