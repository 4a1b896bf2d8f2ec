"""Read FITS tables into Arrow, only the mapped columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sdssflow.acquire.errors import SUM_REPAIR, CatalogueError
from sdssflow.acquire.files.columns import (
    REPAIR,
    FileColumns,
    Part,
    mapped_table,
    named_table,
    needed_columns,
)

TRUE, FALSE, NO_LOGICAL = ord("T"), ord("F"), 0


def read_fits(path: str, columns: dict[str, str], table: str | int | None) -> pa.Table:
    """Read the mapped columns of a FITS table, binary or ASCII; see `mapped_table`.

    `table` is name or number of the extension; by default the first table is read, unless another
    has these columns too. Stored values
    equal to TNULL are null, whatever TSCAL and TZERO make of them; NaN and empty text stay as they
    are, and are counted later. A file that is cut short or fails its own checksums is refused.
    """
    with _table(path, table) as (hdu, others):
        _check_whole(path, hdu)
        _check_only(path, columns, table, hdu, others)
        return _mapped(path, columns, hdu, others, slice(None))


def fits_blocks(
    path: str, columns: dict[str, str], table: str | int | None, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a table.

    The file is opened for each block: pages of it that were read don't stay in memory.
    """
    with _table(path, table) as (hdu, others):
        _check_whole(path, hdu)
        _check_only(path, columns, table, hdu, others)
        total = hdu.header["NAXIS2"]
    for block in part.slices(total, rows):
        with _table(path, table) as (hdu, others):
            found = _mapped(path, columns, hdu, others, block)
        yield block.start, found


@contextmanager
def _table(path: str, table: str | int | None) -> Iterator[tuple[Any, Callable]]:
    """Open a table; yield its extension, and what tells the columns of the others."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings(), fits.open(path, memmap=True) as file:
            warnings.simplefilter("ignore")  # of a cut or damaged file: those get errors below
            kinds = fits.BinTableHDU | fits.TableHDU
            tables = {number: hdu for number, hdu in enumerate(file) if isinstance(hdu, kinds)}
            if not tables:
                raise CatalogueError(
                    path,
                    "no extension holds a table",
                    "Use the FITS file of a catalogue. If it is one, it was cut short: fetch it "
                    "again.",
                )
            number = next(iter(tables))
            if table is not None:
                names = {number: [hdu.name] for number, hdu in tables.items()}
                number = named_table(path, table, names, str.upper)
            hdu = tables[number]
            yield hdu, lambda: _others(tables, number)
            for column in hdu.columns:  # else astropy copies each one when the file is closed
                del column.array
    except CatalogueError:
        raise
    except Exception as error:  # astropy has no family of errors of its own
        raise CatalogueError(path, f"the file can't be read as FITS ({error})", REPAIR) from error


def _mapped(
    path: str, columns: dict[str, str], hdu: Any, others: Callable, rows: slice
) -> pa.Table:
    """Return the mapped columns of some rows."""
    return mapped_table(path, columns, _described(path, hdu, others, rows))


def _described(path: str, hdu: Any, others: Callable, rows: slice) -> FileColumns:
    return FileColumns(
        names=hdu.columns.names,
        read=lambda name: _values(path, hdu, name, rows),
        unit=lambda name: hdu.columns[hdu.columns.names.index(name)].unit,
        others=others,
        fold_case=True,
    )


def _check_only(
    path: str, columns: dict[str, str], table: str | int | None, hdu: Any, others: Callable
) -> None:
    """Refuse to choose among tables that all have the mapped columns."""
    if table is None:
        needed = set(needed_columns(path, columns, _described(path, hdu, others, slice(None))))
        alike = [name for name, its in others().items() if needed <= set(its)]
        if alike:
            raise CatalogueError(
                path,
                f"{len(alike) + 1} tables of the file have these columns",
                f"Set source.table to one of: {hdu.name or 1}, {', '.join(alike)}.",
            )


def _others(tables: dict[int, Any], chosen: int) -> dict[str, list[str]]:
    """Return the columns of the other tables, by their names where those are unique."""
    names = [hdu.name for hdu in tables.values()]
    return {
        hdu.name if hdu.name and names.count(hdu.name) == 1 else str(number): hdu.columns.names
        for number, hdu in tables.items()
        if number != chosen
    }


def _check_whole(path: str, hdu: Any) -> None:
    """Refuse a table that is cut short, packed, not what its sums say, or names a column twice."""
    header, stored = hdu.header, Path(path).stat().st_size
    if header.get("ZTABLE"):
        raise CatalogueError(
            path, "the table is compressed inside the file (ZTABLE)", "Unpack it: funpack FILE."
        )
    promised = header["NAXIS1"] * header["NAXIS2"]
    if hdu.fileinfo()["datLoc"] + promised + header.get("PCOUNT", 0) > stored:
        raise CatalogueError(
            path, f"the file is cut short: its header promises {header['NAXIS2']:,} rows", REPAIR
        )
    for keyword, verify in (("DATASUM", hdu.verify_datasum), ("CHECKSUM", hdu.verify_checksum)):
        try:
            holds = keyword not in header or verify() == 1
        except ValueError:  # the header's checksum is no number
            holds = False
        if not holds:
            raise CatalogueError(
                path,
                f"the table does not have the {keyword} that its header states: a byte was changed",
                SUM_REPAIR,
            )
    names = hdu.columns.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:  # mapped or not: astropy can't lay out the rows then
        raise CatalogueError(
            path,
            f"the file names {twice!r} {names.count(twice)} times",
            "Give each column its own name.",
        )


def _values(path: str, hdu: Any, name: str, rows: slice) -> np.ma.MaskedArray | np.ndarray:
    """Return some rows of a column in true values, masked where the stored one means "none"."""
    place = hdu.columns.names.index(name)
    column, data = hdu.columns[place], hdu.data[rows]
    stored = data.view(np.ndarray)[data.dtype.names[place]]
    if stored.dtype.kind == "S":
        if hdu.header["XTENSION"].strip() == "BINTABLE" or str(column.format).startswith("A"):
            return stored  # text, to be decoded with a message of our own
        # a number of an ASCII table is null if its field is blank or TNULL
        words, null = np.char.strip(stored), str(column.null or "").strip().encode()
        return np.ma.array(np.asarray(data.field(name)), mask=(words == b"") | (words == null))
    values = data.field(name)
    if values.dtype.kind == "b" and stored.dtype == np.int8:
        other = ~np.isin(stored, (TRUE, FALSE, NO_LOGICAL))
        if other.any():
            raise CatalogueError(
                path,
                "a logical value is neither T, F nor empty",
                "Write the column as booleans or as 0 and 1.",
                column=name,
                row=(rows.start or 0) + int(np.argmax(other.reshape(len(other), -1).any(axis=1))),
            )
        return np.ma.array(stored == TRUE, mask=stored == NO_LOGICAL)
    if isinstance(column.null, int) and stored.dtype.kind in "iu" and values.ndim == stored.ndim:
        return np.ma.array(values, mask=stored == column.null)
    return values
