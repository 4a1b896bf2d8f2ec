"""Conformal prediction intervals from p(z): coverage that holds even if p(z) is wrong.

Split-conformal in the space of the cumulative distribution (Chernozhukov, Wuthrich & Zhu 2021,
PNAS 118 e2107794118): the score of a calibration object is how far zspec is from the median of its
p(z) in probability, s = abs(PIT - 1/2). The interval of a new object goes from the quantile 1/2 - q
to the quantile 1/2 + q of its p(z), where q is the ceil((n + 1) level)-th smallest of the n scores.
If the new object is exchangeable with the calibration objects it is covered with a probability
between `level` and `level` + 1 / (n + 1), over draws of calibration and new objects, whatever p(z)
is. q = 1/2 is the whole range of p(z).

That holds on average over all objects; faint ones could be covered too little and bright ones too
much. So q is found within bins of reference magnitude with equal numbers of calibration objects
(Mondrian conformal prediction; Vovk 2012, arXiv:1209.2673), whose edges come from magnitudes
alone. An object without magnitude, or in a bin with too few objects for the level, gets the q of
all calibration objects.

The same objects fitted the width of p(z) before (`recalibration`). As long as p(z) is one Gaussian
that nothing cuts off, that factor cancels: it moves all scores in step and leaves the intervals
where they are. For mixtures it is one number fitted to n objects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture

LEVELS = {"68": 0.68, "95": 0.95}  # name in columns and files: level


@dataclass(frozen=True)
class ConformalTable:
    """How far intervals reach from the median, in probability, by bin of reference magnitude.

    Attributes
    ----------
    edges : (b - 1,) float64 array
        Magnitudes that part the b bins, ascending; a magnitude on an edge is in the fainter bin.
    counts : (b,) int array
        Calibration objects in each bin.
    reaches : dict of str to (b,) float64 array
        q of each bin by name of the level; NaN if there were no calibration objects at all.
    pooled : dict of str to float
        q of all calibration objects together.
    """

    edges: np.ndarray
    counts: np.ndarray
    reaches: dict[str, np.ndarray]
    pooled: dict[str, float]

    def reach(self, name: str, reference_mag: np.ndarray) -> np.ndarray:
        """Return q of (n,) objects for a level of `LEVELS`; that of all where NaN."""
        magnitude = np.asarray(reference_mag, dtype=np.float64)
        bins = np.searchsorted(self.edges, magnitude, side="right")  # NaN sorts last: replaced
        return np.where(np.isnan(magnitude), self.pooled[name], self.reaches[name][bins])

    def intervals(self, pdf: Mixture, reference_mag: np.ndarray) -> dict[str, np.ndarray]:
        """Return `conformal_low_68`, `conformal_high_68` and so on, (n,) float64 each."""
        columns = {}
        for name in LEVELS:
            reach = self.reach(name, reference_mag)
            bounds = np.full((len(pdf), 2), np.nan)
            for q in np.unique(reach[np.isfinite(reach)]):
                rows = np.flatnonzero(reach == q)
                bounds[rows] = pdf[rows].quantiles([0.5 - q, 0.5 + q])
            columns[f"conformal_low_{name}"] = bounds[:, 0]
            columns[f"conformal_high_{name}"] = bounds[:, 1]
        return columns


def fit_conformal(
    pit: np.ndarray, reference_mag: np.ndarray, bins: int, weights: np.ndarray | None = None
) -> ConformalTable:
    """Find the reach of the intervals from calibration objects.

    Parameters
    ----------
    pit : (n,) array
        Probability that the p(z) of each object gives to redshifts below its zspec; n may be 0.
    reference_mag : (n,) array
        Reference magnitudes in mag, NaN where missing.
    bins : int
        Bins of magnitude, with equal numbers of objects.
    weights : (n,) array, optional
        Density ratios, for a target that is no draw of the same kind; see `conformal_reach`.
    """
    scores = np.abs(np.asarray(pit, dtype=np.float64) - 0.5)
    magnitude = np.asarray(reference_mag, dtype=np.float64)
    known = np.isfinite(magnitude)
    edges = np.empty(0)
    if known.any():
        edges = np.quantile(magnitude[known], np.linspace(0, 1, bins + 1)[1:-1])
    place = np.where(known, np.searchsorted(edges, magnitude, side="right"), -1)
    members = [np.flatnonzero(place == number) for number in range(len(edges) + 1)]
    pooled, reaches = {}, {}
    for name, level in LEVELS.items():
        pooled[name] = conformal_reach(scores, level, weights)
        found = [
            conformal_reach(scores[rows], level, None if weights is None else weights[rows])
            for rows in members
        ]
        short = [_too_few(len(rows), level) for rows in members]
        reaches[name] = np.where(short, pooled[name], found)
    return ConformalTable(edges, np.array([len(rows) for rows in members]), reaches, pooled)


def conformal_reach(
    scores: np.ndarray,
    level: float,
    weights: np.ndarray | None = None,
    own_weight: float | None = None,
) -> float:
    """Return the score that a new object's stays below with probability `level` at least.

    Parameters
    ----------
    scores : (n,) float64 array
        abs(PIT - 1/2) of calibration objects.
    level : float
        Wanted coverage, between 0 and 1.
    weights : (n,) array, optional
        Density of the target over that of the calibration objects, at each calibration object
        (Tibshirani et al. 2019, arXiv:1904.06019). The new object is then one of the target.
    own_weight : float, optional
        That ratio at the new object; the mean of `weights` by default.

    Returns
    -------
    float
        1/2, the whole range of p(z), where there are too few objects for the level; NaN without
        objects.

    Examples
    --------
    >>> scores = np.array([0.1, 0.2, 0.3, 0.4])
    >>> conformal_reach(scores, 0.6)  # the third of five
    0.3
    >>> conformal_reach(scores, 0.9)
    0.5
    >>> conformal_reach(scores, 0.5, weights=np.array([0.0, 0.0, 0.0, 1.0]), own_weight=0.5)
    0.4
    """
    n = len(scores)
    if not n:
        return float("nan")
    if weights is None:
        if _too_few(n, level):
            return 0.5
        return float(np.sort(scores)[_rank(n, level) - 1])
    weights = np.asarray(weights, dtype=np.float64)
    order = np.argsort(scores, kind="stable")
    cumulated = np.cumsum(weights[order])
    own = cumulated[-1] / n if own_weight is None else own_weight
    needed = level * (cumulated[-1] + own)
    # rounding of the sums must not skip an object that is just enough
    place = int(np.searchsorted(cumulated, needed * (1 - 1e-12), side="left"))
    return float(scores[order][place]) if place < n else 0.5


def _rank(n: int, level: float) -> int:
    return math.ceil((n + 1) * level * (1 - 1e-12))


def _too_few(n: int, level: float) -> bool:
    return _rank(n, level) > n
