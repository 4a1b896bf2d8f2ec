"""What makes a value unusable, what becomes of it, and how often it was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES, Column

SET_TO_NULL = "set to null"
KEPT_AS_NULL = "kept as null"
KEPT = "kept"
NAMES = ("column", "defect", "count", "action", "example_row")
POSITIONS = ("ra", "dec")
# SDSS writes -9999 where nothing was measured; what else is impossible is out of range
ARCHIVE_SENTINELS = (-9999.0,)


class Defects:
    """Counts of defects, in the order in which they are found.

    >>> defects = Defects()
    >>> defects.note("ra", "missing", np.array([False, True, True]), KEPT_AS_NULL)
    >>> print(defects.frame().to_csv(index=False), end="")
    column,defect,count,action,example_row
    ra,missing,2,kept as null,1
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[int, int]] = {}

    def note(
        self, column: str, defect: str, where: np.ndarray, action: str, first_row: int = 0
    ) -> None:
        """Count the True values of `where`, shape (n_rows,); nothing is noted if there is none.

        `first_row` is the `row_id` of its first row, where a table comes in blocks.
        """
        count = int(np.count_nonzero(where))
        if count:
            key = (column, defect, action)
            before, example = self._found.get(key, (0, first_row + int(np.argmax(where))))
            self._found[key] = (before + count, example)

    def frame(self) -> pd.DataFrame:
        """Return one row per column and defect; `example_row` is the `row_id` of the first one."""
        rows = [
            (column, defect, count, action, example)
            for (column, defect, action), (count, example) in self._found.items()
        ]
        return pd.DataFrame(rows, columns=list(NAMES))


def is_bookkeeping(name: str, column: Column) -> bool:
    """Tell positions and whole numbers from measurements: in them 99 is a value like any other."""
    return name in POSITIONS or pa.types.is_integer(column.type)


def _is_ranged(column: Column) -> bool:
    """Tell columns beyond ugriz with a range: a number inside of it is no word for "no value"."""
    return bool(column.missing) and column.low is not None and column.high is not None


def limits(column: Column) -> tuple[float, float]:
    """Return a column's physical range, within what its type can hold."""
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    if pa.types.is_integer(column.type):
        high = min(high, np.iinfo(column.type.to_pandas_dtype()).max)
    return low, high


def _out_of_range(column: Column, values: np.ndarray) -> np.ndarray:
    """Return True where a value (not NaN) lies outside the column's physical range."""
    low, high = limits(column)
    return (values < low) | (values > high)


def measured(
    name: str,
    column: Column,
    values: np.ndarray,
    missing: np.ndarray,
    sentinels: Sequence[float],
    defects: Defects,
    first_row: int = 0,
    factor: float = 1.0,
    refuse: Callable[[np.ndarray, np.ndarray], None] | None = None,
) -> pa.Array:
    """Return a column in the catalogue's type, with sentinels, NaN and impossible values null.

    Parameters
    ----------
    values : (n,) float64 array
        Its values, NaN where `missing`, (n,) bool; changed.
    sentinels : sequence of float
        Numbers that mean "no value"; in positions, whole numbers and columns beyond ugriz with a
        range only where out of it.
    defects : Defects
        Where each is counted.
    first_row : int
        `row_id` of the first value.
    factor : float
        Makes the catalogue's unit of the values; sentinels are in the file's.
    refuse : callable, optional
        Gets the values in the catalogue's unit and where they are out of range; it raises an error
        for those that can't become null without hiding a mistake.
    """
    why = column.missing.replace("_", " ") or "missing"
    defects.note(name, why, missing, KEPT_AS_NULL, first_row)
    endless = ~missing & ~np.isfinite(values)
    defects.note(name, "not finite", endless, SET_TO_NULL, first_row)
    values[endless] = np.nan
    for sentinel in sentinels:
        # in a float32 column -99.9 is the nearest float32
        meant = (values == sentinel) | (values == float(np.float32(sentinel)))
        if is_bookkeeping(name, column) or _is_ranged(column):
            meant &= _out_of_range(column, values * factor)
        defects.note(name, f"sentinel {sentinel:g}", meant, SET_TO_NULL, first_row)
        values[meant] = np.nan
    values *= factor
    outside = _out_of_range(column, values)
    if refuse is not None:
        refuse(values, outside)
    defects.note(name, "out of range", outside, SET_TO_NULL, first_row)
    values[outside] = np.nan
    if name == "zspec":
        defects.note(name, "exactly zero", values == 0, KEPT, first_row)
    if name == "z_warning":
        defects.note(name, "a warning", values > 0, KEPT, first_row)
    return pa.array(values, from_pandas=True).cast(column.type, safe=False)


def archived(
    name: str, column: Column, found: pa.Array, defects: Defects, first_row: int
) -> pa.Array:
    """Return a column of an archive as `measured` does; ids and text are left as they are.

    Blanks around classes are taken off, as of columns of a fixed width; ValueError for a word that
    is none.
    """
    kind = found.type
    if name == "spec_class":
        found = pc.utf8_trim_whitespace(found)
        words = found.fill_null("")
        row = pc.index(pc.is_in(words, pa.array(["", *CLASSES])), False).as_py()
        if row >= 0:
            raise ValueError(
                f"spec_class, row {first_row + row}: {words[row].as_py()[:60]!r} is no class; a "
                f"catalogue has {', '.join(CLASSES)}. Ask for a column with these"
            )
        found = pc.if_else(pc.equal(words, ""), pa.scalar(None, kind), words)
        defects.note(name, "missing", found.is_null().to_numpy(False), KEPT_AS_NULL, first_row)
    if pa.types.is_string(kind):
        return found
    missing = found.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind) and kind.bit_width == 64:  # ids were proven, and don't fit floats
        defects.note(name, "missing", missing, KEPT_AS_NULL, first_row)
        return found
    values = found.to_numpy(zero_copy_only=False).astype(np.float64)
    return measured(name, column, values, missing, ARCHIVE_SENTINELS, defects, first_row)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; `combine_chunks` leaves those that are too long for it."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


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
