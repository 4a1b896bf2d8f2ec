"""Duplicates: rows of the same object on the sky."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sdssflow.acquire.schema import BANDS, MAGNITUDES
from sdssflow.prepare.columns import numbers

ARCSEC = np.pi / 180 / 3600
# columns that identify an object, or a spectrum and thereby its object
NAMES = (("objid",), ("specobjid",), ("plate", "mjd", "fiberid"))


def object_keys(table: pa.Table, radius_arcsec: float = 0.5) -> pa.StringArray:
    """Return one key per row, equal for rows of one object (see `first_rows`).

    The key is the objid of the object's first row, or its position, or its magnitudes, or its row
    number. Appended rows change no key, unless they join two objects.
    """
    first, object_of = np.unique(first_rows(table, radius_arcsec), return_inverse=True)
    magnitudes = {f"{kind}_mag_{band}" for kind in MAGNITUDES for band in BANDS}
    needed = {"row_id", "objid", "ra", "dec"} | magnitudes
    rows = table.select([name for name in table.column_names if name in needed])
    rows = rows.take(pa.array(first))
    keys = pa.nulls(len(rows), pa.string())
    if "objid" in rows.column_names:
        objid = rows.column("objid").combine_chunks().cast(pa.string())
        keys = pc.binary_join_element_wise("objid", objid, ":")
    without_id = keys.is_null()
    rows = rows.filter(without_id)
    others = pa.array([f"row:{row}" for row in rows.column("row_id").to_pylist()], pa.string())
    for texts in (_magnitude_texts(rows), _as_text("radec", _positions(rows), 6)):
        others = pc.if_else(pc.equal(texts, ""), others, texts)
    return pc.replace_with_mask(keys, without_id, others).take(pa.array(object_of))


def first_rows(table: pa.Table, radius_arcsec: float = 0.5) -> np.ndarray:
    """Return for each row of a catalogue the first row of the same object, (n,) int64.

    Two rows are one object if they have the same objid, or the same spectrum (by specobjid, or by
    plate, mjd and fiberid), or are within `radius_arcsec` of each other, or have identical
    magnitudes in all bands and one of them has neither objid nor position. The relation is
    transitive: a chain of neighbours is one object.
    """
    n = table.num_rows
    positions = _positions(table)
    has_position = np.isfinite(positions).all(axis=1)
    named = [_named(table, names) for names in NAMES]
    links = [_close(positions, has_position, radius_arcsec), *(_equal(*one) for one in named)]
    has_objid = np.zeros(n, dtype=bool)
    has_objid[named[0][1]] = True
    by_position = np.flatnonzero(has_position & ~has_objid)
    links.append(_equal(_texts(_as_text("radec", positions[by_position], 6)), by_position))
    anonymous = ~has_position & ~has_objid
    if anonymous.any():
        links.append(_twins(_texts(_magnitude_texts(table)), anonymous))
    left, right = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first, object_of = np.unique(label, return_index=True, return_inverse=True)
    return first[object_of]


def _named(table: pa.Table, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return integer keys of the rows that have values in all these columns, and the rows."""
    if not set(names) <= set(table.column_names):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    columns = table.select(names).combine_chunks().columns
    known = np.logical_and.reduce([column.is_valid().to_numpy() for column in columns])
    keys, *others = (column.filter(pa.array(known)).to_numpy() for column in columns)
    for other in others:  # an mjd has 17 bits, a fiberid 10, a plate 14
        keys = keys.astype(np.int64) << 17 | other
    return keys, np.flatnonzero(known)


def _positions(table: pa.Table) -> np.ndarray:
    if not {"ra", "dec"} <= set(table.column_names):
        return np.full((table.num_rows, 2), np.nan)
    return np.column_stack([numbers(table, name, "duplicates") for name in ("ra", "dec")])


def _magnitude_texts(table: pa.Table) -> pa.StringArray:
    """Return the five magnitudes of the first available kind as text, '' where one is missing."""
    for kind in MAGNITUDES:
        names = [f"{kind}_mag_{band}" for band in BANDS]
        if set(names) <= set(table.column_names):
            values = np.column_stack([numbers(table, name, "duplicates") for name in names])
            return _as_text("mag", values, 5)
    return pa.array([""] * table.num_rows, pa.string())


def _as_text(what: str, values: np.ndarray, digits: int) -> pa.StringArray:
    """Return the numbers of each row as one text, '' where one is not finite."""
    form = f"{what}:" + ",".join([f"%.{digits}f"] * values.shape[1])
    known = np.isfinite(values).all(axis=1)
    rows = zip(values.tolist(), known, strict=True)
    return pa.array([form % tuple(row) if finite else "" for row, finite in rows], pa.string())


def _texts(texts: pa.StringArray) -> np.ndarray:
    return np.array(texts.to_pylist(), dtype=str)


def _twins(magnitudes: np.ndarray, anonymous: np.ndarray) -> np.ndarray:
    """Pairs of an anonymous row and the first row with its magnitudes, preferably a known one."""
    order = np.lexsort([np.arange(len(magnitudes)), anonymous, magnitudes])
    _, first, inverse = np.unique(magnitudes[order], return_index=True, return_inverse=True)
    twin = np.empty(len(magnitudes), dtype=np.int64)
    twin[order] = order[first][inverse]
    linked = anonymous & (magnitudes != "") & (twin != np.arange(len(magnitudes)))
    return np.array([np.flatnonzero(linked), twin[linked]], dtype=np.int64)


def _equal(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs that link those of `rows` with equal `keys` to the first of them."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    linked = first[inverse] != np.arange(len(rows))
    return np.array([rows[first[inverse][linked]], rows[linked]], dtype=np.int64)


def _close(positions: np.ndarray, has_position: np.ndarray, radius_arcsec: float) -> np.ndarray:
    """Pairs of rows within the radius of each other."""
    rows = np.flatnonzero(has_position)
    if len(rows) == 0:
        return np.empty((2, 0), dtype=np.int64)
    ra, dec = np.radians(positions[rows]).T
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    chord = 2 * np.sin(radius_arcsec * ARCSEC / 2)
    pairs = cKDTree(vectors).query_pairs(chord, output_type="ndarray")
    return rows[pairs].T.astype(np.int64).reshape(2, -1)
