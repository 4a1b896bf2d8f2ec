"""Read FITS tables into Arrow, only the mapped columns."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sdssflow.acquire.errors import SUM_REPAIR, CatalogueError
from sdssflow.acquire.files.columns import REPAIR, FileColumns, mapped_table

TRUE, FALSE, NO_LOGICAL = ord("T"), ord("F"), 0


def read_fits(path: str, columns: dict[str, str], table: str | int | None) -> pa.Table:
    """Read the mapped columns of a FITS table, binary or ASCII; see `mapped_table`.

    `table` is name or number of the extension; by default the first table is read. Stored values
    equal to TNULL are null, whatever TSCAL and TZERO make of them; NaN and empty text stay as they
    are, and are counted later. A file that is cut short or fails its own checksums is refused.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings(), fits.open(path, memmap=True) as file:
            warnings.simplefilter("ignore")  # of a cut or damaged file: those get errors below
            hdus = _tables(path, file)
            hdu = _chosen(path, hdus, table)
            _check_whole(path, hdu)
            _check_names(path, hdu.columns.names)
            found = FileColumns(
                names=hdu.columns.names,
                read=lambda name: _values(path, hdu, name),
                unit=lambda name: hdu.columns[hdu.columns.names.index(name)].unit,
                others=lambda: {
                    label: other.columns.names
                    for label, other in _labels(hdus).items()
                    if other is not hdu
                },
                fold_case=True,
            )
            mapped = mapped_table(path, columns, found)
            for column in hdu.columns:  # else astropy copies each one when the file is closed
                del column.array
            return mapped
    except CatalogueError:
        raise
    except Exception as error:  # astropy has no family of errors of its own
        raise CatalogueError(path, f"the file can't be read as FITS ({error})", REPAIR) from error


def _tables(path: str, file: Any) -> dict[int, Any]:
    from astropy.io import fits

    tables = {
        i: hdu for i, hdu in enumerate(file) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)
    }
    if not tables:
        raise CatalogueError(
            path,
            "no extension holds a table",
            "Use the FITS file of a catalogue. If it is one, it was cut short: fetch it again.",
        )
    return tables


def _labels(tables: dict[int, Any]) -> dict[str, Any]:
    """Return the tables by their names, where those are unique, else by their numbers."""
    names = [hdu.name for hdu in tables.values()]
    return {
        hdu.name if hdu.name and names.count(hdu.name) == 1 else str(number): hdu
        for number, hdu in tables.items()
    }


def _chosen(path: str, tables: dict[int, Any], table: str | int | None) -> Any:
    if table is None:
        return next(iter(tables.values()))
    wanted = str(table).strip()
    alike = [
        hdu
        for number, hdu in tables.items()
        if wanted == str(number) or wanted.upper() == hdu.name.upper()
    ]
    if len(alike) == 1:
        return alike[0]
    names = ", ".join(f"{number} {hdu.name}".rstrip() for number, hdu in tables.items())
    if alike:
        raise CatalogueError(
            path,
            f"{len(alike)} table extensions are called {table!r}",
            f"Set source.table to the number of one: {names}.",
        )
    raise CatalogueError(
        path,
        f"no table extension {table!r}",
        f"Set source.table to one of: {names}; the name or the number will do.",
    )


def _check_whole(path: str, hdu: Any) -> None:
    """Refuse a table that is cut short, packed, or not what its checksums say."""
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
        if keyword in header and not _holds(verify):
            raise CatalogueError(
                path,
                f"the table does not have the {keyword} that its header states: a byte was changed",
                SUM_REPAIR,
            )


def _check_names(path: str, names: list[str]) -> None:
    """Refuse a name that stands twice, mapped or not: astropy can't lay out the rows then."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CatalogueError(
            path,
            f"the file names {twice!r} {names.count(twice)} times",
            "Give each column its own name.",
        )


def _holds(verify: Any) -> bool:
    try:
        return verify() == 1
    except ValueError:  # the header's checksum is no number
        return False


def _values(path: str, hdu: Any, name: str) -> np.ma.MaskedArray | np.ndarray:
    """Return a column in true values, masked where its stored value means "none"."""
    column = hdu.columns[hdu.columns.names.index(name)]
    data = hdu.data
    stored = data.view(np.ndarray)[data.dtype.names[hdu.columns.names.index(name)]]
    if stored.dtype.kind == "S" and hdu.header["XTENSION"].strip() == "BINTABLE":
        return stored  # text, to be decoded with a message of our own
    if stored.dtype.kind == "S":
        return _of_digits(data, name, column, stored)
    values = data.field(name)
    if values.dtype.kind == "b" and stored.dtype == np.int8:
        return _logical(path, name, stored)
    if isinstance(column.null, int) and stored.dtype.kind in "iu" and values.ndim == stored.ndim:
        return np.ma.array(values, mask=stored == column.null)
    return values


def _of_digits(data: Any, name: str, column: Any, stored: np.ndarray) -> Any:
    """Return a column of an ASCII table; a number's field is null if blank or TNULL."""
    if str(column.format).startswith("A"):
        return stored
    words = np.char.strip(stored)
    null = str(column.null or "").strip().encode()
    return np.ma.array(np.asarray(data.field(name)), mask=(words == b"") | (words == null))


def _logical(path: str, name: str, stored: np.ndarray) -> np.ma.MaskedArray:
    other = ~np.isin(stored, (TRUE, FALSE, NO_LOGICAL))
    if other.any():
        row = int(np.argmax(other.reshape(len(other), -1).any(axis=1)))
        raise CatalogueError(
            path,
            "a logical value is neither T, F nor empty",
            "Write the column as booleans or as 0 and 1.",
            column=name,
            row=row,
        )
    return np.ma.array(stored == TRUE, mask=stored == NO_LOGICAL)
