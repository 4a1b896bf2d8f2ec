"""p(z) given by quantiles, with constant density between two of them."""

from __future__ import annotations

import numpy as np


def bin_masses(levels: np.ndarray, redshifts: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integrate p(z), (n, q) quantiles at (q,) levels, over bins with (b + 1,) ascending edges.

    Return an (n, b) array; rows sum to 1: the first and last bin include what is beyond the edges.

    >>> bin_masses(np.array([0.0, 1.0]), np.array([[0.1, 0.5]]), np.array([0.0, 0.2, 0.4])).round(9)
    array([[0.25, 0.75]])
    """
    inner = edges[1:-1]
    cdf = np.empty((len(redshifts), len(edges)))
    cdf[:, 0], cdf[:, -1] = 0.0, 1.0
    for row, quantiles in zip(cdf, redshifts, strict=True):
        row[1:-1] = np.interp(inner, quantiles, levels, left=0.0, right=1.0)
    return np.diff(cdf, axis=1)


def variances(levels: np.ndarray, redshifts: np.ndarray) -> np.ndarray:
    """Return the (n,) variances of p(z) given as (n, q) quantiles at (q,) levels.

    Beyond the first and last quantile, p(z) falls exponentially from the density next to it: for a
    Gaussian with 99 quantiles, the standard deviation is 0.3 % too small.

    >>> variances(np.array([0.0, 1.0]), np.array([[0.0, 1.0]])).round(9)
    array([0.08333333])
    """
    mass = np.diff(levels)
    low, high = redshifts[:, :-1], redshifts[:, 1:]
    mean = ((low + high) / 2) @ mass
    square = ((low**2 + low * high + high**2) / 3) @ mass
    for end, inward, tail in ((0, 1, levels[0]), (-1, -2, 1 - levels[-1])):
        start = redshifts[:, end]
        # probability of the tail over the density next to it; negative for the left tail
        tail_length = tail / abs(levels[end] - levels[inward]) * (start - redshifts[:, inward])
        mean += tail * (start + tail_length)
        square += tail * (start**2 + 2 * start * tail_length + 2 * tail_length**2)
    return np.maximum(square - mean**2, 0)
