"""Weighted sums and ranks over all bootstrap replicates at once.

Most scores are made of sums over objects. A replicate is a count per object, so the sums of all
replicates are one matrix product: replicates x objects times objects x summands. The first row of
the weights counts each object once and gives the score itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 4_000_000  # numbers of replicates x objects in memory at once


def with_point_estimate(counts: np.ndarray) -> np.ndarray:
    """Put the row that counts each object once before the (r, n) counts of the replicates."""
    return np.vstack([np.ones((1, counts.shape[1]), dtype=counts.dtype), counts])


def weighted_sums(weights: np.ndarray, summands: np.ndarray) -> np.ndarray:
    """Return `weights` @ `summands`, in float64 and without a float copy of all weights.

    Parameters
    ----------
    weights : (m, n) uint8 array
        How often each object counts.
    summands : (n, k) array
        What is summed.

    Returns
    -------
    (m, k) float64 array
    """
    return np.concatenate([block @ summands for block in _blocks(weights)])


def ranking_area(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for several weightings of the objects.

    The area is the chance that an object of the class has a higher score than one that is not,
    ties counting half (Mann-Whitney).

    Parameters
    ----------
    score : (n,) array
        Probability of the class.
    positive : (n,) bool array
        Whether an object is of the class.
    weights : (m, n) array
        How often each object counts.

    Returns
    -------
    (m,) float64 array
        NaN where the class or the rest is empty.
    """
    if not len(score):
        return np.full(len(weights), np.nan)
    order = np.argsort(score, kind="stable")
    ranked, positive = score[order], positive[order]
    ties = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    areas = []
    for block in _blocks(weights):
        block = block[:, order]
        of_class = np.add.reduceat(block * positive, ties, axis=1)
        rest = np.add.reduceat(block * ~positive, ties, axis=1)
        below = np.cumsum(rest, axis=1) - rest / 2
        pairs = of_class.sum(axis=1) * rest.sum(axis=1)
        areas.append((of_class * below).sum(axis=1) / positive_or_nan(pairs))
    return np.concatenate(areas)


def positive_or_nan(numbers: np.ndarray) -> np.ndarray:
    """Return a denominator: NaN instead of 0, so that an undefined score is NaN."""
    return np.where(numbers > 0, numbers, np.nan)


def _blocks(weights: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, BLOCK // max(1, weights.shape[1]))
    for start in range(0, len(weights), step):
        yield weights[start : start + step].astype(np.float64)
