"""Object ids of 64 bits: read exactly, or refused with the reason.

An SDSS objID packs sky version, rerun, run, camcol, field and object number into 64 bits, a
specObjID packs plate, fibre, date and reduction (https://www.sdss.org/dr17/help/glossary/). A
float64 holds 53 bits, so an id that went through floating point (a spreadsheet, pandas with missing
values, "1.2376E+18" in a CSV) names another object or none, and duplicates can't be told any more.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.casting import as_text, first_failure
from sdssflow.acquire.defects import KEPT, KEPT_AS_NULL, SET_TO_NULL, Defects
from sdssflow.acquire.readers import SourceTable
from sdssflow.acquire.schema import COLUMNS

NO_OBJECT = (0, -1)  # SDSS writes 0 for a spectrum without photometric match, peers -1
HEXADECIMAL = r"^0[xX][0-9a-fA-F]{1,16}$"
FLOATING = r"[+-]?(\d*\.\d*([eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
FLOAT_EXACT = 2**53
# fewer ids could end in zeros by chance
ENOUGH_IDS = 5
ADVICE = (
    "Get the ids as integers or quoted text from where the file came from (rounded digits can't be "
    "restored), or leave the column out of source.columns."
)


def identifiers(
    source: SourceTable, name: str, sentinels: list[float], defects: Defects
) -> pa.Array:
    """Return ids as exact integers.

    Parameters
    ----------
    source : SourceTable
        The file.
    name : str
        `objid` or `specobjid`.
    sentinels : list of float
        Numbers that mean "no id", besides 0 and -1.
    defects : Defects
        Missing ids, ids that mean "none" and repeated ids are counted here.

    Returns
    -------
    pyarrow.Array
        Of the schema's type, shape (n_rows,).

    Raises
    ------
    CatalogueError
        If ids are no whole numbers, don't fit, or went through floating point.
    """
    if pa.types.is_floating(source.table.schema.field(name).type):
        raise source.error(
            name,
            "stored as floating point, which can't hold the digits of a 64-bit id",
            ADVICE,
        )
    text = _decimal(as_text(source, name))
    missing = text.is_null().to_numpy(zero_copy_only=False)
    defects.note(name, "missing", missing, KEPT_AS_NULL)
    _check_digits(source, name, text)
    whole = [int(number) for number in sentinels if float(number).is_integer()]
    nothing = {str(number) for number in (*NO_OBJECT, *whole)}
    void = _mask(pc.is_in(text, value_set=pa.array(sorted(nothing))))
    defects.note(name, "no id", void, SET_TO_NULL)
    text = pc.if_else(pa.array(void), pa.scalar(None, pa.string()), text)
    row = first_failure(text, COLUMNS[name].type)
    if row is not None:
        raise source.error(
            name,
            f"{text[row].as_py()} does not fit the type {COLUMNS[name].type}",
            "objid lies between 1 and 2^63 - 1, specobjid between 1 and 2^64 - 1. A negative id "
            "was stored as signed: write it as unsigned.",
            row=row,
        )
    ids = pc.cast(text, COLUMNS[name].type)
    _check_range(source, name, ids)
    _check_not_rounded(source, name, text, ids)
    repeated = _repeated(ids)
    defects.note(name, "duplicate", repeated, KEPT)
    return ids


def _decimal(text: pa.Array) -> pa.Array:
    """Write hexadecimal ids, as SkyServer shows them, with decimal digits."""
    is_hexadecimal = pc.match_substring_regex(text, HEXADECIMAL)
    if not pc.any(is_hexadecimal).as_py():
        return text
    digits = pc.if_else(is_hexadecimal, text, pa.scalar(None, pa.string()))
    return pc.if_else(is_hexadecimal, pc.cast(pc.cast(digits, pa.uint64()), pa.string()), text)


def _check_digits(source: SourceTable, name: str, text: pa.Array) -> None:
    """Refuse anything but digits, with its own words for the marks of floating point."""
    other = ~_mask(pc.match_substring_regex(text, r"^-?[0-9]+$"), null=True)
    if not other.any():
        return
    row = int(np.argmax(other))
    value = text[row].as_py()
    if re.fullmatch(FLOATING, value):
        raise source.error(name, f"{value!r} went through floating point", ADVICE, row=row)
    raise source.error(
        name,
        f"{value[:50]!r} is no whole number",
        "Write ids as digits alone (or hexadecimal with 0x), leave the cell empty, or take the "
        "line out if it is no row of the table.",
        row=row,
    )


def _check_range(source: SourceTable, name: str, ids: pa.Array) -> None:
    negative = _mask(pc.less(ids, 0)) if pa.types.is_signed_integer(ids.type) else np.array([False])
    if negative.any():
        row = int(np.argmax(negative))
        raise source.error(
            name,
            f"{ids[row].as_py()} is negative",
            "SDSS ids are positive: correct it, or leave the cell empty.",
            row=row,
        )


def _check_not_rounded(source: SourceTable, name: str, text: pa.Array, ids: pa.Array) -> None:
    """Refuse ids whose digits were lost before they were written as integers."""
    long = ids.filter(pc.greater(ids, pa.scalar(FLOAT_EXACT, ids.type)))
    if len(long) == 0:
        return
    _check_last_digits(source, name, text, len(long))
    if len(long) < ENOUGH_IDS:
        return
    distinct = pc.unique(long).to_numpy().astype(np.uint64)
    # Every 2^k-th id survives a float64 (k = 8 near 1.2e18); that all of them do is no accident.
    # A specObjID ends in 10 zero bits, so float64 holds many of them: no sign of damage there.
    if name == "objid" and len(distinct) > 1 and _float64_holds(distinct):
        raise source.error(
            name,
            f"all {len(distinct)} different ids are numbers that a float64 holds, as "
            f"{distinct[0]}: they were converted from floating point",
            ADVICE,
        )
    if len(distinct) <= max(1, len(long) / 10):
        raise source.error(
            name,
            f"{len(long)} rows share {len(distinct)} different ids: digits were lost",
            ADVICE,
        )


def _float64_holds(ids: np.ndarray) -> bool:
    """Tell whether all `ids` (uint64, below 2^63) survive conversion to float64 and back."""
    return np.array_equal(ids.astype(np.float64).astype(np.uint64), ids)


def _check_last_digits(source: SourceTable, name: str, text: pa.Array, n_long: int) -> None:
    """Refuse ids most of which end in decimal zeros: three with enough ids, six with any number."""
    zeros = _mask(pc.match_substring_regex(text, r"[0-9]{10}000$"))
    many_zeros = _mask(pc.match_substring_regex(text, r"[0-9]{7}000000$"))
    if (n_long >= ENOUGH_IDS and zeros.sum() > n_long / 2) or many_zeros.sum() > n_long / 2:
        row = int(np.argmax(zeros))
        raise source.error(
            name,
            f"{zeros.sum()} of {n_long} ids end in zeros, as {text[row].as_py()}: "
            "they were rounded to a few decimal digits",
            ADVICE,
            row=row,
        )


def _repeated(ids: pa.Array) -> np.ndarray:
    """Return True where an id stood in an earlier row already; null ids are never repeats."""
    known = ids.is_valid().to_numpy(zero_copy_only=False)
    _, first = np.unique(ids.drop_null().to_numpy(), return_index=True)
    repeated = np.ones(int(known.sum()), dtype=bool)
    repeated[first] = False
    result = np.zeros(len(ids), dtype=bool)
    result[known] = repeated
    return result


def _mask(found: pa.Array, null: bool = False) -> np.ndarray:
    return found.fill_null(null).to_numpy(zero_copy_only=False)
