"""Read HDF5 files into Arrow, only the mapped columns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sdssflow.acquire.errors import REPAIR, CatalogueError
from sdssflow.acquire.files.columns import (
    FileColumns,
    Part,
    Wanted,
    check_lengths,
    mapped_table,
    needed_columns,
)
from sdssflow.acquire.files.hdf5_layouts import (
    ASTROPY_HEADER,
    Stored,
    check_readable,
    chosen,
    columns_of,
    follow,
    tables,
)
from sdssflow.acquire.units import as_word, stated_unit, units_of_yaml

NULL_ATTRIBUTES = ("_FillValue", "missing_value")  # of netCDF
SCALING = {"scale_factor": 1, "add_offset": 0}  # attributes of netCDF, and their defaults


def hdf5_blocks(
    path: str, columns: dict[str, str], table: str | int | None, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a file; see `mapped_table`.

    `table` is the path inside the file of one of the layouts in `hdf5_layouts`; by default the root
    group if it holds datasets, else the only table. Values stored in another file or never written
    are refused.
    """
    with _table(path, table) as (found, length):
        needed = needed_columns(path, columns, found(slice(None)))
        lengths = {name: n for name in needed if (n := length(name)) is not None}
        check_lengths(path, lengths)
        for block in part.slices(next(iter(lengths.values()), 1), rows):
            yield block.start, mapped_table(path, columns, found(block))


@contextlib.contextmanager
def _table(
    path: str, table: str | int | None
) -> Iterator[tuple[Callable[[slice], FileColumns], Callable[[str], int | None]]]:
    """Open a table; yield functions for its columns in a range of rows and for their lengths."""
    import h5py

    with contextlib.suppress(ImportError):
        import_module("hdf5plugin")  # if installed, it adds compressions

    try:
        with h5py.File(path, "r") as file:
            node = chosen(path, file, table)
            places = columns_of(path, node, table)
            units = _compound_units(path, node)

            def resolved(name: str) -> Stored:
                return _resolved(Wanted(path, name), node, places)

            def found(rows: slice) -> FileColumns:
                return FileColumns(
                    names=list(places),
                    read=lambda name: _values(Wanted(path, name), resolved(name), rows),
                    unit=lambda name: (
                        stated_unit(getattr(resolved(name).holder, "attrs", {})) or units.get(name)
                    ),
                    others=lambda: {
                        place: list(columns_of(path, other, place))
                        for place, other in tables(file).items()
                        if place and other != node
                    },
                    declared=lambda name: _declared(resolved(name)),
                    stored=Path(path).stat().st_size,
                )

            yield found, lambda name: _length(resolved(name))
    except CatalogueError:
        raise
    # h5py raises all of these for damaged files
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CatalogueError(path, f"the file can't be read as HDF5 ({error})", REPAIR) from error


def _resolved(column: Wanted, node: Any, places: dict[str, Stored]) -> Stored:
    """Return where a column is stored, after checking that it is readable."""
    import h5py

    path, name = column.path, column.column
    stored = places[name]
    dataset = stored.dataset
    if dataset is None and stored.element is not None:
        raise column.error(
            "pandas wrote it as Python objects or categories, which can't be read",
            "Export the table as Parquet: DataFrame.to_parquet.",
        )
    if dataset is None:
        dataset = follow(path, node, name)
        if not isinstance(dataset, h5py.Dataset):
            raise CatalogueError(
                path, f"{name!r} is a link to a group, not a column", "Set source.table to it."
            )
        stored = Stored(dataset, holder=dataset)
    for part in (dataset, *(stored.vaex.values() if stored.vaex is not None else ())):
        check_readable(column, part)
    return stored


def _declared(stored: Stored) -> int:
    kind = stored.dataset.dtype[stored.field] if stored.field else stored.dataset.dtype
    return (stored.dataset.size or 0) * kind.itemsize


