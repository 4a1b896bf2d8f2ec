"""Bootstrap intervals over groups of objects, with paired comparisons.

Each replicate draws groups (objects with their duplicates, plates or sky cells) with replacement.
The draw of a group depends only on the seed, the replicate and the group's key: models, seeds or
runs that share objects share the draws, so differences between them are paired.

Most scores are functions of sums over objects. A replicate is a count per object, so the sums of
all replicates are one matrix product, (replicates, objects) @ (objects, summands). The first row of
the weights counts each object once and gives the score itself.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from sdssflow.configuration.bootstrap import Bootstrap

BLOCK = 4_000_000  # replicates x objects converted to float64 at once


def draw_counts(groups: np.ndarray, settings: Bootstrap) -> np.ndarray:
    """Draw how often each row is in each replicate: (replicates, n) uint8 counts.

    Rows with the same key in `groups`, (n,) of str, are drawn together. Counts are Poisson(1), the
    large-sample limit of drawing with replacement (Hanley & MacGibbon 2006, Comput. Methods
    Programs Biomed. 83, 57), and independent between groups.
    """
    keys, members = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    counts = np.empty((settings.replicates, len(keys)), dtype=np.uint8)
    for column, key in enumerate(keys):
        digest = hashlib.blake2b(f"{settings.seed}|{key}".encode(), digest_size=8).digest()
        generator = np.random.Generator(np.random.SFC64(int.from_bytes(digest)))
        counts[:, column] = generator.poisson(1.0, settings.replicates)
    return counts[:, members]


def replicate(
    statistic: Callable[..., float | np.ndarray], arrays: tuple[np.ndarray, ...], counts: np.ndarray
) -> np.ndarray:
    """Evaluate `statistic` on each replicate: an (r,) or (r, k) array.

    `statistic` takes the (n, ...) `arrays`, resampled along the first axis by the (r, n) uint8
    `counts` of `draw_counts`, and returns a number or a (k,) array. Empty replicates are NaN.
    """
    values = []
    for count in counts:
        rows = np.repeat(np.arange(len(count)), count)
        values.append(statistic(*(array[rows] for array in arrays)) if len(rows) else np.nan)
    shape = max((np.shape(value) for value in values), key=len)
    return np.array([np.broadcast_to(value, shape) for value in values], dtype=float)


def interval(replicates: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of (r, ...) replicates along the first axis.

    `level` is the two-sided confidence level, such as 0.95; NaN replicates are ignored.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    with warnings.catch_warnings():
        # undefined in every replicate: NaN without a warning
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        low, high = np.nanquantile(replicates, tails, axis=0)
    return low, high


def bound_certain_fraction(
    value: float, low: float, high: float, n: int, level: float
) -> tuple[float, float]:
    """Return [low, high] of a fraction of `n` objects, or the exact interval if it is 0 or 1.

    No resampling changes a fraction of 0 or 1; its interval is the exact binomial one at the
    two-sided confidence `level` (Clopper & Pearson 1934, Biometrika 26, 404).

    >>> low, high = bound_certain_fraction(0.0, 0.0, 0.0, 5000, 0.95)
    >>> low, round(high, 6)
    (0.0, 0.000738)
    """
    tail = ((1 - level) / 2) ** (1 / n) if n else np.nan
    if value == 0:
        return 0.0, 1 - tail
    if value == 1:
        return tail, 1.0
    return low, high


def with_point_estimate(counts: np.ndarray) -> np.ndarray:
    """Prepend a row that counts each object once to the (r, n) counts of the replicates."""
    return np.vstack([np.ones((1, counts.shape[1]), dtype=counts.dtype), counts])


def weighted_sums(weights: np.ndarray, summands: np.ndarray) -> np.ndarray:
    """Return (m, n) uint8 `weights` @ (n, k) `summands`, without a float64 copy of all weights."""
    return np.concatenate([block @ summands for block in _blocks(weights)])


def ranking_area(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for m weightings of n objects, (m,) float64.

    The area is the probability that an object of the class, (n,) bool `positive`, has a higher (n,)
    `score` than another object, ties counting half (Mann-Whitney). `weights` are (m, n). NaN where
    the class or the rest is empty.
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


def effective_number(weights: np.ndarray) -> float:
    """Return the effective number (sum w)^2 / sum w^2 of weighted objects.

    >>> effective_number(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares else 0.0


def positive_or_nan(numbers: np.ndarray) -> np.ndarray:
    """Replace numbers that are not positive by NaN: a denominator of 0 gives an undefined score."""
    return np.where(numbers > 0, numbers, np.nan)


def _blocks(weights: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, BLOCK // max(1, weights.shape[1]))
    for start in range(0, len(weights), step):
        yield weights[start : start + step].astype(np.float64)
