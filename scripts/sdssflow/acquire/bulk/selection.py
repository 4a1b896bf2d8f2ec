"""Apply a sample's selection to local rows, with the same result as its SQL.

`sdssflow.acquire.download.sql.condition_sql` writes the same conditions for SQL Server, whose rules
hold here too:

* a comparison with NULL is not true, so the row is excluded;
* -9999 is an ordinary number;
* a 32-bit float is compared with a decimal literal as 32-bit floats (the literal is rounded), and
  differences of 32-bit floats have 32 bits; a literal with an exponent has 64 bits;
* strings are compared without case and trailing blanks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.checks import one_array
from sdssflow.configuration.selection import Condition


def select(table: pa.Table, selection: Iterable[Condition]) -> pa.Table:
    """Return the rows that meet all conditions.

    `table` has the columns of `columns_of` under catalogue names, in the types of SDSS.

    >>> table = pa.table({"zspec": pa.array([0.1, None, -9999.0], pa.float32())})
    >>> select(table, [Condition(column="zspec", minimum=0.1)])["zspec"].to_pylist()
    [0.10000000149011612]
    """
    conditions = list(selection)
    if not conditions:
        return table
    met = np.logical_and.reduce([_meets(table, condition) for condition in conditions])
    return table.filter(pa.array(met))


def columns_of(selection: Iterable[Condition]) -> list[str]:
    """Return the columns used by a selection, each once."""
    names = []
    for condition in selection:
        names += [condition.column, *([_extinction(condition)] if condition.dereddened else [])]
    return list(dict.fromkeys(names))


def _meets(table: pa.Table, condition: Condition) -> np.ndarray:
    """Return True for each row that meets a condition, shape (n_rows,)."""
    column = one_array(table[condition.column])
    if condition.dereddened:
        column = pc.subtract(column, one_array(table[_extinction(condition)]))
    known = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_string(column.type):
        words = {str(word).rstrip(" ").lower() for word in condition.any_of or []}
        folded = pc.ascii_lower(pc.ascii_rtrim(column, characters=" "))
        return pc.is_in(folded, pa.array(sorted(words), pa.string())).to_numpy(zero_copy_only=False)
    values = column.fill_null(0).to_numpy()
    if condition.any_of:
        limits = np.iinfo(values.dtype)  # no value of this type equals other numbers
        fitting = [n for n in condition.any_of if limits.min <= int(n) <= limits.max]
        return known & np.isin(values, np.array(fitting, dtype=values.dtype))
    if condition.any_bit or condition.no_bit:
        return known & _bits_fit(values, condition)
    return known & _within(values, condition.minimum, condition.maximum)


def _extinction(condition: Condition) -> str:
    return f"extinction_{condition.column[-1]}"


def _bits_fit(values: np.ndarray, condition: Condition) -> np.ndarray:
    bits = values.astype(np.uint64)  # two's complement
    fits = np.ones(len(values), dtype=bool)
    for chosen, wanted in ((condition.any_bit, True), (condition.no_bit, False)):
        if chosen:
            mask = np.uint64(sum(1 << bit for bit in set(chosen)))
            fits &= ((bits & mask) != 0) == wanted
    return fits


def _within(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    inside = np.ones(len(values), dtype=bool)
    if values.dtype.kind in "iu":
        # exact integers, also beyond 2^53
        least, most = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
        low = least if low is None else math.ceil(low)
        high = most if high is None else math.floor(high)
        if low > most or high < least:
            return ~inside
        kind = values.dtype.type
        return (values >= kind(max(low, least))) & (values <= kind(min(high, most)))
    if low is not None:
        inside &= values >= _literal(values, low)
    if high is not None:
        inside &= values <= _literal(values, high)
    return inside


def _literal(values: np.ndarray, number: float) -> np.floating:
    """Return a literal in the type in which SQL Server compares it with a column."""
    wide = not float(number).is_integer() and "e" in repr(float(number))
    return np.float64(number) if wide else values.dtype.type(number)