def _compound_units(path: str, node: Any) -> dict[str, str]:
    """Return the units of a compound dataset: astropy's header, ``TUNITn``, ``NAME_unit``."""
    import h5py

    if not isinstance(node, h5py.Dataset):
        return {}
    found = {}
    for k, name in enumerate(node.dtype.names or ()):
        keys = [f"TUNIT{k + 1}", f"FIELD_{k}_UNITS", f"FIELD_{k}_UNIT"]
        keys += [f"{name}{dot}{word}" for dot in "_." for word in ("unit", "units")]
        for key in keys:
            if key in node.attrs:
                found[name] = as_word(node.attrs[key])
    header = follow(path, node.parent, node.name.rpartition("/")[2] + ASTROPY_HEADER)
    if header is not None:
        found |= units_of_yaml(as_word(line) for line in header[...])
    return found


def _length(stored: Stored) -> int | None:
    """Return the number of rows of a column; None for scalars, which `_values` refuses."""
    if stored.vaex is not None and "indices" in stored.vaex:
        return max(len(stored.vaex["indices"]) - 1, 0)
    return stored.dataset.shape[0] if stored.dataset.shape else None


def _values(column: Wanted, stored: Stored, rows: slice) -> Any:
    """Return some rows of a column, with nulls masked and enumerations as text."""
    import h5py

    dataset = stored.dataset
    if dataset.shape is None:
        raise column.error("it holds no values", "Map a column.")
    if stored.vaex is not None and "indices" in stored.vaex:
        return _vaex_texts(stored, rows)
    if dataset.shape == ():
        return dataset[()] if not isinstance(dataset[()], bytes | str) else np.array(dataset[()])
    values = dataset.fields(stored.field)[rows] if stored.field else dataset[rows]
    if stored.element is not None:
        values = values[:, stored.element]
    words = h5py.check_enum_dtype(dataset.dtype[stored.field] if stored.field else dataset.dtype)
    if words and values.dtype.kind != "b":
        values = _enumerated(column, values, words)
    mask = np.zeros(values.shape, dtype=bool)
    for null in _null_values(column, stored):
        if values.dtype.kind == "f" and isinstance(null, np.number):
            null = values.dtype.type(null)  # -999.9 as stored in float32
        mask |= values == null
    if stored.vaex is not None and "mask" in stored.vaex:
        mask |= stored.vaex["mask"][rows].astype(bool)
    if stored.pandas and values.dtype.kind == "S":
        mask |= values == b"nan"
    return np.ma.array(values, mask=mask) if mask.any() else values


def _null_values(column: Wanted, stored: Stored) -> Iterator[Any]:
    """Yield the values that attributes of netCDF define as null; scaled numbers are refused."""
    attributes = {} if stored.holder is None or stored.vaex is not None else stored.holder.attrs
    for key, neutral in SCALING.items():
        if key in attributes and np.any(np.asarray(attributes[key]) != neutral):
            raise column.error(
                f"its numbers are scaled ({key} is {as_word(attributes[key])})",
                "Write the true values, without scale_factor and add_offset.",
            )
    for key in NULL_ATTRIBUTES:
        if key in attributes:
            yield from np.atleast_1d(attributes[key])


def _enumerated(column: Wanted, values: np.ndarray, words: dict[str, int]) -> np.ndarray:
    by_number = {number: word for word, number in words.items()}
    try:
        found = [by_number[number] for number in values.ravel().tolist()]
        return np.array(found).reshape(values.shape)
    except KeyError as error:
        problem = f"{error.args[0]} is not in its enumeration ({', '.join(words)})"
        raise column.error(problem, "Write the column as text.") from error


def _vaex_texts(stored: Stored, rows: slice) -> pa.Array:
    """Return texts of vaex from their bytes, offsets and validity bitmap."""
    indices = stored.vaex["indices"]
    first, last, _ = rows.indices(_length(stored) or 0)
    ends = indices[first : last + 1].astype(np.int64) - int(indices[0])
    raw, bitmap = stored.dataset[ends[0] : ends[-1]], None
    if "null_bitmap" in stored.vaex:
        bits = np.unpackbits(
            stored.vaex["null_bitmap"][first // 8 : -(-last // 8)], bitorder="little"
        )
        bitmap = pa.py_buffer(np.packbits(bits[first % 8 :], bitorder="little").tobytes())
    buffers = [bitmap, pa.py_buffer((ends - ends[0]).tobytes()), pa.py_buffer(raw.tobytes())]
    texts = pa.Array.from_buffers(pa.large_string(), len(ends) - 1, buffers)
    texts.validate(full=True)  # the offsets come from the file
    return texts
