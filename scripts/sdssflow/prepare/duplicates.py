"""Which rows are the same object on the sky."""

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
# what names an object, or a spectrum, of which there is one object
NAMES = (("objid",), ("specobjid",), ("plate", "mjd", "fiberid"))


def object_keys(table: pa.Table, radius_arcsec: float = 0.5) -> pa.StringArray:
    """Return one key per row, equal for rows that are one object (see `first_rows`).

    The key is the objid of the object's first row, else its position, else its magnitudes. Rows
    added behind the others change no key, unless they join two objects.
    """
    first, object_of = np.unique(first_rows(table, radius_arcsec), return_inverse=True)
    rows = table.select(_telling(table)).take(pa.array(first))
    keys = pa.nulls(len(rows), pa.string())
    if "objid" in rows.column_names:
        objid = rows.column("objid").combine_chunks().cast(pa.string())
        keys = pc.binary_join_element_wise("objid", objid, ":")
    unnamed = keys.is_null()  # the others are spared texts of their positions and magnitudes
    rows = rows.filter(unnamed)
    named = pa.array([f"row:{row}" for row in rows.column("row_id").to_pylist()], pa.string())
    places = _as_text("radec", _positions(rows), 6)
    for texts in (_magnitude_texts(rows), places):  # the most telling last
        named = pc.if_else(pc.equal(texts, ""), named, texts)
    return pc.replace_with_mask(keys, unnamed, named).take(pa.array(object_of))


def first_rows(table: pa.Table, radius_arcsec: float = 0.5) -> np.ndarray:
    """Return for each row of a catalogue the first row of the same object, (n,) int64.

    Two rows are one object if they have the same objid, or the same spectrum (by specobjid, or by
    plate, mjd and fiberid), or lie within `radius_arcsec` of each other, or have identical
    magnitudes in all bands and one of them has neither objid nor position. The relation is closed:
    a chain of neighbours is one object.
    """
    n = table.num_rows
    positions = _positions(table)
    placed = np.isfinite(positions).all(axis=1)
    named = [_named(table, names) for names in NAMES]
    links = [_close(positions, placed, radius_arcsec), *(_equal(*one) for one in named)]
    numbered = np.zeros(n, dtype=bool)
    numbered[named[0][1]] = True
    by_place = np.flatnonzero(placed & ~numbered)
    links.append(_equal(_texts(_as_text("radec", positions[by_place], 6)), by_place))
    anonymous = ~placed & ~numbered
    if anonymous.any():
        links.append(_twins(_texts(_magnitude_texts(table)), anonymous))
    left, right = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first, object_of = np.unique(label, return_index=True, return_inverse=True)
    return first[object_of]


def _telling(table: pa.Table) -> list[str]:
    """Return the columns that tell objects apart."""
    magnitudes = {f"{kind}_mag_{band}" for kind in MAGNITUDES for band in BANDS}
    return [
        name
        for name in table.column_names
        if name in {"row_id", "objid", "ra", "dec"} or name in magnitudes
    ]


def _named(table: pa.Table, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return keys of the rows that have all these columns, and the rows.

    Keys are whole numbers: texts of 10^6 rows take a gigabyte.
    """
    if not set(names) <= set(table.column_names):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    columns = table.select(names).combine_chunks().columns
    known = np.logical_and.reduce([column.is_valid().to_numpy() for column in columns])
    keys, *others = (column.filter(pa.array(known)).to_numpy() for column in columns)
    for other in others:  # an mjd has 17 bits, a fibre 10, a plate 14
        keys = keys.astype(np.int64) << 17 | other
    return keys, np.flatnonzero(known)


def _positions(table: pa.Table) -> np.ndarray:
    if not {"ra", "dec"} <= set(table.column_names):
        return np.full((table.num_rows, 2), np.nan)
    return np.column_stack([numbers(table, name, "duplicates") for name in ("ra", "dec")])


def _magnitude_texts(table: pa.Table) -> pa.StringArray:
    """Return all five magnitudes of the first kind there is as text, '' where one is missing."""
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
    return pa.array([form % tuple(row) if whole else "" for row, whole in rows], pa.string())


def _texts(texts: pa.StringArray) -> np.ndarray:
    return np.array(texts.to_pylist(), dtype=str)


def _twins(magnitudes: np.ndarray, anonymous: np.ndarray) -> np.ndarray:
    """Pairs of an anonymous row and the first row with its magnitudes, a known one if there is."""
    order = np.lexsort([np.arange(len(magnitudes)), anonymous, magnitudes])
    _, place, inverse = np.unique(magnitudes[order], return_index=True, return_inverse=True)
    twin = np.empty(len(magnitudes), dtype=np.int64)
    twin[order] = order[place][inverse]
    linked = anonymous & (magnitudes != "") & (twin != np.arange(len(magnitudes)))
    return np.array([np.flatnonzero(linked), twin[linked]], dtype=np.int64)


def _equal(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs that chain those of `rows` that share a key, in `keys`, to the first of them."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    linked = first[inverse] != np.arange(len(rows))
    return np.array([rows[first[inverse][linked]], rows[linked]], dtype=np.int64)


def _close(positions: np.ndarray, placed: np.ndarray, radius_arcsec: float) -> np.ndarray:
    """Pairs of rows within the radius of each other."""
    rows = np.flatnonzero(placed)
    if len(rows) == 0:
        return np.empty((2, 0), dtype=np.int64)
    ra, dec = np.radians(positions[rows]).T
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    chord = 2 * np.sin(radius_arcsec * ARCSEC / 2)
    pairs = cKDTree(vectors).query_pairs(chord, output_type="ndarray")
    return rows[pairs].T.astype(np.int64).reshape(2, -1)
