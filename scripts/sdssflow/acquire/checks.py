"""Find unusable values, set them to null, and count them."""

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
# SDSS writes -9999 where nothing was measured; other impossible values are out of range
ARCHIVE_SENTINELS = (-9999.0,)


class Defects:
    """Counts of defects, in the order of discovery.

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
        """Add the number of True values in `where`, shape (n_rows,), if there are any.

        `first_row` is the `row_id` of its first row, for a table read in blocks.
        """
        count = int(np.count_nonzero(where))
        if count:
            key = (column, defect, action)
            before, example = self._found.get(key, (0, first_row + int(np.argmax(where))))
            self._found[key] = (before + count, example)

    def frame(self) -> pd.DataFrame:
        """Return one row per column and defect; `example_row` is the `row_id` of its first row."""
        rows = [
            (column, defect, count, action, example)
            for (column, defect, action), (count, example) in self._found.items()
        ]
        return pd.DataFrame(rows, columns=list(NAMES))


def is_bookkeeping(name: str, column: Column) -> bool:
    """Return whether a column holds positions or integers, where 99 is an ordinary value."""
    return name in POSITIONS or pa.types.is_integer(column.type)


def _is_ranged(column: Column) -> bool:
    """Return whether a column beyond ugriz has a range, in which no number means "no value"."""
    return bool(column.missing) and column.low is not None and column.high is not None


def limits(column: Column) -> tuple[float, float]:
    """Return a column's physical range, limited to that of its type."""
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    if pa.types.is_integer(column.type):
        high = min(high, np.iinfo(column.type.to_pandas_dtype()).max)
    return low, high


def _out_of_range(column: Column, values: np.ndarray) -> np.ndarray:
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
    """Return a column in the catalogue's type; sentinels, NaN and impossible values are null.

    Parameters
    ----------
    values : (n,) float64 array
        NaN where `missing`; modified in place.
    missing : (n,) bool array
        Where the source has no value.
    sentinels : sequence of float
        Numbers that mean "no value", in the file's unit. In positions, integers and columns beyond
        ugriz with a range, they do so only outside the range.
    defects : Defects
        Counts the defects.
    first_row : int
        `row_id` of the first value.
    factor : float
        Converts the values to the catalogue's unit.
    refuse : callable, optional
        Called with the values in the catalogue's unit and where they are out of range; raises an
        error if nulls would hide a mistake.
    """
    why = column.missing.replace("_", " ") or "missing"
    defects.note(name, why, missing, KEPT_AS_NULL, first_row)
    not_finite = ~missing & ~np.isfinite(values)
    defects.note(name, "not finite", not_finite, SET_TO_NULL, first_row)
    values[not_finite] = np.nan
    for sentinel in sentinels:
        # a float32 column holds the float32 nearest to -99.9
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
    """Return a column of an archive as `measured` does; 64-bit ids and text are unchanged.

    Classes are stripped of blanks, as fixed-width columns have them; an unknown class is a
    ValueError.
    """
    kind = found.type
    if name == "spec_class":
        found = pc.utf8_trim_whitespace(found)
        words = found.fill_null("")
        row = pc.index(pc.is_in(words, pa.array(["", *CLASSES])), False).as_py()
        if row >= 0:
            raise ValueError(
                f"spec_class, row {first_row + row}: {words[row].as_py()[:60]!r} is not a class; "
                f"the classes are {', '.join(CLASSES)}. Select a column that holds these"
            )
        found = pc.if_else(pc.equal(words, ""), pa.scalar(None, kind), words)
        defects.note(name, "missing", found.is_null().to_numpy(False), KEPT_AS_NULL, first_row)
    if pa.types.is_string(kind):
        return found
    missing = found.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind) and kind.bit_width == 64:  # checked ids, which don't fit float64
        defects.note(name, "missing", missing, KEPT_AS_NULL, first_row)
        return found
    values = found.to_numpy(zero_copy_only=False).astype(np.float64)
    return measured(name, column, values, missing, ARCHIVE_SENTINELS, defects, first_row)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, even where `combine_chunks` returns several chunks."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def first_failure(text: pa.Array, kind: pa.DataType) -> int | None:
    """Return the first row of `text` that Arrow can't cast to `kind`, or None."""
    if _can_cast(text, kind):
        return None
    start, length = 0, len(text)  # the first failure is in text[start : start + length]
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
