"""Integrals over truncated Gaussian mixtures that the scores need."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdssflow.redshift_pdf import kernels
from sdssflow.redshift_pdf.kernels import FAR, ROOT_PI, Components
from sdssflow.redshift_pdf.mixture import Mixture

# First panels of the integral end at these distances from the mean, in standard deviations.
PANEL_ENDS = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
ACCURACY = 1e-6  # of the integral over a panel, relative to the whole
MAX_HALVINGS = 60  # of a panel; narrower ones than a float64 can tell apart contribute nothing
# In units of sqrt(2) standard deviations: farther from the ends of the range nothing is cut off.
NOTHING_CUT = 6.0
# Kronrod's 15 points, every other of which is one of Gauss's 7 (Piessens et al. 1983, QUADPACK).
KRONROD = (
    (0.991455371120812639206854697526329, 0.022935322010529224963732008058970, 0.0),
    (
        0.949107912342758524526189684047851,
        0.063092092629978553290700663189204,
        0.129484966168869693,
    ),
    (0.864864423359769072789712788640926, 0.104790010322250183839876322541518, 0.0),
    (
        0.741531185599394439863864773280788,
        0.140653259715525918745189590510238,
        0.279705391489276668,
    ),
    (0.586087235467691130294144691693013, 0.169004726639267902826583426598550, 0.0),
    (
        0.405845151377397166906606412076961,
        0.190350578064785409913256402421014,
        0.381830050505118945,
    ),
    (0.207784955007898467600689403773245, 0.204432940075298892414161999234649, 0.0),
    (0.0, 0.209482141084727828012999174891714, 0.417959183673469388),
)


def _extrapolation(nodes: list[float], end: float) -> list[float]:
    """Return the weights of values at the nodes in their polynomial's value at `end`."""
    return [
        math.prod((end - other) / (node - other) for other in nodes if other != node)
        for node in nodes
    ]


NODES = [-row[0] for row in KRONROD] + [row[0] for row in reversed(KRONROD[:-1])]
WEIGHTS = [row[1:] for row in (*KRONROD, *reversed(KRONROD[:-1]))]
TO_ENDS = (_extrapolation(NODES, -1.0), _extrapolation(NODES, 1.0))


def ranked_probability_scores(pdf: Mixture, zspec: np.ndarray) -> np.ndarray:
    """Return the (n,) continuous ranked probability scores.

    The cdf squared is integrated from the lower bound to zspec, and 1 - cdf squared from there to
    the upper bound, by adaptive quadrature: panels whose 7-point Gauss and 15-point Kronrod
    integrals differ are halved, and those where the cdf jumps at an end. What lies between
    the range and a zspec outside of it counts in full.

    Parameters
    ----------
    pdf : Mixture
        The n densities.
    zspec : (n,) float64 array
        Spectroscopic redshifts.
    """
    inside = np.clip(zspec, pdf.lower, pdf.upper)
    mean = pdf.mean()
    share = pdf.weights / pdf.weights.sum(axis=1, keepdims=True)
    spread = np.sqrt(np.sum(share * ((pdf.means - mean[:, None]) ** 2 + pdf.scales**2), axis=1))
    ends = mean[:, None] + np.array(PANEL_ENDS) * spread[:, None]
    bounds = np.tile([pdf.lower, pdf.upper], (len(pdf), 1))
    ends = np.sort(
        np.hstack([np.clip(ends, pdf.lower, pdf.upper), inside[:, None], bounds]), axis=1
    )
    scores = np.abs(zspec - inside)

    def add(rows: slice) -> None:
        panels = torch.from_numpy(ends[rows])
        scores[rows] += _integrate(panels, torch.from_numpy(inside[rows]), pdf, rows).numpy()

    kernels.for_blocks(add, len(pdf), pdf.weights.shape[1])
    return scores


def _integrate(ends: torch.Tensor, zspec: torch.Tensor, pdf: Mixture, rows: slice) -> torch.Tensor:
    """Return the (m,) integrals between the first and the last of the (m, e) ascending ends."""
    parts, below = pdf.parts(rows), pdf.below(rows)
    m, panels = len(ends), ends.shape[1] - 1
    kronrod, wrong = torch.empty((2, m, panels), dtype=ends.dtype)
    for place in range(panels):
        low, high = ends[:, place], ends[:, place + 1]
        kronrod[:, place], wrong[:, place] = _panel(low, high, zspec, parts, below)
    allowed = ACCURACY * kronrod.sum(1)
    open_ = wrong > allowed[:, None]
    result = torch.where(open_, 0.0, kronrod).sum(1)
    objects, places = torch.nonzero(open_, as_tuple=True)
    low, high = ends[objects, places], ends[objects, places + 1]
    for _ in range(MAX_HALVINGS):
        if len(objects) == 0:
            break
        middle = 0.5 * (low + high)
        objects = torch.cat([objects, objects])
        low, high = torch.cat([low, middle]), torch.cat([middle, high])
        good = torch.empty(len(low), dtype=torch.bool)
        for some in kernels.blocks(len(low), len(parts.means)):
            which = objects[some]
            each = _panel(low[some], high[some], zspec[which], parts.take(which), below[which])
            good[some] = each[1] <= allowed[which]
            result.index_add_(0, which[good[some]], each[0][good[some]])
        objects, low, high = objects[~good], low[~good], high[~good]
    return result


