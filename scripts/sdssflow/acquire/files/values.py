"""Convert columns of a file to numbers, text and ids, without guessing or rounding.

An SDSS objID packs sky version, rerun, run, camcol, field and object number into 64 bits, a
specObjID packs plate, fibre, date and reduction (https://www.sdss.org/dr17/help/glossary/). A
float64 holds 53 bits, so an id that went through floating point (a spreadsheet, pandas with missing
values, "1.2376E+18" in a CSV) belongs to another object or none, and hides duplicates.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.checks import KEPT_AS_NULL, SET_TO_NULL, Defects, first_failure
from sdssflow.acquire.files.readers import SourceTable
from sdssflow.acquire.schema import Column

# words for a missing value
NULL_WORDS = ("", "null", "NULL", "Null", "NA", "N/A", "n/a", "None", "none", "--")
# for text also missing; among numbers counted as not finite
NOT_A_NUMBER = ("nan", "NaN", "NAN", "<NA>")
MISSING = NULL_WORDS + NOT_A_NUMBER
FLAGS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "T"), "1"),
    **dict.fromkeys(("false", "False", "FALSE", "f", "F"), "0"),
}
CORRECT = "Correct it, leave the cell empty, or remove the line if it is not a row of the table."
# patterns of text that is not a number, and advice
REMEDIES = (
    (r"[+-]?[\d.]+[dD][+-]?\d+", "Write exponents with e, as in 1.5e-3."),
    (r"[+-]?\d+(:|h|d|°|\s)\s*\d+.*",
     "Write sexagesimal positions in decimal degrees, as astropy.coordinates.Angle does."),
    (r"[+-]?[\d.,'’ \u00a0\u202f]*\d",
     "Write numbers with a decimal point and without thousands separators."),
    (r"[\"'=].*", "Write it without quotes."),
)  # fmt: skip
# SDSS writes 0 for a spectrum without photometric match, others -1, also as unsigned integer
NO_OBJECT = (0, -1, 2**64 - 1)
SHORT_ID = 10**9  # a user's own ids, far below those of SDSS
HEXADECIMAL = r"^0[xX][0-9a-fA-F]{1,16}$"
LEADING_ZEROS = r"^(-?)0+([0-9]+)$"
FLOATING = r"[+-]?(\d*\.\d*([eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
FLOAT_EXACT = 2**53
LONG = 10**12  # shorter ids may end in zeros
ENOUGH_IDS = 5  # fewer could end in zeros by chance
ADVICE = (
    "Get the ids as integers or quoted text from the origin of the file (rounded digits can't be "
    "restored), or remove the column from source.columns."
)


def as_text(
    source: SourceTable,
    name: str,
    values: pa.Array | None = None,
    nothing: tuple[str, ...] = MISSING,
) -> pa.Array:
    """Return a column as stripped text; empty cells and words in `nothing` are null.

    The column is taken from `source` unless `values` is given. Integers become their digits.
    Floating point is refused, since its digits are not unique.
    """
    values = source.take(name) if values is None else values
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
    """Return a column as float64, with NaN for missing values, and a mask of the missing ones.

    Both have the shape (n_rows,); a NaN in the file is not missing. Text that is not a number, and
    other types, are refused.
    """
    values = source.take(name)
    if _is_text(values.type) or _is_binary(values.type):
        values = as_text(source, name, values, NULL_WORDS)
        if is_flag(source.known[name]):
            place = pc.index_in(values, value_set=pa.array(list(FLAGS)))
            digits = pa.array(list(FLAGS.values())).take(place)
            values = pc.if_else(place.is_valid(), digits, values)
        row = first_failure(values, pa.float64())
        if row is not None:
            text = values[row].as_py()
            remedy = _remedy(source.known[name], text)
            raise source.error(name, f"{text[:50]!r} is not a number", remedy, row=row)
    elif is_flag(source.known[name]) and pa.types.is_boolean(values.type):
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


def is_flag(column: Column) -> bool:
    """Return whether a catalogue column is 0 or 1, and so accepts booleans."""
    return pa.types.is_integer(column.type) and (column.low, column.high) == (0, 1)


def _remedy(column: Column, text: str) -> str:
    if is_flag(column):
        return "Write flags as 1 and 0, or as true and false."
    for pattern, remedy in REMEDIES:
        if re.fullmatch(pattern, text):
            return f"{remedy} {CORRECT}"
    return CORRECT


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    kinds = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(is_kind(kind) for is_kind in kinds)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def identifiers(
    source: SourceTable, name: str, sentinels: list[float], defects: Defects
) -> pa.Array:
    """Return `objid`, `specobjid` or `wise_id` as exact integers of the schema's type.

    `sentinels`, 0 and -1 mean "no id"; these and missing ids are counted. Positive sentinels do so
    only among ids as long as those of SDSS: 99 is an id in a table that numbers its rows. Ids that
    are not integers, don't fit the type, or went through floating point are refused.
    """
    values = source.take(name)
    if pa.types.is_floating(values.type):
        raise source.error(
            name, "stored as floating point, which can't hold the digits of a 64-bit id", ADVICE
        )
    if not pa.types.is_integer(values.type):
        values = as_text(source, name, values)
        values = pc.replace_substring_regex(_decimal(values), LEADING_ZEROS, r"\1\2")
        _check_digits(source, name, values)
    defects.note(name, "missing", _mask(values.is_null()), KEPT_AS_NULL, source.first_row)
    void = _mask(pc.is_in(values, value_set=_no_ids(sentinels, values)))
    defects.note(name, "no id", void, SET_TO_NULL, source.first_row)
    values = pc.if_else(pa.array(void), pa.scalar(None, values.type), values)
    kind = source.known[name].type
    row = first_failure(values, kind)
    if row is not None:
        raise source.error(
            name,
            f"{values[row].as_py()} does not fit the type {kind}",
            "objid is between 1 and 2^63 - 1, specobjid between 1 and 2^64 - 1. A negative id was "
            "stored as signed: write it as unsigned.",
            row=row,
        )
    ids = pc.cast(values, kind)
    row = pc.index(pc.less(ids, pa.scalar(0, ids.type)), True).as_py()
    if row >= 0:
        raise source.error(
            name,
            f"{ids[row].as_py()} is negative",
            "SDSS ids are positive: correct it, or leave the cell empty.",
            row=row,
        )
    _check_not_rounded(source, name, ids)
    return ids


def _no_ids(sentinels: list[float], values: pa.Array) -> pa.Array:
    """Return the numbers that mean "no id", of the type of a column of integers or text."""
    kind = values.type
    is_text = pa.types.is_string(kind)
    largest = pc.max(pc.utf8_length(values) if is_text else values).as_py() or 0
    short = largest <= (len(str(SHORT_ID)) if is_text else SHORT_ID)
    meant = [number for number in sentinels if number < 0 or not short]
    whole = {*NO_OBJECT, *(int(number) for number in meant if float(number).is_integer())}
    if is_text:
        return pa.array([str(number) for number in sorted(whole)])
    limits = np.iinfo(kind.to_pandas_dtype())
    return pa.array([x for x in sorted(whole) if limits.min <= x <= limits.max], kind)


def _decimal(text: pa.Array) -> pa.Array:
    """Write hexadecimal ids, as SkyServer shows them, with decimal digits."""
    is_hexadecimal = pc.match_substring_regex(text, HEXADECIMAL)
    if not pc.any(is_hexadecimal).as_py():
        return text
    digits = pc.if_else(is_hexadecimal, text, pa.scalar(None, pa.string()))
    return pc.if_else(is_hexadecimal, pc.cast(pc.cast(digits, pa.uint64()), pa.string()), text)


def _check_digits(source: SourceTable, name: str, text: pa.Array) -> None:
    """Refuse anything but digits, with a separate message for floating point."""
    other = ~_mask(pc.match_substring_regex(text, r"^-?[0-9]+$"), null=True)
    if not other.any():
        return
    row = int(np.argmax(other))
    value = text[row].as_py()
    if re.fullmatch(FLOATING, value):
        raise source.error(name, f"{value!r} went through floating point", ADVICE, row=row)
    raise source.error(
        name,
        f"{value[:50]!r} is not an integer",
        "Write ids as digits only (or hexadecimal with 0x), leave the cell empty, or remove the "
        "line if it is not a row of the table.",
        row=row,
    )


def _check_not_rounded(source: SourceTable, name: str, ids: pa.Array) -> None:
    """Refuse ids that lost digits before they were written as integers."""
    is_long = _mask(pc.greater(ids, pa.scalar(FLOAT_EXACT, ids.type)))
    n_long = int(is_long.sum())
    if n_long == 0:
        return
    _check_last_digits(source, name, ids, n_long)
    if n_long < ENOUGH_IDS:
        return
    repeated = is_repeated(ids)
    distinct = n_long - int(repeated[is_long].sum())
    # A float64 holds every 2^k-th id (k = 8 near 1.2e18); many more are not a coincidence. A
    # specObjID ends in 10 zero bits, so that a float64 holds many of them anyway.
    if name == "objid" and distinct > 1:
        numbers = ids.fill_null(1).to_numpy().view(np.uint64)
        _check_float64(source, name, numbers, is_long & ~repeated)
    if distinct <= max(1, n_long / 10):
        raise source.error(
            name, f"{n_long} rows share {distinct} different ids: digits were lost", ADVICE
        )


def _check_last_digits(source: SourceTable, name: str, ids: pa.Array, n_long: int) -> None:
    """Refuse ids if most end in decimal zeros: three if there are enough ids, else six."""
    numbers = ids.fill_null(1).to_numpy()
    zeros, many_zeros = (
        (numbers >= LONG) & (numbers % numbers.dtype.type(step) == 0) for step in (1000, 10**6)
    )
    if (n_long >= ENOUGH_IDS and zeros.sum() > n_long / 2) or many_zeros.sum() > n_long / 2:
        row = int(np.argmax(zeros))
        raise source.error(
            name,
            f"{zeros.sum()} of {n_long} ids end in zeros, for example {numbers[row]}: "
            "they were rounded to a few decimal digits",
            ADVICE,
            row=row,
        )


def _check_float64(source: SourceTable, name: str, ids: np.ndarray, looked_at: np.ndarray) -> None:
    """Refuse ids if all, or more than expected by chance, are representable as float64."""
    as_float = ids.astype(np.float64)
    held = looked_at & (as_float.astype(np.uint64) == ids)
    chance = float((1 / np.spacing(as_float[looked_at])).sum())
    if held.sum() == looked_at.sum() or held.sum() > chance + 5 * np.sqrt(chance) + 2:
        row = int(np.argmax(held))
        raise source.error(
            name,
            f"{held.sum()} of {looked_at.sum()} different ids are exact as float64, for example "
            f"{ids[row]}: they were converted from floating point",
            ADVICE,
            row=row,
        )


def is_repeated(ids: pa.Array) -> np.ndarray:
    """Return True where an id occurs in an earlier row; null ids are never repeats."""
    known = ids.is_valid().to_numpy(zero_copy_only=False)
    _, first = np.unique(ids.drop_null().to_numpy(), return_index=True)
    repeated = np.ones(int(known.sum()), dtype=bool)
    repeated[first] = False
    result = np.zeros(len(ids), dtype=bool)
    result[known] = repeated
    return result


def _mask(found: pa.Array, null: bool = False) -> np.ndarray:
    return found.fill_null(null).to_numpy(zero_copy_only=False)
