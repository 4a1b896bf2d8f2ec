"""Conformal prediction intervals from p(z): coverage that holds even if p(z) is wrong.

Distributional split-conformal prediction (Chernozhukov, Wuthrich & Zhu 2021, PNAS 118
e2107794118): the score of a calibration object is the distance in probability between zspec and the
median of its p(z), s = abs(PIT - 1/2). The interval of a new object goes from the quantile 1/2 - q
to the quantile 1/2 + q of its p(z), where q is the ceil((n + 1) level)-th smallest of the n scores.
If the new object is exchangeable with the calibration objects, its coverage is between `level` and
`level` + 1 / (n + 1), over draws of calibration and new objects, whatever p(z) is. q = 1/2 is the
whole range of p(z).

This coverage is marginal: faint objects could be covered too little and bright ones too much. So q
is found in bins of reference magnitude with equal numbers of calibration objects (Mondrian
conformal prediction; Vovk 2012, arXiv:1209.2673), whose edges depend on magnitudes alone. An object
without magnitude, or in a bin with too few objects for the level, gets the q of all calibration
objects.

The width of p(z) was fitted to the same objects (`recalibration`). As long as p(z) is one Gaussian
that is not truncated, that factor cancels: it changes all scores alike and leaves the intervals
unchanged. For mixtures it is one number fitted to n objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress.records import OR_NAN, RECORD, array_of

LEVELS = {"68": 0.68, "95": 0.95}  # name in columns and files: level
HalfWidth = Annotated[float, Field(ge=0, le=0.5)]


@dataclass(frozen=True)
class ConformalTable:
    """Half widths of the intervals in probability, by bin of reference magnitude.

    Attributes
    ----------
    edges : (b - 1,) float64 array
        Magnitudes between the b bins, ascending; a magnitude on an edge is in the fainter bin.
    objects : (b,) int array
        Calibration objects in each bin.
    reach : dict of str to (b,) float64 array
        q of each bin by name of the level; NaN without calibration objects.
    reach_of_all : dict of str to float
        q of all calibration objects together.
    """

    edges: Annotated[np.ndarray, array_of(float)]
    objects: Annotated[np.ndarray, array_of(Annotated[int, Field(ge=0)])]
    reach: dict[str, Annotated[np.ndarray, array_of(HalfWidth | None)]]
    reach_of_all: dict[str, Annotated[HalfWidth, OR_NAN]]

    __pydantic_config__ = RECORD

    def __post_init__(self) -> None:
        rows = {len(self.edges) + 1, len(self.objects), *map(len, self.reach.values())}
        names = {frozenset(LEVELS), frozenset(self.reach), frozenset(self.reach_of_all)}
        if len(rows) > 1 or len(names) > 1 or (np.diff(self.edges) < 0).any():
            raise ValueError(f"not a table of bins by levels {', '.join(LEVELS)}")

    def half_widths(self, name: str, reference_mag: np.ndarray) -> np.ndarray:
        """Return q of (n,) objects for a level of `LEVELS`; `reach_of_all` without magnitude."""
        magnitude = np.asarray(reference_mag, dtype=np.float64)
        bins = np.searchsorted(self.edges, magnitude, side="right")
        return np.where(np.isfinite(magnitude), self.reach[name][bins], self.reach_of_all[name])

    def intervals(self, pdf: Mixture, reference_mag: np.ndarray) -> dict[str, np.ndarray]:
        """Return `conformal_low_68`, `conformal_high_68` and so on, (n,) float64 each."""
        return intervals(pdf, {name: self.half_widths(name, reference_mag) for name in LEVELS})


def intervals(pdf: Mixture, half_widths: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the intervals of n objects, given (n,) q by name of the level; NaN where q is NaN."""
    columns = {}
    q = np.column_stack(list(half_widths.values()))
    reach = np.where(np.isnan(q), 0.0, q)
    ends = pdf.quantiles(np.clip(np.hstack([0.5 - reach, 0.5 + reach]), 0, 1))
    for place, name in enumerate(half_widths):
        for end, values in (("low", ends[:, place]), ("high", ends[:, place + q.shape[1]])):
            columns[f"conformal_{end}_{name}"] = np.where(np.isnan(q[:, place]), np.nan, values)
    return columns


def fit_conformal(pit: np.ndarray, reference_mag: np.ndarray, bins: int) -> ConformalTable:
    """Find the half widths of the intervals from calibration objects.

    Parameters
    ----------
    pit : (n,) array
        The cdf of each object's p(z) at its zspec; n may be 0.
    reference_mag : (n,) array
        Reference magnitudes in mag, NaN where missing.
    bins : int
        Number of magnitude bins, with equal numbers of objects.
    """
    scores = np.abs(np.asarray(pit, dtype=np.float64) - 0.5)
    magnitude = np.asarray(reference_mag, dtype=np.float64)
    known = np.isfinite(magnitude)
    edges = np.empty(0)
    if known.any():
        edges = np.quantile(magnitude[known], np.linspace(0, 1, bins + 1)[1:-1])
    number = np.where(known, np.searchsorted(edges, magnitude, side="right"), -1)
    bins_scores = [scores[number == row] for row in range(len(edges) + 1)]
    of_all, of_bins = {}, {}
    for name, level in LEVELS.items():
        of_all[name] = half_width(scores, level)
        of_bins[name] = np.array(
            [
                of_all[name] if _rank(len(own), level) > len(own) else half_width(own, level)
                for own in bins_scores
            ]
        )
    return ConformalTable(edges, np.array(list(map(len, bins_scores))), of_bins, of_all)


def half_width(scores: np.ndarray, level: float) -> float:
    """Return the score that a new object does not exceed with a probability of at least `level`.

    Parameters
    ----------
    scores : (n,) float64 array
        abs(PIT - 1/2) of calibration objects.
    level : float
        Nominal coverage, between 0 and 1.

    Returns
    -------
    float
        1/2, the whole range of p(z), with too few objects for the level; NaN without objects.

    Examples
    --------
    >>> scores = np.array([0.1, 0.2, 0.3, 0.4])
    >>> half_width(scores, 0.6), half_width(scores, 0.9)  # the third of five; there is no fifth
    (0.3, 0.5)
    """
    rank = _rank(len(scores), level)
    if not len(scores):
        return float("nan")
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 0.5


def _rank(n: int, level: float) -> int:
    return math.ceil((n + 1) * level * (1 - 1e-12))
