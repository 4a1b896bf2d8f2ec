"""Which texts of a VOTable are null: astropy masks numbers alone.

A table in BINARY2 has a flag for each cell: it is walked once more, by astropy's own parsers of
values, and only the flags are kept.
"""

from __future__ import annotations

import binascii
import io
from collections.abc import Sequence
from typing import Any, BinaryIO
from xml.parsers import expat

import numpy as np

CHUNK = 1 << 20
TEXTS = ("char", "unicodeChar")


def null_flags(stream: BinaryIO, number: int, fields: Sequence[Any]) -> np.ndarray | None:
    """Return the null flags of a table, shape (n_rows, n_fields); None if it is not in BINARY2.

    Parameters
    ----------
    stream : file
        The XML, unpacked.
    number : int
        Which TABLE, from 0 in the order of the document.
    fields : sequence of astropy.io.votable.tree.Field
        Its columns.
    """
    content = _Binary2(number)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = content.start, content.end
    parser.CharacterDataHandler = content.text
    parser.buffer_text = True
    while chunk := stream.read(CHUNK):
        parser.Parse(chunk)
    if not content.found:
        return None
    return _flags(io.BytesIO(binascii.a2b_base64(b"".join(content.pieces))), fields)


def masked(table: Any, place: int, flags: np.ndarray | None) -> np.ma.MaskedArray:
    """Return a column of a TABLE, masked where it has no value; `flags` as by `null_flags`."""
    values, field = np.ma.asarray(table.array[table.array.dtype.names[place]]), table.fields[place]
    if field.datatype not in TEXTS:
        return values
    mask = np.ma.getmaskarray(values).copy()
    if flags is not None:
        mask |= flags[:, place]
    if field.values.null is not None:
        mask |= values == field.values.null
    return np.ma.array(np.ma.getdata(values), mask=mask)


def _flags(raw: io.BytesIO, fields: Sequence[Any]) -> np.ndarray:
    def read(length: int) -> bytes:
        part = raw.read(length)
        if len(part) < length:
            raise EOFError
        return part

    rows: list[np.ndarray] = []
    try:
        while True:
            bits = np.frombuffer(read((len(fields) + 7) // 8), np.uint8)
            for field in fields:
                field.converter.binparse(read)
            rows.append(np.unpackbits(bits)[: len(fields)].astype(bool))
    except EOFError:
        return np.array(rows, dtype=bool).reshape(-1, len(fields))


class _Binary2:
    """Collects the text of the STREAM in the BINARY2 of one TABLE."""

    def __init__(self, number: int) -> None:
        self.pieces: list[bytes] = []
        self.found = False
        self._number = number
        self._table = -1
        self._inside = False

    def start(self, element: str, attributes: dict[str, str]) -> None:
        tag = element.rpartition(":")[2]
        self._table += tag == "TABLE"
        if tag == "BINARY2" and self._table == self._number:
            self._inside = self.found = True

    def end(self, element: str) -> None:
        if element.rpartition(":")[2] == "BINARY2":
            self._inside = False

    def text(self, text: str) -> None:
        if self._inside:
            self.pieces.append(text.encode())
