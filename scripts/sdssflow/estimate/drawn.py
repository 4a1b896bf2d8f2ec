"""The objects that partitions drew for the figures, put together to a fair draw of the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.estimate.layout import DRAWN_LEVELS
from sdssflow.prepare.feature_columns import ALL_BANDS, Feature
from sdssflow.tables import read_parquet

NO_OBJECTS = pa.table({"partition": pa.array([], pa.int32())})


def read_drawn(
    paths: Sequence[str | Path],
    summaries: Sequence[Mapping[str, Any]],
    most: int,
    wanted: Callable[[str], bool] = lambda name: True,
) -> pa.Table:
    """Read drawn objects of all partitions, among which each of the target has the same chance.

    Each partition drew the objects with the smallest hashes. Those with a hash below the largest
    of every partition that could not draw all its objects were drawn in all of them alike: each
    stands for as many objects, whatever the sizes of the partitions.

    Parameters
    ----------
    paths : sequence of path-like
        ``partitions/*_drawn.parquet``.
    summaries : sequence of mapping
        Of the same partitions; those set aside have no objects.
    most : int
        Objects that are read.
    wanted : callable
        Says of the name of a column whether it is read.

    Returns
    -------
    pyarrow.Table
        `partition` (int32, the place in `paths`) and the wanted columns.
    """
    keys, largest = [], np.uint64(2**64 - 1)
    for path, summary in zip(paths, summaries, strict=True):
        key = pq.read_table(path, columns=["key"])["key"].to_numpy()
        keys.append(key)
        if 0 < len(key) < summary["numbers"].get("kept", 0):
            largest = min(largest, key[-1])
    every = np.concatenate(keys)
    every = every[every <= largest]
    if len(every) > most:
        largest = np.partition(every, most - 1)[most - 1]
    tables = []
    for number, (path, key) in enumerate(zip(paths, keys, strict=True)):
        rows = int(np.searchsorted(key, largest, side="right"))
        if rows:
            names = [name for name in pq.read_schema(path).names if wanted(name)]
            table = read_parquet(path, names).slice(0, rows)
            partition = pa.array(np.full(rows, number, np.int32))
            tables.append(table.add_column(0, "partition", partition))
    return pa.concat_tables(tables, promote_options="default") if tables else NO_OBJECTS


def columns(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Return columns of numbers as an (n, k) float64 array, NaN for null."""
    found = [table[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(found)


def quantiles_of(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return which of n objects have p(z), (n,) bool, and the (m, q) quantiles of those.

    They are at `DRAWN_LEVELS`.
    """
    if "quantiles" not in table.column_names:
        return np.zeros(len(table), bool), np.empty((0, len(DRAWN_LEVELS)))
    lists = table["quantiles"].combine_chunks()
    known = lists.is_valid().to_numpy(zero_copy_only=False)
    values = lists.drop_null().flatten().to_numpy(zero_copy_only=False)
    return known, values.astype(np.float64).reshape(-1, len(DRAWN_LEVELS))


def color_of(names: Sequence[str], task: str) -> tuple[str, str] | None:
    """Return the column of a colour among the features of a task, and what it is; None without one.

    >>> color_of(["classify:psf_mag_r", "classify:psf_color_gr"], "classify")
    ('classify:psf_color_gr', 'g − r')
    """
    features = {name: Feature.named(name.removeprefix(f"{task}:")) for name in names
                if name.startswith(f"{task}:")}  # fmt: skip
    found = {its.bands: name for name, its in features.items() if its.kind == "color"}
    first = [("g", "r"), ("u", "g")]
    for bands in (*first, *sorted(found, key=lambda pair: ALL_BANDS.index(pair[0]))):
        if bands in found:
            return found[bands], f"{bands[0]} \N{MINUS SIGN} {bands[1]}"
    return None
