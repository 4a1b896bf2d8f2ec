"""Convert a file to the catalogue schema: exact types, known classes, counted defects.

No row is dropped: unusable values become null and are counted, inexplicable ones stop the import.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sdssflow.acquire.checks import (
    KEPT,
    KEPT_AS_NULL,
    POSITIONS,
    SET_TO_NULL,
    Defects,
    is_bookkeeping,
    limits,
    measured,
    one_array,
)
from sdssflow.acquire.dust import extinctions
from sdssflow.acquire.errors import nearest
from sdssflow.acquire.files.readers import SourceTable, read_source
from sdssflow.acquire.files.units import unit_factors
from sdssflow.acquire.files.values import MISSING, as_numbers, as_text, identifiers, is_repeated
from sdssflow.acquire.schema import COLUMNS, PARTS, field, id_parts
from sdssflow.configuration.file_sources import (
    DustMap,
    EmbeddedSource,
    FileContent,
    FileSource,
    UrlSource,
)
from sdssflow.tables import content_digest, metadata, with_metadata

ENOUGH = 1000  # values in a later block that show that a column is wrong, not a few values
IDENTIFIERS = ("objid", "specobjid", "wise_id")


def conform(source: SourceTable, settings: FileContent) -> tuple[pa.Table, pd.DataFrame]:
    """Convert the content of a file to a catalogue.

    Returns
    -------
    catalogue : pyarrow.Table
        Rows in the file's order: `row_id` and the mapped columns in the order and types of the
        schema, with units in the metadata of the fields.
    defects : pandas.DataFrame
        `column, defect, count, action, example_row`; empty without defects.

    Raises
    ------
    CatalogueError
        At the first value whose replacement by null would hide a mistake: text among numbers, a
        different unit, an unknown class, ids that lost digits, positions or plates out of range,
        a column with mostly impossible magnitudes or without any value.
    """
    defects = Defects()
    catalogue = conform_block(source, settings, defects)
    for name in catalogue.column_names:
        if name in IDENTIFIERS:  # not in blocks, which don't see repetitions in other blocks
            defects.note(name, "duplicate", is_repeated(one_array(catalogue[name])), KEPT)
        if name in source.columns and catalogue[name].null_count == catalogue.num_rows:
            raise source.error(
                name,
                "no usable value in any row",
                "Map another column, or remove this one from source.columns.",
            )
    return catalogue, defects.frame()


def conform_block(source: SourceTable, settings: FileContent, defects: Defects) -> pa.Table:
    """Convert a block of rows as `conform` does, and add its defects to `defects`.

    Columns without any value are accepted, since other blocks may have some. Repeated ids are not
    counted.
    """
    factors = unit_factors(source, settings)
    row_id = np.arange(source.first_row, source.first_row + source.table.num_rows)
    made: dict[str, pa.Array] = {"row_id": pa.array(row_id)}
    for name, column in source.known.items():
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
            values, missing = as_numbers(source, name)
            made[name] = measured(
                name,
                column,
                values,
                missing,
                settings.sentinels,
                defects,
                first_row=source.first_row,
                factor=factors.get(name, 1.0),
                refuse=partial(_refuse, source, name),
            )
    _check_ids(source, made)
    _no_positions(source, made, defects)
    if settings.extinction_from is not None:
        made |= _extinction(source, made, settings.extinction_from, defects)
    names = [name for name in source.known if name in made]
    schema = pa.schema([field(name, source.known) for name in names])
    return pa.table([made[name] for name in names], schema=schema)


def _check_ids(source: SourceTable, made: Mapping[str, pa.Array]) -> None:
    """Refuse SDSS ids that contradict the column run or plate: rows were mixed up."""
    for name, part in (("objid", "run"), ("specobjid", "plate")):
        if not {name, part} <= set(made):
            continue
        ids, column = (made[of].fill_null(0).to_numpy() for of in (name, part))
        ids = ids.astype(np.uint64)
        inside = id_parts(name, ids)[part]
        both = (ids > 0) & made[part].is_valid().to_numpy(zero_copy_only=False)
        wrong = both & (inside != column)
        if name == "specobjid":
            wrong &= (ids >> np.uint64(48)) != column  # the DR7 format
        # in ids that are not from SDSS, the bits mean nothing
        if wrong.any() and np.isin(inside[both], column).mean() > 0.5:
            row = int(np.argmax(wrong))
            raise source.error(
                name,
                f"{ids[row]} contains the {part} {inside[row]}, the column {part} has "
                f"{column[row]} ({wrong.sum()} rows differ)",
                "The columns were sorted or joined separately: join them again by an id. If only "
                f"{part} is wrong, remove it from source.columns.",
                row=row,
            )


def _no_positions(source: SourceTable, made: dict[str, pa.Array], defects: Defects) -> None:
    """Set positions of exactly (0, 0) to null: they are placeholders and would all match."""
    if "ra" in made and "dec" in made:
        nowhere = pc.and_(*(pc.equal(made[name], 0.0).fill_null(False) for name in ("ra", "dec")))
        where = nowhere.to_numpy(zero_copy_only=False)
        for name in ("ra", "dec"):
            made[name] = pc.if_else(nowhere, pa.scalar(None, pa.float64()), made[name])
            defects.note(name, "ra and dec exactly zero", where, SET_TO_NULL, source.first_row)


def _extinction(
    source: SourceTable, made: Mapping[str, pa.Array], settings: DustMap, defects: Defects
) -> dict[str, pa.Array]:
    """Return the columns of extinction at the positions."""
    ra, dec = (made[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in POSITIONS)
    assumed, first = settings.without_position, source.first_row
    nowhere = np.isnan(ra) | np.isnan(dec)
    found = {}
    for band, values in extinctions(ra, dec, assumed).items():
        name = f"extinction_{band}"
        if assumed is not None:
            defects.note(name, "no position", nowhere, f"E(B-V) {assumed:g} mag assumed", first)
        unknown = np.isnan(values)
        found[name] = measured(name, COLUMNS[name], values, unknown, (), defects, first)
    return found


def _labels(source: SourceTable, name: str, words: Mapping[str, str], defects: Defects) -> pa.Array:
    nothing = tuple(word for word in MISSING if word not in words)  # "None" may be a class
    text = as_text(source, name, nothing=nothing)
    missing = text.is_null().to_numpy(zero_copy_only=False)
    defects.note(name, "missing", missing, KEPT_AS_NULL, source.first_row)
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
            "Map it to a class in source.class_labels, or leave the cell empty if it is none."
            if name == "spec_class"
            else f"Known are {' and '.join(words)}.",
            row=row,
        )
    return pa.array(list(words.values())).take(place)


def _refuse(source: SourceTable, name: str, values: np.ndarray, outside: np.ndarray) -> None:
    """Refuse bad positions and integers, and columns that are mostly out of range."""
    column = source.known[name]
    broken = np.isfinite(values) & (values != np.floor(values))
    if pa.types.is_integer(column.type) and broken.any():
        row = int(np.argmax(broken))
        problem = f"{values[row]:g} is not an integer"
        raise source.error(name, problem, "Map a column of integers.", row=row)
    if not outside.any():
        return
    row = int(np.argmax(outside))
    low, high = limits(column)
    allowed = f"[{low:.10g}, {high:.10g}]{' ' + column.unit if column.unit else ''}"
    if is_bookkeeping(name, column):
        advice = "Correct it, or add the number to source.sentinels if it means 'no value'."
        if name == "ra" and values[row] < 0:
            advice = "Add 360 to negative right ascensions. " + advice
        raise source.error(name, f"{values[row]:.12g} is outside {allowed}", advice, row=row)
    known = int(np.count_nonzero(~np.isnan(values)))
    # the few values of a last block may all be bad
    enough = source.first_row == 0 or known >= ENOUGH
    if enough and outside.sum() > known / 2:
        raise source.error(
            name,
            f"{outside.sum()} of {known} values are outside {allowed}, for example {values[row]:g}",
            f"Is this the {column.meaning}? Map the right column, or convert its unit.",
            row=row,
        )


def _embedded_as_file(path: str | Path, source: EmbeddedSource) -> FileSource:
    """Describe an embedded table as a file source, to read it like one."""
    schema = pq.read_schema(path)
    about = metadata(schema)
    known = {**COLUMNS, **source.declared}
    return FileSource(
        kind="file",
        path=str(path),
        format="parquet",
        columns={
            **{name: name for name in schema.names if name in known and name != "row_id"},
            **{name: name for name in source.declared},
        },
        declared=source.declared,
        magnitude_system=about["magnitude_system"],
        extinction_applied=about["extinction_applied"],
    )


def read_catalogue(
    path: str | Path, source: EmbeddedSource | FileSource | UrlSource, sample: str
) -> tuple[pa.Table, pd.DataFrame]:
    """Read an embedded table, the user's file or a downloaded one into a catalogue.

    Returns
    -------
    catalogue : pyarrow.Table
        One row per row of the file, with metadata `sample`, `magnitude_system`,
        `extinction_applied`, `source_sha256` and `data_digest`.
    defects : pandas.DataFrame
        As returned by `conform`, which also raises the errors.
    """
    settings = _embedded_as_file(path, source) if isinstance(source, EmbeddedSource) else source
    found = read_source(path, settings)
    catalogue, defects = conform(found, settings)
    catalogue = with_metadata(
        catalogue,
        sample=sample,
        magnitude_system=settings.magnitude_system,
        extinction_applied=settings.extinction_applied,
        source_sha256=found.sha256,
        data_digest=content_digest(catalogue),
    )
    return catalogue, defects
