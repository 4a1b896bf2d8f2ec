"""Scan the elements of a VOTable, without its values, for its status and the offsets of its rows.

One pass of the XML parser detects what astropy ignores: a status of truncation, data in another
file, entities, and more rows than the file can hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.containers import check_declared

CUT = ("OVERFLOW", "ERROR")
FORMS = ("TABLEDATA", "BINARY", "BINARY2", "")  # those with row offsets
CELL_BYTES = 8
CHUNK = 1 << 20
ROWS_BETWEEN = 1 << 16
NROWS = re.compile(rb"""(<(?:\w+:)?TABLE\b[^>]*?)\snrows\s*=\s*(?:"[^"]*"|'[^']*')""")


@dataclass
class Rows:
    """Byte offsets of the rows of one TABLE."""

    promised: int | None  # number of rows that it states
    start: int = -1  # of its DATA element
    end: int = -1  # of the content of DATA
    form: str = ""  # element in DATA, as TABLEDATA
    prefix: str = ""  # of its namespace
    count: int = 0  # of TR elements
    places: list[int] = field(default_factory=list)  # of every `every`-th TR, and of the end
    # sort key for astropy's order: tables of a RESOURCE, then of nested ones
    order: tuple[int, ...] = ()


class Scan:
    """Scans a VOTable; `tables` has the offsets of each table and of every `every`-th row."""

    def __init__(self, path: str, every: int) -> None:
        self.tables: list[Rows] = []
        self._path, self._stored, self._every = path, Path(path).stat().st_size, every
        self._rows = self._width = 0
        self._status: str | None = None  # message of an incomplete table
        self._resources = [0]  # number of earlier ones at each level
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity
        self._parser.buffer_text = True
        with Path(path).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                self._parser.Parse(chunk)
            self._parser.Parse(b"", True)

    def in_order(self) -> list[int]:
        """Return the tables' places in the document in astropy's order."""
        return sorted(range(len(self.tables)), key=lambda place: self.tables[place].order)

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        prefix, _, tag = element.rpartition(":")
        if tag == "TD":
            return
        if tag == "TR":
            self._rows += 1
            if self._rows % ROWS_BETWEEN == 0:
                self._check_size()
            its = self.tables[-1]
            if its.count % self._every == 0:
                its.places.append(self._parser.CurrentByteIndex)
            its.count += 1
        elif tag == "TABLE":
            stated = (attributes.get("nrows") or "").strip()
            promised = int(stated) if stated.isdigit() else None
            self._rows, self._width = promised or 0, 0
            order = (*self._resources[:-1], 0, len(self.tables))
            self.tables.append(Rows(promised, order=order))
        elif tag == "RESOURCE":
            self._resources[-1] += 1
            self._resources.append(0)
        elif tag == "FIELD":
            lengths = re.findall(r"\d+", attributes.get("arraysize") or "")
            self._width += CELL_BYTES * math.prod(map(int, lengths))
        elif tag == "DATA":
            self.tables[-1].start, self.tables[-1].prefix = self._parser.CurrentByteIndex, prefix
            self._check_size()
        elif tag in ("TABLEDATA", "BINARY", "BINARY2", "FITS", "PARQUET"):
            self.tables[-1].form = tag
        elif tag == "STREAM" and attributes.get("href"):
            raise CatalogueError(
                self._path,
                f"the table's values are outside the file, at {attributes['href']!r}, and are not "
                "fetched from there",
                "Save the table with its values in the file, as TABLEDATA or BINARY2.",
            )
        elif tag == "INFO":
            name = (attributes.get("name") or attributes.get("ID") or "").strip().upper()
            value = (attributes.get("value") or "").strip()
            cut = name == "QUERY_STATUS" and value.upper() in CUT
            # cone searches say "Error", VizieR warns of a truncated result
            cut |= name == "ERROR" or (name == "WARNING" and "truncated" in value.lower())
            self._status = f"{value} " if cut else None
            self._parser.CharacterDataHandler = self._text if cut else None

    def _check_size(self) -> None:
        check_declared(self._path, max(self._rows, 1) * self._width, self._stored)

    def _text(self, text: str) -> None:
        if self._status is not None and len(self._status) < CHUNK:
            self._status += text

    def _end(self, element: str) -> None:
        tag = element.rpartition(":")[2]
        if tag == "DATA":
            self.tables[-1].end = self._parser.CurrentByteIndex
        elif tag == "TABLEDATA":
            self.tables[-1].places.append(self._parser.CurrentByteIndex)
        elif tag == "RESOURCE":
            self._resources.pop()
        elif tag == "INFO" and self._status is not None:
            raise CatalogueError(
                self._path,
                "the server says that the table is incomplete: "
                + " ".join(self._status.split())[:300],
                "Query with a higher limit (MAXREC, maxtup) or in parts, or correct the query.",
            )

    def _entity(self, *declaration: Any) -> None:
        raise CatalogueError(
            self._path,
            f"the XML declares an entity ({declaration[0]!r}), which no table needs",
            "Save the table again as plain VOTable, without a DOCTYPE.",
        )


def has_blocks(path: str, tables: Sequence[Rows]) -> bool:
    """Return whether `with_rows` can be used: data in ASCII with known row offsets."""
    with Path(path).open("rb") as stream:
        head = stream.read(64)
    return b"\0" not in head and all(its.form in FORMS for its in tables)


def with_rows(path: str, tables: Sequence[Rows], number: int, body: bytes) -> bytes:
    """Return the document with `body` as the only rows, in the DATA of table `number`.

    Stated numbers of rows are removed.
    """
    pieces, start = [], 0
    with Path(path).open("rb") as stream:
        for place, its in enumerate(tables):
            if its.form:
                stream.seek(start)
                outside = stream.read(its.start - start)
                colon = f"{its.prefix}:" if its.prefix else ""
                form = f"{colon}{its.form}".encode()
                inside = body if place == number else b""
                if its.form != "TABLEDATA":
                    name = f"{colon}STREAM".encode()
                    inside = b'<%b encoding="base64">%b</%b>' % (name, inside, name)
                data = b"<%bDATA><%b>%b</%b>" % (colon.encode(), form, inside, form)
                pieces += [NROWS.sub(rb"\1", outside), data]
                start = its.end
        stream.seek(start)
        pieces.append(NROWS.sub(rb"\1", stream.read()))
    return b"".join(pieces)
