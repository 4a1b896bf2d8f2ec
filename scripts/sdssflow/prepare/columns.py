"""Columns of an Arrow table as numpy arrays, nulls as NaN."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES, column_of, columns_of, field
from sdssflow.configuration.declared import Declared


class MissingColumnError(ValueError):
    """A step needs a column that the catalogue does not have."""


def numbers(table: pa.Table, name: str, needed_by: str) -> np.ndarray:
    """Return a numeric column of a catalogue as float64, nulls as NaN.

    `needed_by` is the part of the configuration that needs it, for the MissingColumnError.
    """
    column = require(table, name, needed_by)
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(float)


def measurements(
    table: pa.Table, name: str, needed_by: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return measurements and non-detections of a column beyond ugriz.

    Returns
    -------
    values : (n,) float64 array
        NaN where missing, and where the number is only a limit.
    not_detected : (n,) float64 array or None
        1 where an object was observed and not detected, 0 where it was detected, NaN where it was
        not observed. None if missing values of the column only mean that it was not observed.

    Raises
    ------
    ValueError
        If the column is missing (MissingColumnError), or the meaning of its missing values is not
        declared.
    """
    values = numbers(table, name, needed_by)
    about = column_of(table.schema.field(name))
    if about is None:
        raise ValueError(
            f"{needed_by} needs the meaning of a missing value of {name!r}; declare it in "
            "source.declared"
        )
    unseen = np.isnan(values)
    limits = np.zeros(len(values), dtype=bool)
    by_limit = about.limit_without in table.column_names
    if by_limit:
        limits = ~unseen & np.isnan(numbers(table, about.limit_without, needed_by))
    if about.missing != "not_detected" and not by_limit:
        return values, None
    not_observed = unseen & (about.missing != "not_detected")
    return (
        np.where(limits, np.nan, values),
        np.where(not_observed, np.nan, (limits | unseen).astype(float)),
    )


def described(table: pa.Table, declared: Mapping[str, Declared]) -> pa.Table:
    """Return a table with the metadata of its declared columns.

    ValueError if a column has metadata with another unit or meaning of missing values.
    """
    known = columns_of(declared)
    for name in (name for name in declared if name in table.column_names):
        index, wanted = table.column_names.index(name), known[name]
        found = column_of(table.schema.field(name))
        if found is None:  # a table without metadata of its columns
            table = table.set_column(index, field(name, known), table[name])
        elif (found.unit, found.missing) != (wanted.unit, wanted.missing):
            raise ValueError(
                f"{name!r} in {wanted.unit or 'plain numbers'}, missing where {wanted.missing}; "
                f"here it is in {found.unit or 'plain numbers'}, missing where {found.missing}: "
                "declare it as it was, or convert it"
            )
    return table


def strings(table: pa.Table, name: str, needed_by: str) -> np.ndarray:
    """Return a text column as an object array, nulls as None; raises as `numbers` does."""
    return np.array(require(table, name, needed_by).to_pylist(), dtype=object)


def require(table: pa.Table, name: str, needed_by: str) -> pa.ChunkedArray:
    """Return a column; MissingColumnError names the configuration key that needs it."""
    if name not in table.column_names:
        raise MissingColumnError(
            f"{needed_by} needs the column {name!r}, which this sample's catalogue does not have "
            f"(it has: {', '.join(table.column_names)}); map it in source.columns or change "
            f"{needed_by.split(':')[0]}"
        )
    return table.column(name)


def class_masks(table: pa.Table) -> dict[str, np.ndarray]:
    """Return the rows of each spectroscopic class as masks; empty if there are no classes."""
    if "spec_class" not in table.column_names:
        return {}
    found = table.column("spec_class")
    return {name: pc.fill_null(pc.equal(found, name), False).to_numpy() for name in CLASSES}
