"""Quantiles of truncated Gaussian mixtures.

Newton's method is applied to the probit of the cdf, which is a straight line for one Gaussian. Its
first steps are taken in float32, for a third of the time; one of the cdf in float64 is then enough
for most. Where it is not, each quantile lies between the smallest and the largest quantile of the
components. Within that bracket a step that leaves it or doesn't halve the one before becomes a
bisection (Press et al. 2007, Numerical Recipes, 9.4), so that any mixture comes to an end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch

from sdssflow.redshift_pdf.kernels import (
    ROOT_2,
    ROOT_PI,
    Components,
    cdf_and_density,
    filled,
    summed,
)

TOLERANCE = 1e-9  # in probability
ROUNDING = 1e-15  # what a cdf can't be told from
STEEPEST = math.exp(-0.5) / ROOT_2  # half the slope of exp(-u^2) where it is steepest
SPACING = 2.3e-16  # relative distance of neighbouring float64 numbers
FEWER = 0.5  # part of the searches left at which it pays to leave the finished ones
ROUGH_STEPS = 3  # in float32
MAX_STEPS = 400  # far more than the bisections of a bracket that 64 bits allow


@dataclass
class _Search:
    """State of p searches: (p,) tensors."""

    z: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    step: torch.Tensor  # the last one
    aim: torch.Tensor  # untruncated cdf to be reached
    probit: torch.Tensor  # of `aim` / `total`
    total: torch.Tensor  # sum of the weights
    bend: torch.Tensor  # bound of half the second derivative of the cdf

    def take(self, which: torch.Tensor) -> _Search:
        return _Search(*(getattr(self, field.name)[which] for field in fields(self)))


def quantiles(
    levels: torch.Tensor, parts: Components, below: torch.Tensor, lower: float, upper: float
) -> torch.Tensor:
    """Return where the truncated cdf reaches the levels, to `TOLERANCE` in the cdf.

    Parameters
    ----------
    levels : (q, m) tensor
        Probabilities within [0, 1].
    parts : Components
        Of m objects.
    below : (m,) tensor
        Untruncated cdf at `lower`.
    lower, upper : float
        Bounds of the range.

    Returns
    -------
    (q, m) tensor
        The quantiles; of the levels 0 and 1 the bounds.
    """
    total = summed(parts.weights)
    bend = summed(parts.heights * parts.inverse).mul_(STEEPEST)
    ends = (levels == 0) | (levels == 1)
    aim = below + torch.where(ends, 0.5, levels)
    probit = torch.special.ndtri(aim / total)
    z = _near(probit, parts, total, lower, upper)
    cdf, slope = _at(z, parts, total)
    miss = aim - cdf
    step = torch.where(miss.abs() <= ROUNDING, 0.0, miss / slope)
    found = z + step
    done = (bend * step.square() <= TOLERANCE) & (found >= lower) & (found <= upper)
    rows, objects = map(filled, torch.nonzero(~done, as_tuple=True))
    if len(rows):
        some = parts.take(objects)
        low, high = _bracket(probit[rows, objects], some, lower, upper)
        start = torch.minimum(torch.maximum(z[rows, objects], low), high)
        asked = (aim[rows, objects], probit[rows, objects], total[objects], bend[objects])
        found[rows, objects] = _solve(_Search(start, low, high, high - low, *asked), some)
    return torch.where(ends, torch.where(levels == 0, lower, upper), found).clamp_(lower, upper)


def _near(
    probit: torch.Tensor, parts: Components, total: torch.Tensor, lower: float, upper: float
) -> torch.Tensor:
    """Return (q, m) redshifts near the quantiles, found in float32; of one Gaussian its own."""
    share = parts.weights / total
    mean = summed(share * parts.means)
    variance = (parts.means - mean).square_().add_(parts.inverse.square().mul_(2).reciprocal_())
    spread = summed(share.mul_(variance)).sqrt_()
    z = torch.addcmul(mean, probit, spread).clamp_(lower, upper)
    if len(parts.means) == 1:
        return z
    parts, total, probit, z = parts.single(), total.float(), probit.float(), z.float()
    for _ in range(ROUGH_STEPS):
        step = _probit_step(*_at(z, parts, total), probit, total)
        z.add_(torch.nan_to_num_(step, 0.0, 0.0, 0.0)).clamp_(lower, upper)
    return z.double()


def _at(
    z: torch.Tensor, parts: Components, total: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `cdf_and_density` at (q, m) z."""
    cdf, density = torch.empty_like(z), torch.empty_like(z)
    for place, row in enumerate(z):
        cdf[place], density[place] = cdf_and_density(row, parts, total)
    return cdf, density


def _bracket(
    probit: torch.Tensor, parts: Components, lower: float, upper: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return bounds of the (p,) quantiles."""
    each = torch.addcdiv(parts.means, probit, parts.inverse, value=1 / ROOT_2)
    unused = parts.weights == 0
    low, high = (torch.where(unused, end, each) for end in (math.inf, -math.inf))
    return low.amin(0).clamp_(lower, upper), high.amax(0).clamp_(lower, upper)


def _solve(search: _Search, parts: Components) -> torch.Tensor:
    """Return the (p,) roots, going on with fewer and fewer of them."""
    result = torch.empty_like(search.z)
    place = torch.arange(len(result))
    open_ = torch.ones_like(result, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        open_ &= ~_advance(search, parts, open_)
        result[place] = search.z
        left = filled(torch.nonzero(open_)[:, 0])
        if len(left) == 0:
            break
        if len(left) < FEWER * len(place):
            search, place, parts = search.take(left), place[left], parts.take(left)
            open_ = open_[left]
    return result


def _advance(search: _Search, parts: Components, open_: torch.Tensor) -> torch.Tensor:
    """Take a step of the open searches that are not there yet; return which are there then.

    After Newton's step of the cdf the miss is at most `bend` times the step squared.
    """
    z, low, high = search.z, search.low, search.high
    cdf, slope = cdf_and_density(z, parts, search.total)
    miss = cdf - search.aim
    there = (miss.abs() <= TOLERANCE) | (high - low <= SPACING * (low.abs() + high.abs()))
    short = miss < 0
    search.low, search.high = torch.where(short, z, low), torch.where(short, high, z)
    plain = miss / -slope
    last = search.bend * plain.square() <= TOLERANCE
    step = torch.where(last, plain, _probit_step(cdf, slope, search.probit, search.total))
    ahead = z + step
    good = (ahead > search.low) & (ahead < search.high) & (step.abs() <= 0.5 * search.step.abs())
    ahead = torch.where(good, ahead, 0.5 * (search.low + search.high))
    search.step = ahead - z
    search.z = torch.where(there | ~open_, z, ahead)
    return there | (last & good)


def _probit_step(
    cdf: torch.Tensor, slope: torch.Tensor, probit: torch.Tensor, total: torch.Tensor
) -> torch.Tensor:
    """Return Newton's step of the probit of the cdf."""
    here = torch.special.ndtri(cdf / total)
    step = (probit - here) * torch.exp(-0.5 * here * here) * total
    return step / (slope * (ROOT_2 * ROOT_PI))
