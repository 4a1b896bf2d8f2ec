"""The point estimate of smallest expected loss for p(z) with several peaks.

With two peaks, the mean is between them, where the object is not; the median is in the larger one,
but not at its centre; the mode follows a narrow spike of little probability. A loss that is
constant for catastrophic errors is minimised near the centre of the most probable peak (Tanaka et
al. 2018, PASJ 70, S9, section 4.2, whose "best" redshift has a smooth loss of that kind). Here the
loss is abs(ln(1 + zphot) - ln(1 + z)), capped at 0.3; its minimum is the median of the part of p(z)
within 0.3 of it. For a p(z) narrower than that, Newton's method from the median finds the point at
a tenth of the cost of a search over the whole range.
"""

from __future__ import annotations

import math

import numpy as np

from sdssflow.redshift_pdf.kernels import at, compiled, inlined, truncated_cdf

CAP = 0.3  # largest error, in ln(1 + z), about dz / (1 + z)
NODES = 100  # approximate number of redshifts compared
TIE = 1e-9  # difference of gains, in nodes, within which the lower redshift is the best
REFINED = 8  # further redshifts between the best of them and the next
NOTHING = 1e-5  # the search ends where the cdf is this close to 1
LEAST = 0.05  # largest probability outside of a narrow density
BEST_TOLERANCE = 3e-7  # in ln(1 + z): the last step is still taken, the next would be its square
BEST_STEPS = 10


@inlined
def _excess(x: float, part: np.ndarray, below: float, lower: float, upper: float) -> float:
    """Half the derivative of the expected capped error at x = ln(1 + z)."""
    low, high = math.expm1(x - CAP), math.expm1(x + CAP)
    middle = 2 * truncated_cdf(math.expm1(x), part, below, lower, upper)
    return (
        middle
        - truncated_cdf(low, part, below, lower, upper)
        - truncated_cdf(high, part, below, lower, upper)
    )


@inlined
def _narrow_best(x: float, part: np.ndarray, below: float, lower: float, upper: float) -> float:
    """Return the point of least expected capped error near the median x; NaN if p(z) is wide.

    A narrow p(z) has all but `LEAST` of its probability within CAP / 2 of the median: no two
    redshifts of that part are more than CAP apart, so the expected error is convex there.
    """
    within = truncated_cdf(math.expm1(x + CAP / 2), part, below, lower, upper)
    within -= truncated_cdf(math.expm1(x - CAP / 2), part, below, lower, upper)
    if within < 1 - LEAST:
        return math.nan
    for _ in range(BEST_STEPS):
        slope = 2 * at(math.expm1(x), part)[1] * math.exp(x)
        step = -_excess(x, part, below, lower, upper) / slope
        if not abs(step) < CAP / 2:
            break
        x += step
        if abs(step) <= BEST_TOLERANCE:
            return x
    return math.nan


@inlined
def _wide_best(
    part: np.ndarray, below: float, lower: float, upper: float, cdf: np.ndarray, reach: int
) -> float:
    """Return the point of least expected capped error of any p(z)."""
    start, step = math.log1p(lower), CAP / reach
    last = len(cdf) - reach
    cdf[:reach], cdf[last:] = 0.0, 1.0
    for j in range(reach, last):
        if cdf[j - 1] > 1 - NOTHING:
            cdf[j:last] = 1.0
            break
        cdf[j] = truncated_cdf(math.expm1(start + step * (j - reach)), part, below, lower, upper)
    # the expected loss at x is CAP - the integral over t from 0 to CAP of cdf(x + t) - cdf(x - t)
    gain, most, node = 0.0, -math.inf, 0
    for j in range(reach):
        gain += cdf[reach + j] + cdf[reach + j + 1] - cdf[j] - cdf[j + 1]
    for j in range(last - reach):
        if gain > most + TIE:
            most, node = gain, j
        if j + 2 * reach + 1 < len(cdf):
            gain += cdf[j + 2 * reach] + cdf[j + 2 * reach + 1] + cdf[j] + cdf[j + 1]
            gain -= 2 * (cdf[j + reach] + cdf[j + reach + 1])
    # between two nodes: where equal parts of p(z) within the cap are below and above
    if 2 * cdf[node + reach] > cdf[node] + cdf[node + 2 * reach]:
        node -= 1
    x, step = start + step * node, step / REFINED
    before = _excess(x, part, below, lower, upper)
    for _ in range(REFINED):
        after = _excess(x + step, part, below, lower, upper)
        if after > 0:
            break
        x, before = x + step, after
    share = -before / (after - before) if after > before else 0.0
    return x + min(max(share, 0.0), 1.0) * step


@compiled
def bests(
    medians: np.ndarray, parts: np.ndarray, below: np.ndarray, lower: float, upper: float
) -> np.ndarray:
    """Return the (n,) redshifts of least expected error, capped at `CAP`, given the medians."""
    span = math.log1p(upper) - math.log1p(lower)
    reach = math.ceil(CAP * NODES / span)  # nodes within the cap
    cdf = np.empty(math.ceil(span * reach / CAP) + 1 + 2 * reach)
    found = np.empty(len(parts))
    for i in range(len(parts)):
        x = _narrow_best(math.log1p(medians[i]), parts[i], below[i], lower, upper)
        if math.isnan(x):
            x = _wide_best(parts[i], below[i], lower, upper, cdf, reach)
        found[i] = min(max(math.expm1(x), lower), upper)
    return found
