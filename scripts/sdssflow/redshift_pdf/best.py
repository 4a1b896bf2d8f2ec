"""The point of p(z) that loses least where p(z) has several peaks: neither mean nor highest point.

The mean lies between two peaks, where the object is not; the median lies in the larger one, but
off its middle; the mode follows a narrow spike of little probability. What minimises the expected
loss of a point under a loss that no longer grows once a redshift is lost anyway is near the middle
of the most probable peak (Tanaka et al. 2018, PASJ 70, S9, section 4.2, whose "best" redshift has a
smooth loss of that kind). Here the loss is the error abs(ln(1 + zphot) - ln(1 + z)), of which the
part beyond 0.3 doesn't count: the median of the part of p(z) that lies within 0.3 of it. A p(z)
narrower than that has its median: there the point is found by Newton's method from the median, at
a tenth of what a look at the whole range costs. The first steps of either are in float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.redshift_pdf import kernels

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

CAP = 0.3  # in ln(1 + z), about dz / (1 + z)
NODES = 100  # about as many redshifts are compared
REFINED = 8  # and as many between the best of them and the next
LEAST = 0.05  # probability outside of a narrow density
ROUGH_STEPS = 2  # in float32
STEP_TOLERANCE = 3e-7  # in ln(1 + z): the step is still taken, and the next would be its square
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
    found = np.empty(len(pdf))

    def fill(rows: slice) -> None:
        cut = _Cut(pdf.parts(rows), pdf.below(rows), (pdf.lower, pdf.upper))
        x = _near_median(torch.from_numpy(np.log1p(median[rows])), cut)
        rest = torch.nonzero(x.isnan())[:, 0]
        if len(rest):
            x[rest] = _anywhere(cut.take(kernels.filled(rest)))[: len(rest)]
        found[rows] = torch.expm1(x).numpy()

    kernels.for_blocks(fill, len(pdf), pdf.weights.shape[1])
    return np.clip(found, pdf.lower, pdf.upper)


class _Cut:
    """Densities of m objects in x = ln(1 + z), cut off at the bounds."""

    def __init__(
        self, parts: kernels.Components, below: torch.Tensor, bounds: tuple[float, float]
    ) -> None:
        self.parts, self.below, self.bounds = parts, below, bounds

    def take(self, objects: torch.Tensor) -> _Cut:
        return _Cut(self.parts.take(objects), self.below[objects], self.bounds)

    def single(self) -> _Cut:
        return _Cut(self.parts.single(), self.below.float(), self.bounds)

    def cdf(self, x: torch.Tensor) -> torch.Tensor:
        """Return the cdf at (q, m) x."""
        return kernels.truncated_cdf(torch.expm1(x), self.parts, self.below, self.bounds)

    def excess(self, x: torch.Tensor) -> torch.Tensor:
        """Return half the derivative of the expected error at (q, m) x."""
        below, middle, above = self.cdf(torch.cat([x - CAP, x, x + CAP])).chunk(3)
        return 2 * middle - below - above

    def step(self, x: torch.Tensor) -> torch.Tensor:
        """Return Newton's step to where the excess is 0, of (m,) x; infinite if it leads astray."""
        slope = 2 * kernels.density(torch.expm1(x), self.parts) * torch.exp(x)
        step = -self.excess(x[None])[0] / slope
        return torch.where(step.abs() < CAP / 2, step, math.inf)


def _near_median(median: torch.Tensor, cut: _Cut) -> torch.Tensor:
    """Return the (m,) points of narrow densities; NaN of the others.

    Narrow is what has all but `LEAST` of its probability within CAP / 2 of the median, so that no
    two redshifts of that part are more than CAP apart: there the expected error is convex.
    """
    below, above = cut.cdf(torch.stack([median - CAP / 2, median + CAP / 2]))
    rough, x = cut.single(), median.float()
    for _ in range(ROUGH_STEPS):
        step = rough.step(x)
        x = torch.where(step.isfinite(), x + step, x)
    x = x.double()
    found = torch.full_like(x, math.nan)
    narrow, objects = above - below >= 1 - LEAST, torch.arange(len(x))
    for _ in range(MAX_STEPS):
        step = cut.step(x)
        x = x + step
        done = narrow & (step.abs() <= STEP_TOLERANCE)
        found[objects[done]] = x[done]
        left = kernels.filled(torch.nonzero(narrow & ~done & step.isfinite())[:, 0])
        if not len(left):
            break
        narrow, objects, x, cut = narrow[left], objects[left], x[left], cut.take(left)
    return found


def _anywhere(cut: _Cut) -> torch.Tensor:
    """Return the (m,) points of any densities."""
    start, end = np.log1p(cut.bounds)
    reach = math.ceil(CAP * NODES / (end - start))  # nodes within the cap
    step = CAP / reach
    count = math.ceil((end - start) / step) + 1
    rough = cut.single()
    n = len(cut.below)
    nodes = start + step * torch.arange(count, dtype=torch.float64)
    cdf = rough.cdf(nodes.float()[:, None].expand(count, n)).double()
    cdf = torch.cat([torch.zeros(reach, n), cdf, torch.ones(reach, n)])
    # the expected loss at x is CAP - the integral over t from 0 to CAP of cdf(x + t) - cdf(x - t)
    summed = torch.zeros(len(cdf), n, dtype=torch.float64)
    torch.cumsum(cdf[1:] + cdf[:-1], 0, out=summed[1:])
    gain = summed[2 * reach :] - 2 * summed[reach:-reach] + summed[: -2 * reach]
    node = gain.argmax(0)
    # between two nodes: where as much of p(z) within the cap is below as above
    below, middle, above = (
        cdf.gather(0, (node + shift)[None])[0] for shift in (0, reach, 2 * reach)
    )
    first = start + step * (node - (2 * middle > below + above).long())
    share = torch.linspace(0, 1, REFINED + 1, dtype=torch.float64)[:, None]
    excess = rough.excess((first + step * share).float())
    after = (excess <= 0).sum(0).clamp_(1, REFINED)
    place = first + step / REFINED * (after - 1)
    low, high = cut.excess(torch.stack([place, place + step / REFINED]))
    share = (-low / torch.where(high > low, high - low, 1)).clamp_(0, 1)
    return place + share * step / REFINED
