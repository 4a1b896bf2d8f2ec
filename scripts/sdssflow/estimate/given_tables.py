"""Checks of the tables that users give to a bundle: their metadata, units and values."""

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
    """A bundle can't be used, or not with this table; the message has the reason and a remedy."""


def as_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow table, without its index; BundleError for unsupported types."""
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError) as error:
        reason = ", ".join(map(str, error.args))
        raise BundleError(
            f"the frame can't be converted ({reason}): convert that column, or leave it out"
        ) from error


def as_catalogue(
    table: pa.Table, columns: Mapping[str, Column], stated: Mapping[str, Any]
) -> pa.Table:
    """Return a table with checked values and the metadata of a catalogue.

    Parameters
    ----------
    table : pyarrow.Table
        With catalogue names of columns.
    columns : mapping of str to Column
        The needed columns; each becomes float64, null for NaN and impossible values such as -9999.
    stated : mapping of str to object
        `extinction_applied` and `magnitude_system` as stated by the user, or None.

    Raises
    ------
    BundleError
        If the metadata of the table or the unit of a column differ, it is unknown whether
        magnitudes are corrected, or most values of a column are out of its range.
    """
    about = metadata(table.schema)
    for key, value in stated.items():
        if value is not None and about.get(key, value) != value:
            raise BundleError(
                f"{key} is {value} by your argument, but {about[key]} in the metadata of the "
                "table: leave it out, or correct the metadata"
            )
    about |= {key: value for key, value in stated.items() if value is not None}
    if "extinction_applied" not in about:
        raise BundleError(
            "state whether the magnitudes are corrected for Galactic extinction: "
            "extinction_applied=True or False; the table does not show it"
        )
    units = units_of_schema(table.schema)
    for name in (name for name in columns if name in table.column_names):
        _require_unit(name, columns[name].unit, units.get(name, ""))
        values = pa.array(_plausible(table, name, columns[name]), from_pandas=True)
        field = table.schema.field(name).with_type(pa.float64())
        table = table.set_column(table.column_names.index(name), field, values)
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
            f"{name} must be in {expected or 'plain numbers'}, but is in {stated!r} in the table: "
            "convert it, or correct the unit"
        )


def _plausible(table: pa.Table, name: str, column: Column) -> np.ndarray:
    try:
        values = table[name].cast(pa.float64()).to_numpy().copy()
    except (KeyError, pa.ArrowException) as error:
        raise BundleError(f"{name} is not a single column of numbers: {error}") from None
    low, high = limits(column)
    # no mistake, however many: a part of a table may have nothing else
    values[np.isinf(values) | np.isin(values, ARCHIVE_SENTINELS)] = np.nan
    outside = (values < low) | (values > high)
    known = int((~np.isnan(values)).sum())
    if outside.sum() > known / 2:
        raise BundleError(
            f"{name}: {outside.sum()} of {known} values are outside [{low:g}, {high:g}]; are "
            "they fluxes, or placeholders for missing values? Give magnitudes, and null where "
            "missing"
        )
    values[outside] = np.nan
    return values
