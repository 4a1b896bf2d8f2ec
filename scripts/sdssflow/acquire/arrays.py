"""Columns of binary files as Arrow arrays: byte order, masks, byte strings, vectors.

SDSS FITS files keep the five bands of a magnitude as one column of 5-vectors; one band is named by
its position: ``modelMag[0]`` is u, ``modelMag[4]`` is z.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.errors import CatalogueError, unknown_column

ELEMENT = re.compile(r"(?P<name>.+)\[(?P<index>\d+)\]")
REPAIR = "The file may be cut short or of another format; fetch it again or set source.format."


def split_element(
    path: str,
    ref: str,
    present: Iterable[str],
    others: Callable[[], Mapping[str, Sequence[str]]] = dict,
) -> tuple[str, int | None]:
    """Part ``column[k]`` into column and k; a plain column has k = None.

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
