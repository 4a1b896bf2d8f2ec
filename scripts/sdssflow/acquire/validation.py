"""Make a file conform to the catalogue schema: exact types, known classes, counted defects.

No row is ever dropped: what can't be used becomes null and is counted, what can't be explained
stops the import.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.casting import as_numbers, as_text
from sdssflow.acquire.defects import KEPT, KEPT_AS_NULL, SET_TO_NULL, Defects
from sdssflow.acquire.errors import nearest
from sdssflow.acquire.identifiers import identifiers
from sdssflow.acquire.measurements import is_bookkeeping, limits, null_sentinels, out_of_range
from sdssflow.acquire.readers import SourceTable
from sdssflow.acquire.schema import COLUMNS, PARTS, field
from sdssflow.acquire.units import unit_factors
from sdssflow.configuration.sources import FileSource

IDENTIFIERS = ("objid", "specobjid")


def conform(source: SourceTable, settings: FileSource) -> tuple[pa.Table, pd.DataFrame]:
    """Turn what stands in a file into a catalogue.

    Parameters
    ----------
    source : SourceTable
        The file's mapped columns, n_rows rows.
    settings : FileSource
        Class labels, sentinels, units.

    Returns
    -------
    catalogue : pyarrow.Table
        n_rows rows in the file's order: `row_id` and the mapped columns in the order of the
        schema, with its types; units in the metadata of the fields.
    defects : pandas.DataFrame
        `column, defect, count, action, example_row`; no row if nothing was wrong.

    Raises
    ------
    CatalogueError
        At the first thing that can't be made null without hiding a mistake: text among numbers,
        another unit, an unknown class, ids that lost digits, positions or plates out of range,
        magnitudes that are none, a column without any value.
    """
    defects = Defects()
    factors = unit_factors(source, settings)
    made: dict[str, pa.Array] = {"row_id": pa.array(np.arange(source.table.num_rows))}
    for name in COLUMNS:
        if name not in source.columns:
            continue
        if name in IDENTIFIERS:
            made[name] = identifiers(source, name, settings.sentinels, defects)
        elif name == "spec_class":
            made[name] = _labels(source, name, settings.class_labels, defects)
        elif name == "published_part":
            made[name] = _labels(source, name, {part: part for part in PARTS}, defects)
        elif name == "spec_subclass":
            made[name] = as_text(source, name)
        else:
            made[name] = _measured(
                source, name, settings.sentinels, factors.get(name, 1.0), defects
            )
        if made[name].null_count == len(made[name]):
            raise source.error(
                name,
                "no usable value in any row",
                "Map another column, or take this one out of source.columns.",
            )
    schema = pa.schema([field(name) for name in made])
    return pa.table(list(made.values()), schema=schema), defects.frame()


def _labels(source: SourceTable, name: str, words: dict[str, str], defects: Defects) -> pa.Array:
    """Translate the file's words; an unknown word stops the import."""
    text = as_text(source, name)
    defects.note(name, "missing", text.is_null().to_numpy(zero_copy_only=False), KEPT_AS_NULL)
    place = pc.index_in(text, value_set=pa.array(list(words)))
    unknown = pc.and_(place.is_null(), text.is_valid()).to_numpy(zero_copy_only=False)
    if unknown.any():
        row = int(np.argmax(unknown))
        word = text[row].as_py()[:60]
        count = int(unknown.sum())
        raise source.error(
            name,
            f"unknown label {word!r}{nearest(word, words)} "
            f"({count} {'row has' if count == 1 else 'rows have'} unknown labels)",
            "Say in source.class_labels which class it is, or leave the cell empty if it is none."
            if name == "spec_class"
            else f"Known are {' and '.join(words)}.",
            row=row,
        )
    return pa.array(list(words.values())).take(place)


def _measured(
    source: SourceTable, name: str, sentinels: list[float], factor: float, defects: Defects
) -> pa.Array:
    """Return a column of numbers with sentinels, NaN and (for measurements) wild values null.

    `factor` makes the catalogue's unit of the file's.
    """
    column = COLUMNS[name]
    values, missing = as_numbers(source, name)
    defects.note(name, "missing", missing, KEPT_AS_NULL)
    wild = ~missing & ~np.isfinite(values)
    defects.note(name, "not finite", wild, SET_TO_NULL)
    values[wild] = np.nan
    null_sentinels(name, values, sentinels, defects, factor=factor)
    values *= factor
    if pa.types.is_integer(column.type):
        _check_whole(source, name, values)
    outside = out_of_range(name, values)
    if outside.any():
        _check_outside(source, name, values, outside, fatal=is_bookkeeping(name))
        defects.note(name, "out of range", outside, SET_TO_NULL)
        values[outside] = np.nan
    if name == "zspec":
        defects.note(name, "exactly zero", values == 0, KEPT)
    return pa.array(values, from_pandas=True).cast(column.type, safe=False)


def _check_whole(source: SourceTable, name: str, values: np.ndarray) -> None:
    broken = np.isfinite(values) & (values != np.floor(values))
    if broken.any():
        row = int(np.argmax(broken))
        raise source.error(
            name,
            f"{values[row]:g} is no whole number",
            "Map the column with whole numbers.",
            row=row,
        )


def _check_outside(
    source: SourceTable, name: str, values: np.ndarray, outside: np.ndarray, fatal: bool
) -> None:
    """Stop on a bad position or plate, and on a measurement that is mostly out of range."""
    column = COLUMNS[name]
    row = int(np.argmax(outside))
    low, high = limits(name)
    allowed = f"[{low:.10g}, {high:.10g}]{' ' + column.unit if column.unit else ''}"
    if fatal:
        advice = "Correct it, or add the number to source.sentinels if it means 'no value'."
        if name == "ra" and values[row] < 0:
            advice = "Add 360 to negative right ascensions. " + advice
        raise source.error(name, f"{values[row]:.12g} is outside {allowed}", advice, row=row)
    known = int(np.count_nonzero(~np.isnan(values)))
    if outside.sum() > known / 2:
        raise source.error(
            name,
            f"{outside.sum()} of {known} values are outside {allowed}, as {values[row]:g}",
            f"Is this the {column.meaning}? Map the right column, or convert its unit.",
            row=row,
        )
