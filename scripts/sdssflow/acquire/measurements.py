"""What makes a number unusable: a sentinel, or a value outside its physical range."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sdssflow.acquire.defects import SET_TO_NULL, Defects
from sdssflow.acquire.schema import COLUMNS

POSITIONS = ("ra", "dec")


def is_bookkeeping(name: str) -> bool:
    """Tell positions and whole numbers from measurements: in them 99 is a value like any other."""
    return name in POSITIONS or pa.types.is_integer(COLUMNS[name].type)


def limits(name: str) -> tuple[float, float]:
    """Return the column's physical range, within what its type can hold."""
    column = COLUMNS[name]
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    if pa.types.is_integer(column.type):
        high = min(high, np.iinfo(column.type.to_pandas_dtype()).max)
    return low, high


def out_of_range(name: str, values: np.ndarray) -> np.ndarray:
    """Return True where a value (not NaN) lies outside the column's physical range."""
    low, high = limits(name)
    return (values < low) | (values > high)


def null_sentinels(
    name: str,
    values: np.ndarray,
    sentinels: list[float],
    defects: Defects,
    first_row: int = 0,
    factor: float = 1.0,
) -> None:
    """Make sentinels NaN, in place, and count them.

    Parameters
    ----------
    name : str
        Column of the catalogue.
    values : (n,) float64 array
        Its values; changed.
    sentinels : list of float
        Numbers that mean "no value"; in positions and whole numbers only where out of range.
    defects : Defects
        Where they are counted.
    first_row : int
        `row_id` of the first value.
    factor : float
        Makes the catalogue's unit of the values, for their range; sentinels are in the file's.
    """
    for sentinel in sentinels:
        # in a float32 column -99.9 is the nearest float32
        meant = (values == sentinel) | (values == float(np.float32(sentinel)))
        if is_bookkeeping(name):
            meant &= out_of_range(name, values * factor)
        defects.note(name, f"sentinel {sentinel:g}", meant, SET_TO_NULL, first_row)
        values[meant] = np.nan
