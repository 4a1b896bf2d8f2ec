"""The point of p(z) that loses least where p(z) has several peaks: neither mean nor highest point.

The mean lies between two peaks, where the object is not; the median lies in the larger one, but
off its middle; the mode follows a narrow spike of little probability. What minimises the expected
loss of a point under a loss that no longer grows once a redshift is lost anyway is near the middle
of the most probable peak (Tanaka et al. 2018, PASJ 70, S9, section 4.2, whose "best" redshift has a
smooth loss of that kind). Here the loss is the error abs(ln(1 + zphot) - ln(1 + z)), of which the
part beyond 0.3 doesn't count: the median of the part of p(z) that lies within 0.3 of it. A p(z)
narrower than that has its median: there the point is found by Newton's method from the median, at
a tenth of what a look at the whole range costs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

CAP = 0.3  # in ln(1 + z), about dz / (1 + z)
NODES = 100  # about as many redshifts are compared
REFINED = 8  # and as many between the best of them and the next
BLOCK = 2048  # objects at a time
LEAST = 0.05  # probability outside of a narrow density
STEP_TOLERANCE = 1e-7  # in ln(1 + z): the step is still taken, and the next would be its square
MAX_STEPS = 10


def best(pdf: Mixture, median: np.ndarray | None = None) -> np.ndarray:
    """Return the (n,) redshifts of least expected error, capped at `CAP`; of equal ones the lowest.

    `median` are the (n,) medians, if they are known.

    Examples
    --------
    Of two peaks the more probable one, though the other is higher:

    >>> from sdssflow.redshift_pdf.mixture import Mixture
    >>> peaks = [np.array([row]) for row in ([0.6, 0.4], [1.0, 3.0], [0.1, 0.02])]
    >>> pdf = Mixture(*peaks, 0.0, 5.0)
    >>> best(pdf).round(2).tolist(), pdf.mode().round(2).tolist()
    ([1.0], [3.0])
    """
    median = pdf.quantiles([0.5])[:, 0] if median is None else median
    found = _near_median(pdf, median)
    rest = np.flatnonzero(np.isnan(found))
    for start in range(0, len(rest), BLOCK):
        rows = rest[start : start + BLOCK]
        found[rows] = _best(pdf[rows])
    return np.clip(found, pdf.lower, pdf.upper)


def _near_median(pdf: Mixture, median: np.ndarray) -> np.ndarray:
    """Return the (n,) points of narrow densities; NaN of the others.

    Narrow is what has all but `LEAST` of its probability within CAP / 2 of the median, so that no
    two redshifts of that part are more than CAP apart: there the expected error is convex.
    """
    found = np.full(len(pdf), np.nan)
    x = np.log1p(median)
    ends = _cdf(pdf, np.stack([x - CAP / 2, x + CAP / 2], axis=1))
    rows = np.flatnonzero(ends[:, 1] - ends[:, 0] >= 1 - LEAST)
    for _ in range(MAX_STEPS):
        if not len(rows):
            break
        part, at = pdf[rows], x[rows]
        points = np.stack([at - CAP, at, at + CAP], axis=1)
        # half the derivative of the expected error, and its slope
        below, middle, above = _cdf(part, points).T
        excess = 2 * middle - below - above
        slope = 2 * part.density(np.expm1(at)) * np.exp(at)
        step = np.divide(-excess, slope, out=np.full(len(rows), np.inf), where=slope > 0)
        good = np.abs(step) < CAP / 2
        x[rows[good]] += step[good]
        done = good & (np.abs(step) <= STEP_TOLERANCE)
        found[rows[done]] = np.expm1(x[rows[done]])
        rows = rows[good & ~done]
    return found


def _best(pdf: Mixture) -> np.ndarray:
    start, end = np.log1p([pdf.lower, pdf.upper])
    reach = math.ceil(CAP * NODES / (end - start))  # nodes within the cap
    step = CAP / reach
    count = math.ceil((end - start) / step) + 1
    cdf = _cdf(pdf, np.tile(start + step * np.arange(count), (len(pdf), 1)))
    cdf = np.hstack([np.zeros((len(pdf), reach)), cdf, np.ones((len(pdf), reach))])
    # the expected loss at x is CAP - the integral over t from 0 to CAP of cdf(x + t) - cdf(x - t)
    summed = np.cumsum(cdf[:, 1:] + cdf[:, :-1], axis=1, dtype=float)
    summed = np.pad(summed, ((0, 0), (1, 0)))
    gain = summed[:, 2 * reach :] - 2 * summed[:, reach:-reach] + summed[:, : -2 * reach]
    node = gain.argmax(axis=1)
    # between two nodes: where as much of p(z) within the cap is below as above
    rows = np.arange(len(pdf))
    excess = 2 * cdf[rows, node + reach] - cdf[rows, node] - cdf[rows, node + 2 * reach]
    first = start + step * (node - (excess > 0))
    points = first[:, None] + step * np.linspace(0, 1, REFINED + 1)
    excess = 2 * _cdf(pdf, points) - _cdf(pdf, points - CAP) - _cdf(pdf, points + CAP)
    after = np.clip((excess <= 0).sum(axis=1), 1, REFINED)
    low, high = excess[rows, after - 1], excess[rows, after]
    share = np.clip(-low / np.where(high > low, high - low, 1), 0, 1)
    return np.expm1(points[rows, after - 1] + share * step / REFINED)


def _cdf(pdf: Mixture, logarithms: np.ndarray) -> np.ndarray:
    """Return the (n, m) cdf of (n, m) ln(1 + z)."""
    return pdf.cdf(np.expm1(logarithms))