def _panel(
    low: torch.Tensor,
    high: torch.Tensor,
    zspec: torch.Tensor,
    parts: Components,
    below: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the (p,) integrals from low to high by Kronrod's rule, and how wrong they may be.

    What is wrong is the difference from Gauss's rule; or, where the cdf jumps between an end and
    the node next to it, so that neither rule sees it, the difference of the value at the end from
    the polynomial through the nodes, times the distance of that node.
    """
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    after = middle > zspec
    total = parts.weights.sum(0)

    def value(place: float) -> torch.Tensor:
        cdf = kernels.cdf_of(middle + place * half, parts, total) - below
        return torch.where(after, 1 - cdf, cdf).square_()

    kronrod, gauss = torch.zeros_like(low), torch.zeros_like(low)
    first, last = -value(-1.0), -value(1.0)
    for node, weights, to_first, to_last in zip(NODES, WEIGHTS, *TO_ENDS, strict=True):
        at_node = value(node)
        kronrod.add_(at_node, alpha=weights[0])
        gauss.add_(at_node, alpha=weights[1])
        first.add_(at_node, alpha=to_first)
        last.add_(at_node, alpha=to_last)
    unseen = torch.maximum(first.abs(), last.abs()) * (1 - KRONROD[0][0])
    return kronrod * half, torch.maximum((kronrod - gauss).abs(), unseen) * half


def squared_integrals(pdf: Mixture) -> np.ndarray:
    """Return the (n,) integrals of p^2 over the range, in closed form.

    The product of two Gaussians is a Gaussian again: with component i of weight w_i, mean mu_i and
    variance s_i^2, the pair i, j adds w_i w_j N(mu_i - mu_j; 0, s_i^2 + s_j^2) times the part
    within the range of a Gaussian of mean (mu_i s_j^2 + mu_j s_i^2) / (s_i^2 + s_j^2) and variance
    s_i^2 s_j^2 / (s_i^2 + s_j^2).
    """
    result = np.empty(len(pdf))

    def fill(rows: slice) -> None:
        parts = pdf.parts(rows)
        room = torch.minimum(parts.means - pdf.lower, pdf.upper - parts.means).amin(0)
        cut = room * parts.inverse.amin(0) < NOTHING_CUT
        values = torch.empty(len(cut), dtype=torch.float64)
        for which, bounds in ((cut, (pdf.lower, pdf.upper)), (~cut, None)):
            objects = torch.nonzero(which)[:, 0]
            if len(objects):
                values[objects] = _squared(parts.take(objects), bounds)
        result[rows] = values.numpy()

    kernels.for_blocks(fill, len(pdf), pdf.weights.shape[1])
    return result


def _squared(parts: Components, bounds: tuple[float, float] | None) -> torch.Tensor:
    """Return the (m,) integrals of p^2 within the bounds, or everywhere."""
    w, mu, inverse, _ = parts
    variances = inverse.square().reciprocal_()  # twice the variances
    result = torch.zeros_like(w[0])
    for first in range(len(w)):
        later = slice(first, None)  # pairs i, j and j, i are alike
        both = variances[first] + variances[later]
        apart = mu[later] - mu[first]
        each = apart.square().div_(both).clamp_(max=FAR[apart.dtype]).neg_().exp_()
        each.div_(both.sqrt()).mul_(w[later])
        if bounds is not None:
            mean = torch.addcmul(mu[first], apart, variances[first] / both)
            narrow = (both / (variances[first] * variances[later])).sqrt_()
            each.mul_(_within(mean, narrow, *bounds))
        result += w[first] * (2 * each.sum(0) - each[0])
    return result / ROOT_PI


def _within(mean: torch.Tensor, inverse: torch.Tensor, lower: float, upper: float) -> torch.Tensor:
    """Return what part of Gaussians lies within the bounds."""
    high = torch.erf((upper - mean) * inverse)
    return high.sub_(torch.erf((lower - mean) * inverse)).mul_(0.5)
