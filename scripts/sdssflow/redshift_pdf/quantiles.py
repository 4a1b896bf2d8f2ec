"""Quantiles of truncated Gaussian mixtures.

The cdf is first evaluated at a few redshifts. Between the two that bracket a quantile, Newton's
method is applied to the logit of the cdf, which is nearly linear in the tails.
"""

from __future__ import annotations

import math

import numpy as np

from sdssflow.redshift_pdf.kernels import ROOT_2, ROOT_PI, at, compiled, inlined, moments

TOLERANCE = 1e-9  # of a quantile, in probability
SPACING = 2.3e-16  # relative spacing of float64 numbers
STEEPEST = math.exp(-0.5) / ROOT_2  # half the slope of exp(-u^2) where it is steepest
FIRST = (-3.0, -1.6, -0.8, 0.0, 0.8, 1.6, 3.0)  # first redshifts, in standard deviations
MAX_STEPS = 400  # far more than a bracket of float64 can be bisected


@inlined
def _logit(p: float) -> float:
    return math.log(p / (1 - p))


@compiled
def first_looks(parts: np.ndarray, below: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Evaluate the cdf at m redshifts across the range.

    Return (n, 4, m): redshift, cdf, its logit, and the derivative of redshift by logit.
    """
    found = np.zeros((len(parts), 4, len(FIRST) + 2))
    for i in range(len(parts)):
        mean, spread = moments(parts[i])
        found[i, :, 0], found[i, :, -1] = (lower, 0.0, -math.inf, 0.0), (upper, 1.0, math.inf, 0.0)
        for j in range(1, len(FIRST) + 1):
            z = min(max(mean + FIRST[j - 1] * spread, lower), upper)
            cdf, density = at(z, parts[i])
            cdf = min(max(cdf - below[i], 0.0), 1.0)
            found[i, :, j] = z, cdf, _logit(cdf), cdf * (1 - cdf) / density
    return found


@inlined
def _start(logit: float, low: np.ndarray, high: np.ndarray) -> float:
    """Return a redshift near a quantile, by cubic interpolation between two looks."""
    span = high[2] - low[2]
    if not math.isfinite(span):
        near = low if math.isfinite(low[2]) else high
        z = near[0] + (logit - near[2]) * near[3]
    else:
        t = (logit - low[2]) / span
        z = low[0] + t * t * (3 - 2 * t) * (high[0] - low[0])
        z += t * (1 - t) * span * ((1 - t) * low[3] - t * high[3])
    return z if low[0] < z < high[0] else 0.5 * (low[0] + high[0])


@inlined
def _search(level: float, part: np.ndarray, below: float, bend: float, looks: np.ndarray) -> float:
    """Return the redshift where the cdf is `level`.

    Newton's method on the logit of the cdf. A step that leaves the bracket or does not halve the
    previous one is replaced by a bisection (Press et al. 2007, Numerical Recipes, 9.4), so that it
    always converges. After a Newton step on the cdf itself the error is at most `bend` times the
    step squared.
    """
    place = 1
    while looks[1, place] < level and place < looks.shape[1] - 1:
        place += 1
    low, high, logit = looks[0, place - 1], looks[0, place], _logit(level)
    z, before = _start(logit, looks[:, place - 1], looks[:, place]), high - low
    for _ in range(MAX_STEPS):
        cdf, density = at(z, part)
        cdf -= below
        if cdf < level:
            low = z
        else:
            high = z
        step = (level - cdf) / density
        if bend * step * step <= TOLERANCE and low <= z + step <= high:
            return z + step
        if abs(cdf - level) <= TOLERANCE or high - low <= SPACING * (abs(low) + abs(high)):
            return z
        if 0 < cdf < 1:
            step = (logit - _logit(cdf)) * cdf * (1 - cdf) / density
        if not (low < z + step < high and abs(step) <= 0.5 * before):
            step = 0.5 * (low + high) - z
        z, before = z + step, abs(step)
    return z


@compiled
def quantiles(
    levels: np.ndarray,
    looks: np.ndarray,
    parts: np.ndarray,
    below: np.ndarray,
    lower: float,
    upper: float,
) -> np.ndarray:
    """Return the (n, q) redshifts where the cdf reaches (n, q) levels, to `TOLERANCE` in it."""
    found = np.empty(levels.shape)
    for i in range(len(levels)):
        bend = 0.0
        for k in range(parts.shape[2]):
            bend += parts[i, 0, k] * parts[i, 2, k] ** 2
        bend *= STEEPEST / ROOT_PI
        for j in range(levels.shape[1]):
            level = levels[i, j]
            if level == 0 or level == 1:
                found[i, j] = upper if level == 1 else lower
            else:
                z = _search(level, parts[i], below[i], bend, looks[i])
                found[i, j] = min(max(z, lower), upper)
    return found
