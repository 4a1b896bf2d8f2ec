"""Quantiles of truncated Gaussian mixtures.

Each quantile lies between the smallest and the largest quantile of the components. Within that
bracket Newton's method is applied to the probit of the cdf, which is a straight line for one
Gaussian; a step that leaves the bracket or doesn't halve the one before becomes a bisection
(Press et al. 2007, Numerical Recipes, 9.4), so that any mixture comes to an end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch

from sdssflow.redshift_pdf.kernels import ROOT_2, ROOT_PI, Components, cdf_and_density

TOLERANCE = 1e-9  # in probability
STEEPEST = math.exp(-0.5) / ROOT_2  # half the slope of exp(-u^2) where it is steepest
SPACING = 2.3e-16  # relative distance of neighbouring float64 numbers
FEWER = 0.5  # part of the searches left at which it pays to leave the finished ones
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
    total = parts.weights.sum(0)
    scales = (parts.inverse * ROOT_2).reciprocal_()
    share = parts.weights / total
    mean = (share * parts.means).sum(0)
    spread = (share * ((parts.means - mean).square_() + scales.square())).sum(0).sqrt_()
    bend = (parts.heights * parts.inverse).sum(0).mul_(STEEPEST)
    result = torch.empty((len(levels), len(total)), dtype=torch.float64)
    for row, level in zip(result, levels, strict=True):
        ends = (level == 0) | (level == 1)
        aim = below + torch.where(ends, 0.5, level)
        probit = torch.special.ndtri(aim / total)
        low, high = _bracket(probit, parts, scales, lower, upper)
        guess = torch.minimum(torch.maximum(mean + spread * probit, low), high)
        search = _Search(guess, low, high, high - low, aim, probit, total, bend)
        row.copy_(_solve(search, parts))
        row.copy_(torch.where(ends, torch.where(level == 0, lower, upper), row))
    return result.clamp_(lower, upper)


def _bracket(
    probit: torch.Tensor, parts: Components, scales: torch.Tensor, lower: float, upper: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return bounds of the (m,) quantiles."""
    each = torch.addcmul(parts.means, scales, probit)
    unused = parts.weights == 0
    if bool(unused.any()):
        low, high = (torch.where(unused, end, each) for end in (math.inf, -math.inf))
    else:
        low = high = each
    return low.amin(0).clamp_(lower, upper), high.amax(0).clamp_(lower, upper)


def _solve(search: _Search, parts: Components) -> torch.Tensor:
    """Return the (m,) roots, going on with fewer and fewer objects."""
    result = torch.empty_like(search.z)
    place = torch.arange(len(result))
    open_ = torch.ones_like(result, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        open_ &= ~_advance(search, parts, open_)
        result[place] = search.z
        left = torch.nonzero(open_)[:, 0]
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
    probit = torch.special.ndtri(cdf / search.total)
    step = (search.probit - probit) * torch.exp(-0.5 * probit * probit) * search.total
    step = torch.where(last, plain, step / (slope * (ROOT_2 * ROOT_PI)))
    ahead = z + step
    good = (ahead > search.low) & (ahead < search.high) & (step.abs() <= 0.5 * search.step.abs())
    ahead = torch.where(good, ahead, 0.5 * (search.low + search.high))
    search.step = ahead - z
    search.z = torch.where(there | ~open_, z, ahead)
    return there | (last & good)
