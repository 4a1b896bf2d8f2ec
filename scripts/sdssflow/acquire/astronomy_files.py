"""Read FITS and VOTable files into Arrow, only the mapped columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sdssflow.acquire.arrays import REPAIR, split_element, to_arrow
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import COLUMNS


def read_fits(path: str, columns: dict[str, str], table: str | None) -> pa.Table:
    """Read the mapped columns of a FITS binary table.

    Parameters
    ----------
    path : str
        The file; gzipped is fine.
    columns : dict of str to str
        Catalogue name -> column, or ``column[k]`` for element k of a vector column.
    table : str or None
        Name or number of the extension; by default the first table.

    Returns
    -------
    pyarrow.Table
        Columns under catalogue names, of the file's types; masked values (TNULL) are null.
    """
    from astropy.io import fits
    from astropy.table import Table

    try:
        with fits.open(path, memmap=True) as file:
            extension = _fits_extension(path, file, table)
            # NaN and '' stay as they are here: the validation counts them
            found = Table.read(extension, mask_invalid=False)
            return _from_astropy(path, found, columns)
    except CatalogueError:
        raise
    except (OSError, TypeError, ValueError, IndexError, KeyError) as error:
        raise CatalogueError(path, f"the file can't be read as FITS ({error})", REPAIR) from error


def _fits_extension(path: str, file: Any, table: str | None) -> Any:
    from astropy.io import fits

    tables = {
        i: hdu for i, hdu in enumerate(file) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)
    }
    if not tables:
        raise CatalogueError(
            path, "no extension holds a table", "Use the FITS file of a catalogue."
        )
    if table is None:
        return next(iter(tables.values()))
    for number, hdu in tables.items():
        if table in (str(number), hdu.name):
            return hdu
    names = ", ".join(f"{number} {hdu.name}".rstrip() for number, hdu in tables.items())
    raise CatalogueError(
        path, f"no table extension {table!r}", f"Set source.table to one of: {names}."
    )


def read_votable(path: str, columns: dict[str, str], table: str | None) -> pa.Table:
    """Read the mapped columns of a VOTable; `table` is an ID, a name or a number (from 0)."""
    from astropy.io.votable import parse

    try:
        tables = list(parse(path).iter_tables())
    except Exception as error:  # astropy raises its own warnings, expat's errors and plain ones
        raise CatalogueError(
            path, f"the file can't be read as VOTable ({error})", REPAIR
        ) from error
    labels = [(str(i), found.ID, found.name) for i, found in enumerate(tables)]
    names = ", ".join(label[2] or label[1] or label[0] for label in labels)
    if table is None and len(tables) != 1:
        raise CatalogueError(
            path,
            f"the file holds {len(tables)} tables",
            f"Set source.table to one of: {names}." if tables else REPAIR,
        )
    chosen = 0 if table is None else next((i for i, x in enumerate(labels) if table in x), None)
    if chosen is None:
        raise CatalogueError(path, f"no table {table!r}", f"Set source.table to one of: {names}.")
    return _from_astropy(path, tables[chosen].to_table(use_names_over_ids=True), columns)


def _from_astropy(path: str, found: Any, columns: dict[str, str]) -> pa.Table:
    made = {}
    for name, ref in columns.items():
        column, index = split_element(path, ref, found.colnames)
        _check_unit(path, name, column, found[column].unit)
        made[name] = to_arrow(path, column, found[column], index)
    return pa.table(made)


def _check_unit(path: str, name: str, column: str, unit: Any) -> None:
    """Refuse a column whose stated unit contradicts the catalogue's (fluxes for magnitudes)."""
    from astropy import units

    expected = COLUMNS[name].unit
    if unit is None or not expected or isinstance(unit, units.UnrecognizedUnit):
        return
    if expected in unit.to_string().lower() or unit == units.Unit(expected):
        return
    raise CatalogueError(
        path,
        f"the file gives it in {unit.to_string()}, the catalogue's {name} is in {expected}",
        "Map another column or convert it.",
        column=column,
    )
