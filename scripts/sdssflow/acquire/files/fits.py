"""Read FITS tables into Arrow, only the mapped columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.columns import (
    FileColumns,
    Part,
    mapped_table,
    named_table,
    needed_columns,
)
from sdssflow.acquire.fits_tables import check_whole, fits_tables, read_values


def fits_blocks(
    path: str, columns: dict[str, str], table: str | int | None, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a table; see `mapped_table`.

    The table is binary or ASCII. `table` is the name or number of its extension; by default the
    first table is read, unless another has these columns too. Stored values equal to TNULL are
    null, before scaling by TSCAL and TZERO; NaN and empty text are kept and counted later. A file
    that is truncated or fails its checksums is refused.
    """
    with fits_tables(path) as tables:
        number = _chosen(path, tables, table)
        check_whole(path, tables[number])
        if table is None:
            _check_only(path, columns, tables, number)
        total = tables[number].header["NAXIS2"]
    for block in part.slices(total, rows):
        with fits_tables(path) as tables:
            found = mapped_table(path, columns, _described(path, tables, number, block))
        yield block.start, found


def _chosen(path: str, tables: dict[int, Any], table: str | int | None) -> int:
    if table is None:
        return next(iter(tables))
    return named_table(path, table, {n: [hdu.name] for n, hdu in tables.items()}, str.upper)


def _described(path: str, tables: dict[int, Any], number: int, rows: slice) -> FileColumns:
    hdu = tables[number]
    data = hdu.data[rows]
    return FileColumns(
        names=hdu.columns.names,
        read=lambda name: read_values(path, hdu, name, data, rows.start or 0),
        unit=lambda name: hdu.columns[hdu.columns.names.index(name)].unit,
        others=lambda: _others(tables, number),
        fold_case=True,
    )


def _check_only(path: str, columns: dict[str, str], tables: dict[int, Any], number: int) -> None:
    """Refuse to choose between several tables with the mapped columns."""
    needed = set(needed_columns(path, columns, _described(path, tables, number, slice(0))))
    alike = [name for name, its in _others(tables, number).items() if needed <= set(its)]
    if alike:
        raise CatalogueError(
            path,
            f"{len(alike) + 1} tables of the file have these columns",
            f"Set source.table to one of: {tables[number].name or 1}, {', '.join(alike)}.",
        )


def _others(tables: dict[int, Any], chosen: int) -> dict[str, Sequence[str]]:
    """Return the columns of the other tables, by name or, where it is not unique, number."""
    names = [hdu.name for hdu in tables.values()]
    return {
        hdu.name if hdu.name and names.count(hdu.name) == 1 else str(number): hdu.columns.names
        for number, hdu in tables.items()
        if number != chosen
    }
