"""Tables as people give them to a bundle: believed in what they say, refused where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sdssflow.acquire.checks import ARCHIVE_SENTINELS, limits
from sdssflow.acquire.schema import Column
from sdssflow.acquire.units import equal, parse_unit, units_of_schema
from sdssflow.tables import metadata, with_metadata

if TYPE_CHECKING:
    import pandas as pd


class BundleError(ValueError):
    """A bundle can't be used, or not for this table; the message says why and what to do."""


def as_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow table, without its index; BundleError if it has no such types."""
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError) as error:
        reason = ", ".join(map(str, error.args))
        raise BundleError(
            f"the frame can't be read ({reason}): convert that column, or leave it out"
        ) from error


def as_catalogue(
    table: pa.Table, columns: Mapping[str, Column], stated: Mapping[str, Any]
) -> pa.Table:
    """Return a table with its magnitudes as a catalogue has them, and what is known of them.

    Parameters
    ----------
    table : pyarrow.Table
        With columns under catalogue names.
    columns : mapping of str to Column
        What those that are needed are; each becomes float64, null for NaN and for what can't be,
        as -9999.
    stated : mapping of str to object
        `extinction_applied` and `magnitude_system` as the user states them, else None.

    Raises
    ------
    BundleError
        If the table says otherwise, in its metadata or as the unit of a column; nothing says
        whether magnitudes are corrected; or most values of a column are out of its range.
    """
    about = metadata(table.schema)
    for key, value in stated.items():
        if value is not None and about.get(key, value) != value:
            raise BundleError(
                f"{key} is {value} as you say, {about[key]} by the table's own metadata: leave it "
                "out, or correct the metadata"
            )
    about |= {key: value for key, value in stated.items() if value is not None}
    if "extinction_applied" not in about:
        raise BundleError(
            "say whether the magnitudes are corrected for Galactic extinction: "
            "extinction_applied=True or False; nothing here can tell"
        )
    units = units_of_schema(table.schema)
    for name in (name for name in columns if name in table.column_names):
        _require_unit(name, columns[name].unit, units.get(name, ""))
        values = pa.array(_plausible(table, name, columns[name]), from_pandas=True)
        its = table.schema.field(name).with_type(pa.float64())
        table = table.set_column(table.column_names.index(name), its, values)
    return with_metadata(table, **{"magnitude_system": "asinh", **about})


def _require_unit(name: str, expected: str, stated: str) -> None:
    if stated == expected:
        return
    try:
        unit = parse_unit(stated, expected)
        same = unit is None or equal(unit, expected)
    except ValueError:
        same = False
    if not same:
        raise BundleError(
            f"{name} is in {expected or 'plain numbers'}, the table gives it in {stated!r}: "
            "convert it, or correct the unit"
        )


def _plausible(table: pa.Table, name: str, column: Column) -> np.ndarray:
    try:
        values = table[name].cast(pa.float64()).to_numpy().copy()
    except (KeyError, pa.ArrowException) as error:
        raise BundleError(f"{name} is not one column of numbers: {error}") from None
    low, high = limits(column)
    outside = (values < low) | (values > high) | np.isin(values, ARCHIVE_SENTINELS)
    known = int((~np.isnan(values)).sum())
    if outside.sum() > known / 2:
        raise BundleError(
            f"{name}: {outside.sum()} of {known} values are outside [{low:g}, {high:g}]; are "
            "they fluxes, or numbers for missing ones? Give magnitudes, and null where there "
            "is none"
        )
    values[outside] = np.nan
    return values
