"""Which rows are the same object on the sky."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sdssflow.acquire.schema import BANDS
from sdssflow.prepare.columns import numbers

ARCSEC = np.pi / 180 / 3600


def object_keys(table: pa.Table, radius_arcsec: float = 0.5) -> np.ndarray:
    """Return one key per row, equal for rows that are one object.

    Two rows are one object if they have the same objid, or lie within `radius_arcsec` of each
    other, or (where neither has an objid nor a position) have identical magnitudes in all bands.
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
    own = _own_keys(table)
    links = [_equal(own), _close(table, radius_arcsec)]
    left, right = np.concatenate(links, axis=1)
    n = table.num_rows
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    return own[first][label]


def _own_keys(table: pa.Table) -> np.ndarray:
    n = table.num_rows
    keys = np.full(n, "", dtype=object)
    magnitudes = _magnitude_keys(table)
    positions = _positions(table)
    objids = table.column("objid").to_pylist() if "objid" in table.column_names else [None] * n
    for row in range(n):
        if objids[row] is not None:
            keys[row] = f"objid:{objids[row]}"
        elif positions is not None and np.isfinite(positions[row]).all():
            keys[row] = f"radec:{positions[row, 0]:.6f},{positions[row, 1]:.6f}"
        elif magnitudes is not None and magnitudes[row]:
            keys[row] = f"mag:{magnitudes[row]}"
        else:
            keys[row] = f"row:{table.column('row_id')[row].as_py()}"
    return keys.astype(str)


def _positions(table: pa.Table) -> np.ndarray | None:
    if not {"ra", "dec"} <= set(table.column_names):
        return None
    return np.column_stack(
        [numbers(table, "ra", "duplicates"), numbers(table, "dec", "duplicates")]
    )


def _magnitude_keys(table: pa.Table) -> list[str] | None:
    for kind in ("model", "psf", "petro"):
        names = [f"{kind}_mag_{band}" for band in BANDS]
        if set(names) <= set(table.column_names):
            values = np.column_stack([numbers(table, name, "duplicates") for name in names])
            complete = np.isfinite(values).all(axis=1)
            return [
                ",".join(f"{value:.5f}" for value in row) if whole else ""
                for row, whole in zip(values, complete, strict=True)
            ]
    return None


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
