"""Which rows are the same object on the sky."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sdssflow.acquire.schema import BANDS, MAGNITUDES
from sdssflow.prepare.columns import numbers

ARCSEC = np.pi / 180 / 3600


def object_keys(table: pa.Table, radius_arcsec: float = 0.5) -> np.ndarray:
    """Return one key per row, equal for rows that are one object.

    Two rows are one object if they have the same objid, or lie within `radius_arcsec` of each
    other, or have identical magnitudes in all bands and one of them has neither objid nor position.
    The relation is closed: a chain of neighbours is one object.

    Parameters
    ----------
    table : pyarrow.Table
        A catalogue.
    radius_arcsec : float
        Largest separation of two positions of one object.

    Returns
    -------
    (n,) array of str
        The key of the group's first row: its objid, else its position, else its magnitudes.
        Rows added behind the others change no key, unless they join two objects.
    """
    n = table.num_rows
    objid, position, magnitudes = _objid_keys(table), _position_keys(table), _magnitude_keys(table)
    anonymous = (objid == "") & (position == "")
    own = np.array([f"row:{row}" for row in table.column("row_id").to_pylist()])
    for keys in (magnitudes, position, objid):  # the most telling last
        own = np.where(keys == "", own, keys)
    links = [_equal(own), _close(table, radius_arcsec), _twins(magnitudes, anonymous)]
    left, right = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    return own[first][label]


def _objid_keys(table: pa.Table) -> np.ndarray:
    if "objid" not in table.column_names:
        return np.full(table.num_rows, "")
    ids = table.column("objid").to_pylist()
    return np.array(["" if value is None else f"objid:{value}" for value in ids])


def _position_keys(table: pa.Table) -> np.ndarray:
    positions = _positions(table)
    if positions is None:
        return np.full(table.num_rows, "")
    known = np.isfinite(positions).all(axis=1)
    pairs = zip(positions.tolist(), known, strict=True)
    return np.array([f"radec:{ra:.6f},{dec:.6f}" if whole else "" for (ra, dec), whole in pairs])


def _positions(table: pa.Table) -> np.ndarray | None:
    if not {"ra", "dec"} <= set(table.column_names):
        return None
    return np.column_stack([numbers(table, name, "duplicates") for name in ("ra", "dec")])


def _magnitude_keys(table: pa.Table) -> np.ndarray:
    """Return all five magnitudes of the first kind there is as text, '' where one is missing."""
    for kind in MAGNITUDES:
        names = [f"{kind}_mag_{band}" for band in BANDS]
        if set(names) <= set(table.column_names):
            values = np.column_stack([numbers(table, name, "duplicates") for name in names])
            pairs = zip(values.tolist(), np.isfinite(values).all(axis=1), strict=True)
            return np.array(
                [
                    "mag:" + ",".join(f"{v:.5f}" for v in row) if whole else ""
                    for row, whole in pairs
                ]
            )
    return np.full(table.num_rows, "")


def _twins(magnitudes: np.ndarray, anonymous: np.ndarray) -> np.ndarray:
    """Pairs of an anonymous row and the first row with its magnitudes, a known one if there is."""
    order = np.lexsort([np.arange(len(magnitudes)), anonymous, magnitudes])
    _, place, inverse = np.unique(magnitudes[order], return_index=True, return_inverse=True)
    twin = np.empty(len(magnitudes), dtype=np.int64)
    twin[order] = order[place][inverse]
    linked = anonymous & (magnitudes != "") & (twin != np.arange(len(magnitudes)))
    return np.array([np.flatnonzero(linked), twin[linked]], dtype=np.int64)


def _equal(keys: np.ndarray) -> np.ndarray:
    """Pairs that chain all rows of an equal key to its first row."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rows = np.arange(len(keys))
    linked = first[inverse] != rows
    return np.array([first[inverse][linked], rows[linked]], dtype=np.int64)


def _close(table: pa.Table, radius_arcsec: float) -> np.ndarray:
    positions = _positions(table)
    if positions is None:
        return np.empty((2, 0), dtype=np.int64)
    known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if len(known) == 0:
        return np.empty((2, 0), dtype=np.int64)
    ra, dec = np.radians(positions[known]).T
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    chord = 2 * np.sin(radius_arcsec * ARCSEC / 2)
    pairs = cKDTree(vectors).query_pairs(chord, output_type="ndarray")
    return known[pairs].T.astype(np.int64).reshape(2, -1)
