"""From the types of a file to numbers and text, without guessing and without rounding integers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.readers import SourceTable

# a cell with one of these words holds no value
NULL_WORDS = ("", "null", "NULL", "Null", "NA", "N/A", "n/a", "None", "none", "--")


def as_text(source: SourceTable, name: str) -> pa.Array:
    """Return a column as text without outer blanks; empty cells and words for "nothing" are null.

    Integers become their digits. Floating point is refused: its digits are a matter of taste.

    Raises
    ------
    CatalogueError
        If the column holds neither text nor integers.
    """
    values = _one_array(source.table[name])
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        values = pc.cast(values, pa.string())
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pc.cast(values, pa.string())
    elif not _is_text(kind):
        raise source.error(
            name,
            f"values of type {kind}, expected text or integers",
            "Map another column, or convert it in the file.",
        )
    trimmed = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    empty = pc.is_in(trimmed, value_set=pa.array(NULL_WORDS))
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)


def as_numbers(source: SourceTable, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as float64 with NaN where there is no value.

    Returns
    -------
    values : ndarray of float64, shape (n_rows,)
    missing : ndarray of bool, shape (n_rows,)
        True where the file has no value at all (a NaN in the file is not missing).

    Raises
    ------
    CatalogueError
        At the first text that is no number, or for a type that has no numbers.
    """
    values = _one_array(source.table[name])
    if _is_text(values.type):
        values = as_text(source, name)
        row = first_failure(values, pa.float64())
        if row is not None:
            raise source.error(
                name,
                f"{values[row].as_py()!r} is no number",
                "Correct it, or leave the cell empty.",
                row=row,
            )
    elif not (
        pa.types.is_integer(values.type)
        or pa.types.is_floating(values.type)
        or pa.types.is_decimal(values.type)
    ):
        raise source.error(
            name,
            f"values of type {values.type}, expected numbers",
            "Map another column, or convert it in the file.",
        )
    missing = values.is_null().to_numpy(zero_copy_only=False)
    numbers = pc.cast(values, pa.float64(), safe=False)
    return numbers.fill_null(np.nan).to_numpy(zero_copy_only=False).copy(), missing


def first_failure(text: pa.Array, kind: pa.DataType) -> int | None:
    """Return the first row of `text` that Arrow can't read as `kind`; None if all can be read."""
    if _can_cast(text, kind):
        return None
    start, length = 0, len(text)  # the first failure lies in text[start : start + length]
    while length > 1:
        half = length // 2
        if _can_cast(text.slice(start, half), kind):
            start, length = start + half, length - half
        else:
            length = half
    return start


def _can_cast(text: pa.Array, kind: pa.DataType) -> bool:
    try:
        pc.cast(text, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    kinds = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_null,
    )
    return any(is_kind(kind) for is_kind in kinds)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
