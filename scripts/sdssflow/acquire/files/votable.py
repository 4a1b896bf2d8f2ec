"""Read VOTable files into Arrow, only the mapped columns.

What astropy passes over is looked for beforehand, in one pass of the XML parser: a status that says
the table was cut, data that lie in another file, entities, and more rows than the file can hold.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.columns import REPAIR, FileColumns, mapped_table
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

    scan = _scan(path)
    try:
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            tables = list(parse(path, verify="warn").iter_tables())
    except Exception as error:  # astropy raises its own warnings, expat's errors and plain ones
        raise CatalogueError(
            path, f"the file can't be read as VOTable ({error})", REPAIR
        ) from error
    _check_lengths(path, given)
    number = _chosen(path, tables, table)
    chosen = tables[number]
    _check_rows(path, chosen, scan)
    names = [found.name for found in chosen.fields]
    others = {
        _label(i, found): [column.name for column in found.fields]
        for i, found in enumerate(tables)
        if i != number
    }
    flags = _text_flags(path, number, chosen, columns)
    found = FileColumns(
        names=names,
        read=lambda name: masked(chosen, names.index(name), flags),
        unit=lambda name: _unit(chosen.fields[names.index(name)]),
        others=lambda: others,
    )
    return mapped_table(path, columns, found)


def _label(number: int, table: Any) -> str:
    return table.name or table.ID or str(number)


def _chosen(path: str, tables: Sequence[Any], table: str | int | None) -> int:
    names = ", ".join(_label(i, found) for i, found in enumerate(tables))
    if table is None and len(tables) != 1:
        raise CatalogueError(
            path,
            f"the file holds {len(tables)} tables",
            f"Set source.table to one of: {names}." if tables else REPAIR,
        )
    if table is None:
        return 0
    alike = [i for i, found in enumerate(tables) if str(table) in (str(i), found.ID, found.name)]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise CatalogueError(
            path,
            f"{len(alike)} tables are called {table!r}",
            f"Set source.table to the number of one, from 0 to {len(tables) - 1}.",
        )
    raise CatalogueError(
        path, f"no table {table!r}", f"Set source.table to one of: {names}; numbers count from 0."
    )


def _check_lengths(path: str, given: Sequence[warnings.WarningMessage]) -> None:
    """Refuse texts that are longer than their FIELD says: astropy cuts them, ids as well."""
    from astropy.io.votable.exceptions import W46

    cut = next((warning for warning in given if issubclass(warning.category, W46)), None)
    if cut is not None:
        raise CatalogueError(
            path,
            f"a value is longer than the arraysize of its FIELD ({cut.message})",
            "Correct arraysize, or set it to '*'.",
        )


def _text_flags(path: str, number: int, table: Any, columns: dict[str, str]) -> np.ndarray | None:
    """Return the null flags of all cells, if a text is mapped and the file has such flags."""
    texts = {found.name for found in table.fields if found.datatype in TEXTS}
    if texts.isdisjoint(columns.values()):
        return None
    with Path(path).open("rb") as stream:
        flags = null_flags(stream, number, table.fields)
    if flags is not None and len(flags) != len(table.array):
        raise CatalogueError(path, "the null flags of its texts can't be read", REPAIR)
    return flags


def _unit(column: Any) -> str | None:
    if column.unit is None:
        return None
    return column.unit if isinstance(column.unit, str) else column.unit.to_string()


def _check_rows(path: str, table: Any, scan: _Scan) -> None:
    promised = scan.promised.get((table.ID, table.name))
    if promised is not None and promised != len(table.array):
        raise CatalogueError(
            path,
            f"the table is cut short: it states {promised:,} rows, {len(table.array):,} are there",
            REPAIR,
        )


@dataclass
class _Scan:
    """What the elements of a VOTable say, read without the values."""

    path: str
    promised: dict[tuple[str | None, str | None], int] = field(default_factory=dict)
    _rows: int = 0
    _width: int = 0
    _status: tuple[str, list[str]] | None = None

    def start(self, element: str, attributes: dict[str, str]) -> None:
        tag = element.rpartition(":")[2]
        if tag == "TR":
            self._rows += 1
            if self._rows % ROWS_BETWEEN == 0:
                self._count()
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
            self._count()
        elif tag == "STREAM" and attributes.get("href"):
            raise CatalogueError(
                self.path,
                f"the table's values lie outside the file, at {attributes['href']!r}, and are not "
                "fetched from there",
                "Save the table with its values inside: as TABLEDATA or BINARY2.",
            )
        elif tag == "INFO":
            self._info(attributes)

    def _count(self) -> None:
        declared = max(self._rows, 1) * self._width
        check_declared(self.path, declared, Path(self.path).stat().st_size)

    def _info(self, attributes: dict[str, str]) -> None:
        name = (attributes.get("name") or attributes.get("ID") or "").strip().upper()
        value = (attributes.get("value") or "").strip()
        cut = name == "QUERY_STATUS" and value.upper() in CUT
        # a cone search says "Error", VizieR warns of a truncated result
        cut |= name == "ERROR" or (name == "WARNING" and "truncated" in value.lower())
        if cut:
            self._status = (value, [])

    def text(self, text: str) -> None:
        if self._status is not None and sum(map(len, self._status[1])) < CHUNK:
            self._status[1].append(text)

    def end(self, element: str) -> None:
        if self._status is None or element.rpartition(":")[2] != "INFO":
            return
        value, texts = self._status
        said = " ".join(f"{value} {''.join(texts)}".split())[:300]
        raise CatalogueError(
            self.path,
            f"the server says that the table is not whole: {said}",
            "Ask again with a higher limit (MAXREC, maxtup) or in parts, or correct the query.",
        )

    def entity(self, *declaration: Any) -> None:
        raise CatalogueError(
            self.path,
            f"the XML declares an entity ({declaration[0]!r}), which no table needs",
            "Save the table again as plain VOTable, without a DOCTYPE of its own.",
        )


def _scan(path: str) -> _Scan:
    scan = _Scan(path)
    parser = expat.ParserCreate()
    parser.StartElementHandler = scan.start
    parser.EndElementHandler = scan.end
    parser.CharacterDataHandler = scan.text
    parser.EntityDeclHandler = scan.entity
    parser.buffer_text = True
    try:
        with Path(path).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except (expat.ExpatError, OSError, ValueError) as error:
        if isinstance(error, CatalogueError):
            raise
        raise CatalogueError(
            path, f"the file can't be read as VOTable ({error})", REPAIR
        ) from error
    return scan
