"""From the columns of a binary file, of whichever format, to those that the user maps.

What holds for all formats stands here: a name that occurs twice, byte order, columns of masks,
elements of vectors, units, and where else in the file a missing column is. SDSS FITS files keep the
five bands of a magnitude as one column of 5-vectors; one band is named by its position:
``modelMag[0]`` is u, ``modelMag[4]`` is z.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.errors import CatalogueError, unknown_column
from sdssflow.acquire.files.containers import check_declared

ELEMENT = re.compile(r"(?P<name>.+)\[(?P<index>\d+)\]")
REPAIR = "The file may be cut short or of another format; fetch it again or set source.format."
MASK = ".mask"  # astropy writes a masked column as two: its values, and where they mean nothing


def split_element(
    path: str,
    ref: str,
    present: Iterable[str],
    others: Callable[[], Mapping[str, Sequence[str]]] = dict,
) -> tuple[str, int | None]:
    """Split ``column[k]`` into column and k; a plain column has k = None.

    `others` returns the columns of the other tables of the file, for the message.

    Raises
    ------
    CatalogueError
        If the file has no such column.
    """
    present = list(present)
    if ref in present:
        return ref, None
    match = ELEMENT.fullmatch(ref)
    if match and match["name"] in present:
        return match["name"], int(match["index"])
    raise unknown_column(path, match["name"] if match else ref, present, others())


def to_arrow(path: str, column: str, values: Any, index: int | None) -> pa.Array:
    """Turn a NumPy or masked array of a file into an Arrow array.

    Parameters
    ----------
    path, column : str
        For messages.
    values : array_like
        One value or one vector per row; any byte order; byte strings are decoded.
    index : int or None
        Which element of the vectors.

    Raises
    ------
    CatalogueError
        For vectors without `index`, `index` without vectors or beyond them, and types that are
        neither numbers nor text.
    """
    if values.ndim == 0:
        raise CatalogueError(
            path,
            "one value for the whole file, not one per row",
            "Map a column.",
            column=column,
        )
    if values.dtype.kind == "O":
        return _from_objects(path, column, values, index)
    if values.ndim > 2:
        raise _not_numbers(path, column, f"arrays of {' by '.join(map(str, values.shape[1:]))}")
    if values.ndim == 2 and index is not None:
        if index >= values.shape[1]:
            raise CatalogueError(
                path,
                f"{column}[{index}] does not exist: {column!r} has {values.shape[1]} elements",
                "Elements are counted from 0.",
            )
        values = values[:, index]
    elif values.ndim > 1:
        raise _is_a_vector(path, column)
    elif index is not None:
        raise _not_a_vector(path, column, index)
    mask = np.ma.getmaskarray(values)
    data = np.asarray(np.ma.getdata(values))
    if data.dtype.kind == "S":
        try:
            return pa.array(data, mask=mask).cast(pa.string())
        except pa.ArrowInvalid as error:
            raise _not_utf8(path, column, error) from error
    if data.dtype.kind not in "biufU":
        raise _not_numbers(path, column, f"values of type {data.dtype.name}")
    if data.dtype.kind == "U":
        return pa.array(data.tolist(), type=pa.string(), mask=mask)
    if data.dtype == np.longdouble:  # Arrow has none
        data = data.astype(np.float64)
    return pa.array(np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("=")), mask=mask)


def _from_objects(path: str, column: str, values: np.ndarray, index: int | None) -> pa.Array:
    """Turn texts, or rows of unequal length, into an Arrow array."""
    mask, data = np.ma.getmaskarray(values), np.ma.getdata(values)
    if data.ndim > 1:
        raise _is_a_vector(path, column) if index is None else _not_numbers(path, column, "arrays")
    rows = [value for value, masked in zip(data, mask, strict=True) if not masked]
    if any(isinstance(value, np.ndarray | list | tuple) for value in rows):
        if index is None:
            raise _is_a_vector(path, column)
        if mask.any() or any(len(value) <= index for value in rows):
            raise CatalogueError(
                path,
                f"{column}[{index}] does not exist in every row",
                "Elements are counted from 0.",
            )
        return to_arrow(path, column, np.array([value[index] for value in rows]), None)
    if index is not None:
        raise _not_a_vector(path, column, index)
    try:
        return pa.array(data, type=pa.string(), mask=mask)
    except pa.ArrowInvalid as error:
        raise _not_utf8(path, column, error) from error
    except pa.ArrowTypeError as error:
        other = next(value for value in rows if not isinstance(value, bytes | str))
        raise _not_numbers(path, column, f"values of type {type(other).__name__}") from error


def list_element(path: str, column: str, values: pa.Array, index: int | None) -> pa.Array:
    """Return element `index` of an Arrow list column, or a plain column as it is.

    Raises
    ------
    CatalogueError
        As `to_arrow`.
    """
    lists = (
        pa.types.is_list(values.type)
        or pa.types.is_large_list(values.type)
        or pa.types.is_fixed_size_list(values.type)
    )
    if not lists:
        if index is not None:
            raise _not_a_vector(path, column, index)
        return values
    if index is None:
        raise _is_a_vector(path, column)
    try:
        return pc.list_element(values, index)
    except pa.ArrowInvalid as error:
        raise CatalogueError(
            path,
            f"{column}[{index}] does not exist in every row ({error})",
            "Elements are counted from 0.",
        ) from error


def _is_a_vector(path: str, column: str) -> CatalogueError:
    return CatalogueError(
        path,
        "several values per row",
        f"Name one of them in source.columns, for example {column}[0] for the first.",
        column=column,
    )


def _not_a_vector(path: str, column: str, index: int) -> CatalogueError:
    return CatalogueError(
        path,
        f"{column}[{index}] was asked for, but there is one value per row",
        f"Write {column} in source.columns.",
        column=column,
    )


def _not_numbers(path: str, column: str, problem: str) -> CatalogueError:
    return CatalogueError(
        path,
        f"{problem} are neither numbers nor text",
        "Leave the column out of source.columns or convert it.",
        column=column,
    )


def _not_utf8(path: str, column: str, error: Exception) -> CatalogueError:
    return CatalogueError(
        path, f"text is not UTF-8 ({error})", "Write the column as ASCII.", column=column
    )


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
