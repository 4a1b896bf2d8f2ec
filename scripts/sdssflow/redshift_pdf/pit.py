"""Distances of probability integral transforms (PIT) from uniform.

The PIT of an object is the cdf of its p(z) at zspec; if p(z) is calibrated, PIT are uniform from 0
to 1.
"""

from __future__ import annotations

import numpy as np

BLOCK = 4_000_000  # weights x objects in memory at once
PIT_EDGE = 1e-4  # PIT closer to 0 or 1 are outliers, moved here for the Anderson-Darling integral


def pit_ks(pit: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of (n,) PIT from uniform; NaN without objects.

    >>> pit_ks(np.array([0.1, 0.2, 0.3, 0.4]))
    0.6
    """
    return float(pit_distances(pit, np.ones((1, len(pit))))[0, 0])


def pit_distances(pit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure the distance of PIT values from uniform for several sets of weights.

    Parameters
    ----------
    pit : (n,) float64 array
        PIT values from 0 to 1.
    weights : (m, n) array
        How often each object counts, at least 0.

    Returns
    -------
    (m, 3) float64 array
        Kolmogorov-Smirnov and Cramer-von Mises distance, the latter per object, and the
        Anderson-Darling A^2, for which PIT closer than `PIT_EDGE` to 0 and 1 are moved to it; NaN
        where all weights are 0.

    Examples
    --------
    >>> pit_distances(np.array([0.1, 0.5]), np.array([[1, 1], [2, 0]]))[:, 0]
    array([0.5, 0.9])
    """
    order = np.argsort(pit, kind="stable")
    ranked = np.asarray(pit, dtype=np.float64)[order]
    step = max(1, BLOCK // max(1, len(ranked)))
    found = [np.empty((0, 3))]
    for start in range(0, len(weights), step):
        block = weights[start : start + step][:, order].astype(np.float64)
        found.append(_distances(ranked, block))
    return np.concatenate(found)


def _distances(ranked: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the distances of sorted PIT values; `weights` (m, n) in their order."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        after = np.cumsum(weights, axis=1) / total[:, None]
    before = np.hstack([np.zeros((len(after), 1)), after[:, :-1]])
    # F jumps at each PIT from `before` to `after`, which are equal where the weight is 0
    largest = np.maximum(after - ranked, ranked - before).max(axis=1, initial=0)
    ends = np.append(ranked, 1.0)
    steps = np.hstack([np.zeros((len(after), 1)), after])
    cubes = (steps - np.append(0.0, ranked)) ** 3 - (steps - ends) ** 3
    inner = np.clip(ranked, PIT_EDGE, 1 - PIT_EDGE)
    # the integral between two PIT values in closed form, collected by PIT value
    tails = (before**2 - after**2) @ np.log(inner)
    tails += ((1 - after) ** 2 - (1 - before) ** 2) @ np.log1p(-inner)
    found = np.column_stack([largest, cubes.sum(axis=1) / 3, total * (tails - 1)])
    found[total == 0] = np.nan
    return found
