"""From the types of a file to numbers and text, without guessing and without rounding integers."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.readers import SourceTable
from sdssflow.acquire.schema import COLUMNS

# a cell with one of these words holds no value
NULL_WORDS = ("", "null", "NULL", "Null", "NA", "N/A", "n/a", "None", "none", "--")
# neither does text with one of these; among numbers they are counted as not finite
NOT_A_NUMBER = ("nan", "NaN", "NAN", "<NA>")
FLAGS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "T"), "1"),
    **dict.fromkeys(("false", "False", "FALSE", "f", "F"), "0"),
}
CORRECT = "Correct it, leave the cell empty, or take the line out if it is no row of the table."
# what text that is no number looks like, and what to do about it
REMEDIES = (
    (r"[+-]?\d+(:|h|d|°|\s)\s*\d+.*",
     "Write sexagesimal positions in decimal degrees, as astropy.coordinates.Angle does."),
    (r"[+-]?[\d.,'’ \u00a0\u202f]*\d",
     "Write numbers with a point before the decimals and without marks for thousands."),
    (r"[\"'=].*", "Write it without quotes."),
)  # fmt: skip


def as_text(
    source: SourceTable, name: str, nothing: tuple[str, ...] = NULL_WORDS + NOT_A_NUMBER
) -> pa.Array:
    """Return a column as text without outer blanks; empty cells and words for `nothing` are null.

    Integers become their digits. Floating point is refused: its digits are a matter of taste.

    Raises
    ------
    CatalogueError
        If the column holds neither text nor integers.
    """
    values = _one_array(source.table[name])
    kind = values.type
    if _is_binary(kind):
        row = first_failure(values, pa.string())
        if row is not None:
            text = values[row].as_py().decode("utf-8", "backslashreplace")
            raise source.error(
                name,
                f"{text[:50]!r} is not UTF-8",
                "Save the file as UTF-8 (the format 'CSV UTF-8' of spreadsheets).",
                row=row,
            )
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pc.cast(values, pa.string())
    elif not _is_text(kind):
        raise source.error(
            name,
            f"values of type {kind}, expected text or integers",
            "Map another column, or convert it in the file.",
        )
    trimmed = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    empty = pc.is_in(trimmed, value_set=pa.array(nothing))
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
    if _is_text(values.type) or _is_binary(values.type):
        values = as_text(source, name, NULL_WORDS)
        if is_flag(name):
            values = _as_digits(values)
        row = first_failure(values, pa.float64())
        if row is not None:
            text = values[row].as_py()
            raise source.error(name, f"{text[:50]!r} is no number", _remedy(name, text), row=row)
    elif is_flag(name) and pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
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


def is_flag(name: str) -> bool:
    """Tell whether a catalogue column is 0 or 1, so that booleans can stand for it."""
    column = COLUMNS[name]
    return pa.types.is_integer(column.type) and (column.low, column.high) == (0, 1)


def _as_digits(text: pa.Array) -> pa.Array:
    """Write 1 and 0 for words that mean true and false."""
    words = pa.array(list(FLAGS))
    place = pc.index_in(text, value_set=words)
    return pc.if_else(place.is_valid(), pa.array(list(FLAGS.values())).take(place), text)


def _remedy(name: str, text: str) -> str:
    if is_flag(name):
        return "Write flags as 1 and 0, or as true and false."
    for pattern, remedy in REMEDIES:
        if re.fullmatch(pattern, text):
            return f"{remedy} {CORRECT}"
    return CORRECT


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


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
