"""Read VOTable files into Arrow, only the mapped columns.

What astropy passes over is looked for beforehand, in one pass of the XML parser: a status that says
the table was cut, data that lie in another file, entities, and more rows than the file can hold.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.columns import REPAIR, FileColumns, mapped_table, named_table
from sdssflow.acquire.files.containers import check_declared
from sdssflow.acquire.votable_nulls import TEXTS, masked, null_flags

CUT = ("OVERFLOW", "ERROR")
CELL_BYTES = 8
CHUNK = 1 << 20
ROWS_BETWEEN = 1 << 16


def read_votable(path: str, columns: dict[str, str], table: str | int | None) -> pa.Table:
    """Read the mapped columns of a VOTable; see `mapped_table`.

    Columns are named as FIELDs are, not by their ID. `table` is ID, name or number (from 0) of the
    TABLE, needed if there are several. A table that a server cut or that lies elsewhere is refused.
    """
    from astropy.io.votable import parse
    from astropy.io.votable.exceptions import W46

    try:
        promised = _Scan(path).promised
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            tables = list(parse(path, verify="warn").iter_tables())
    except CatalogueError:
        raise
    except Exception as error:  # astropy raises its own warnings, expat's errors and plain ones
        raise CatalogueError(
            path, f"the file can't be read as VOTable ({error})", REPAIR
        ) from error
    cut = next((warning for warning in given if issubclass(warning.category, W46)), None)
    if cut is not None:  # astropy cuts such texts, ids as well
        raise CatalogueError(
            path,
            f"a value is longer than the arraysize of its FIELD ({cut.message})",
            "Correct arraysize, or set it to '*'.",
        )
    number = _chosen(path, tables, table)
    chosen, fields = tables[number], tables[number].fields
    rows = promised.get((chosen.ID, chosen.name))
    if rows not in (None, len(chosen.array)):
        raise CatalogueError(
            path,
            f"the table is cut short: it states {rows:,} rows, {len(chosen.array):,} are there",
            REPAIR,
        )
    names = [found.name for found in fields]
    others = {
        found.name or found.ID or str(i): [column.name for column in found.fields]
        for i, found in enumerate(tables)
        if i != number
    }
    flags = None
    if any(found.datatype in TEXTS and found.name in columns.values() for found in fields):
        with Path(path).open("rb") as stream:
            flags = null_flags(stream, number, fields)
    if flags is not None and len(flags) != len(chosen.array):
        raise CatalogueError(path, "the null flags of its texts can't be read", REPAIR)
    found = FileColumns(
        names=names,
        read=lambda name: masked(chosen, names.index(name), flags),
        unit=lambda name: _unit(fields[names.index(name)]),
        others=lambda: others,
    )
    return mapped_table(path, columns, found)


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


def _unit(column: Any) -> str | None:
    if column.unit is None:
        return None
    return column.unit if isinstance(column.unit, str) else column.unit.to_string()


class _Scan:
    """What the elements of a VOTable say, read without the values.

    `promised` is how many rows a TABLE of this ID and name states.
    """

    def __init__(self, path: str) -> None:
        self.promised: dict[tuple[str | None, str | None], int] = {}
        self._path, self._stored = path, Path(path).stat().st_size
        self._rows = self._width = 0
        self._status: str | None = None  # of a table that is not whole, with what follows
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self._text, self._entity
        parser.buffer_text = True
        with Path(path).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                parser.Parse(chunk)
            parser.Parse(b"", True)

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        tag = element.rpartition(":")[2]
        if tag == "TR":
            self._rows += 1
            if self._rows % ROWS_BETWEEN == 0:
                self._check_size()
        elif tag == "TABLE":
            self._rows = self._width = 0
            if (attributes.get("nrows") or "").strip().isdigit():
                self._rows = int(attributes["nrows"])
                key = (attributes.get("ID"), attributes.get("name"))
                self.promised[key] = self._rows
        elif tag == "FIELD":
            lengths = re.findall(r"\d+", attributes.get("arraysize") or "")
            self._width += CELL_BYTES * math.prod(map(int, lengths))
        elif tag == "DATA":
            self._check_size()
        elif tag == "STREAM" and attributes.get("href"):
            raise CatalogueError(
                self._path,
                f"the table's values lie outside the file, at {attributes['href']!r}, and are not "
                "fetched from there",
                "Save the table with its values inside: as TABLEDATA or BINARY2.",
            )
        elif tag == "INFO":
            name = (attributes.get("name") or attributes.get("ID") or "").strip().upper()
            value = (attributes.get("value") or "").strip()
            cut = name == "QUERY_STATUS" and value.upper() in CUT
            # a cone search says "Error", VizieR warns of a truncated result
            cut |= name == "ERROR" or (name == "WARNING" and "truncated" in value.lower())
            self._status = f"{value} " if cut else None

    def _check_size(self) -> None:
        check_declared(self._path, max(self._rows, 1) * self._width, self._stored)

    def _text(self, text: str) -> None:
        if self._status is not None and len(self._status) < CHUNK:
            self._status += text

    def _end(self, element: str) -> None:
        if self._status is not None and element.rpartition(":")[2] == "INFO":
            raise CatalogueError(
                self._path,
                "the server says that the table is not whole: "
                + " ".join(self._status.split())[:300],
                "Ask again with a higher limit (MAXREC, maxtup) or in parts, or correct the query.",
            )

    def _entity(self, *declaration: Any) -> None:
        raise CatalogueError(
            self._path,
            f"the XML declares an entity ({declaration[0]!r}), which no table needs",
            "Save the table again as plain VOTable, without a DOCTYPE of its own.",
        )
