"""From the columns of a binary file, of whichever format, to those that the user maps.

What holds for all formats stands here: a name that occurs twice, columns of masks, elements of
vectors, units, and where else in the file a missing column is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.arrays import list_element, split_element, to_arrow
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.limits import check_declared

MASK = ".mask"  # astropy writes a masked column as two: its values, and where they mean nothing


@dataclass(frozen=True)
class FileColumns:
    """The columns of one table of a file.

    Attributes
    ----------
    names : sequence of str
        As they stand in the file, also those that occur twice.
    read : callable
        From a name to the values: a NumPy or masked array, or an Arrow array.
    unit : callable
        From a name to what the file says of its unit; None or '' if nothing.
    others : callable
        Returns the columns of the other tables in the file, by the words for `source.table`.
    fold_case : bool
        Whether the format takes ``RA`` and ``ra`` for the same name.
    declared : callable
        From a name to the bytes that its values take, known before they are read.
    stored : int
        Bytes of the file.
    """

    names: Sequence[str]
    read: Callable[[str], Any]
    unit: Callable[[str], str | None] = lambda name: None
    others: Callable[[], Mapping[str, Sequence[str]]] = dict
    fold_case: bool = False
    declared: Callable[[str], int] = lambda name: 0
    stored: int = 0


def mapped_table(path: str, columns: Mapping[str, str], found: FileColumns) -> pa.Table:
    """Read the mapped columns.

    Parameters
    ----------
    path : str
        For messages.
    columns : mapping of str to str
        Catalogue name -> column, or ``column[k]`` for element k of a vector column.
    found : FileColumns
        The table.

    Returns
    -------
    pyarrow.Table
        Columns under catalogue names, of the file's types; masked values are null. The metadata
        of a field has the file's unit under ``unit``, if it states one.

    Raises
    ------
    CatalogueError
        For a column that is missing, named twice, or not one value per row.
    """
    places = {}
    for name, ref in columns.items():
        column, index = split_element(path, ref, found.names, found.others)
        _check_once(path, column, found)
        places[name] = (column, index)
    needed = sum(
        found.declared(column) for column in dict.fromkeys(column for column, _ in places.values())
    )
    check_declared(path, needed, found.stored)
    arrays, fields = [], []
    for name, (column, index) in places.items():
        values = _element(path, column, found.read(column), index)
        if f"{column}{MASK}" in found.names and not column.endswith(MASK):
            values = _masked(path, column, values, found.read(f"{column}{MASK}"), index)
        unit = (found.unit(column) or "").strip()
        arrays.append(values)
        fields.append(pa.field(name, values.type, metadata={"unit": unit} if unit else None))
    lengths = {columns[name]: len(array) for name, array in zip(places, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        raise CatalogueError(
            path,
            f"columns differ in length: {lengths}",
            "Set source.table to a group whose datasets belong together.",
        )
    return pa.table(arrays, schema=pa.schema(fields))


def same_name(names: Iterable[str], name: str, fold_case: bool) -> list[str]:
    """Return the `names` that the format takes for `name`."""
    if fold_case:
        return [other for other in names if other.upper() == name.upper()]
    return [other for other in names if other == name]


def _check_once(path: str, column: str, found: FileColumns) -> None:
    alike = same_name(found.names, column, found.fold_case)
    if len(alike) > 1:
        case = " (upper and lower case are one in FITS)" if len(set(alike)) > 1 else ""
        raise CatalogueError(
            path,
            f"the file names {' and '.join(map(repr, dict.fromkeys(alike)))} {len(alike)} "
            f"times{case}",
            "Give each column its own name.",
        )


def _element(path: str, column: str, values: Any, index: int | None) -> pa.Array:
    if isinstance(values, pa.Array):
        return list_element(path, column, values, index)
    return to_arrow(path, column, values, index)


def _masked(path: str, column: str, values: pa.Array, mask: Any, index: int | None) -> pa.Array:
    """Return `values` with null where the column's mask is set."""
    vectors = pa.types.is_nested(mask.type) if isinstance(mask, pa.Array) else mask.ndim > 1
    found = _element(path, f"{column}{MASK}", mask, index if vectors else None)
    if len(found) != len(values) or found.null_count or not _is_flag(found):
        raise CatalogueError(
            path,
            f"{column + MASK!r} is no mask of it: {len(found)} values of type {found.type}",
            f"Write it as one boolean per row, true where {column!r} means nothing.",
            column=column,
        )
    return pc.if_else(pc.cast(found, pa.bool_()), pa.scalar(None, values.type), values)


def _is_flag(values: pa.Array) -> bool:
    return pa.types.is_boolean(values.type) or (
        pa.types.is_integer(values.type)
        and pc.all(pc.is_in(values, pa.array([0, 1], values.type))).as_py() is not False
    )


def from_astropy(path: str, table: Any, columns: Mapping[str, str]) -> pa.Table:
    """Read the mapped columns of an astropy table, with its units and masks; see `mapped_table`."""
    found = FileColumns(
        names=table.colnames,
        read=lambda name: table[name],
        unit=lambda name: None if table[name].unit is None else table[name].unit.to_string(),
    )
    return mapped_table(path, columns, found)
