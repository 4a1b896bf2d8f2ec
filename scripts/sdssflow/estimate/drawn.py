"""A random sample of the objects of a target for the figures, from those drawn in partitions."""

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
    """Read a uniform random sample of the objects of a target from those drawn in each partition.

    Each partition drew the objects with the smallest hashes. Up to the smallest of the partitions'
    largest hashes, of those that did not draw all their objects, the draw is complete in every
    partition, so each object represents the same number, whatever the sizes of the partitions.

    Parameters
    ----------
    paths : sequence of path-like
        ``partitions/*_drawn.parquet``.
    summaries : sequence of mapping
        Summaries of the same partitions; those set aside have no objects.
    most : int
        Maximum number of objects to read.
    wanted : callable
        Whether the column of a name is read.

    Returns
    -------
    pyarrow.Table
        `partition` (int32, the index in `paths`) and the wanted columns.
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
    """Return (n,) bool, objects with p(z), and their (m, q) quantiles at `DRAWN_LEVELS`."""
    if "quantiles" not in table.column_names:
        return np.zeros(len(table), bool), np.empty((0, len(DRAWN_LEVELS)))
    lists = table["quantiles"].combine_chunks()
    known = lists.is_valid().to_numpy(zero_copy_only=False)
    values = lists.drop_null().flatten().to_numpy(zero_copy_only=False)
    return known, values.astype(np.float64).reshape(-1, len(DRAWN_LEVELS))


def color_of(names: Sequence[str], task: str) -> tuple[str, str] | None:
    """Return the column of a colour among the features of a task, and its label; None without one.

    >>> color_of(["classify:psf_mag_r", "classify:psf_color_gr"], "classify")
    ('classify:psf_color_gr', 'g − r')
    """
    colors = {}
    for name in names:
        feature = Feature.named(name.removeprefix(f"{task}:"))
        if name.startswith(f"{task}:") and feature.kind == "color":
            colors[feature.bands] = name
    preferred = [("g", "r"), ("u", "g")]
    for bands in (*preferred, *sorted(colors, key=lambda pair: ALL_BANDS.index(pair[0]))):
        if bands in colors:
            return colors[bands], f"{bands[0]} \N{MINUS SIGN} {bands[1]}"
    return None
