"""Integrals over truncated Gaussian mixtures for the scores."""

from __future__ import annotations

import math

import numpy as np

from sdssflow.redshift_pdf.kernels import ROOT_PI, at, bell, compiled, gaussian_cdf, inlined
from sdssflow.redshift_pdf.mixture import Mixture

# Edges of the initial panels of the integral of the ranked probability score, from the mean in
# standard deviations.
PANELS = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
ACCURACY = 1e-6  # of the integral over a panel, relative to the whole
MAX_HALVINGS = 60  # of a panel; narrower ones are below the resolution of float64
# Kronrod's 15 points, of which every other is one of Gauss's 7 (Piessens et al. 1983, QUADPACK):
# abscissa, weight in Kronrod's rule, weight in Gauss's
HALF_KRONROD = np.array(
    [
        (0.991455371120812639206854697526329, 0.022935322010529224963732008058970, 0.0),
        (0.949107912342758524526189684047851,
         0.063092092629978553290700663189204, 0.129484966168869693),
        (0.864864423359769072789712788640926, 0.104790010322250183839876322541518, 0.0),
        (0.741531185599394439863864773280788,
         0.140653259715525918745189590510238, 0.279705391489276668),
        (0.586087235467691130294144691693013, 0.169004726639267902826583426598550, 0.0),
        (0.405845151377397166906606412076961,
         0.190350578064785409913256402421014, 0.381830050505118945),
        (0.207784955007898467600689403773245, 0.204432940075298892414161999234649, 0.0),
        (0.0, 0.209482141084727828012999174891714, 0.417959183673469388),
    ]
)  # fmt: skip
KRONROD = np.vstack([HALF_KRONROD * [-1, 1, 1], HALF_KRONROD[-2::-1]])
# weights of the values at the nodes in the value of their polynomial at either end
TO_ENDS = np.array(
    [
        [math.prod((end - other) / (node - other) for other in KRONROD[:, 0] if other != node)
         for node in KRONROD[:, 0]]
        for end in (-1.0, 1.0)
    ]
)  # fmt: skip


def ranked_probability_scores(pdf: Mixture, zspec: np.ndarray) -> np.ndarray:
    """Return the (n,) continuous ranked probability scores.

    cdf^2 is integrated from the lower bound to zspec, and (1 - cdf)^2 from there to the upper
    bound. The distance of a zspec outside of the range from it is added.

    Parameters
    ----------
    pdf : Mixture
        The n densities.
    zspec : (n,) float64 array
        Spectroscopic redshifts.
    """
    inside = np.clip(zspec, *pdf.bounds)
    mean = pdf.mean()
    share = pdf.weights / pdf.weights.sum(axis=1, keepdims=True)
    spread = np.sqrt(np.sum(share * ((pdf.means - mean[:, None]) ** 2 + pdf.scales**2), axis=1))
    ends = np.clip(mean[:, None] + np.array(PANELS) * spread[:, None], *pdf.bounds)
    bounds = np.tile(pdf.bounds, (len(pdf), 1))
    ends = np.sort(np.hstack([ends, inside[:, None], bounds]), axis=1)
    return np.abs(zspec - inside) + _ranked_probability_scores(ends, inside, *pdf.prepared)


def squared_integrals(pdf: Mixture) -> np.ndarray:
    """Return the (n,) integrals of p^2 over the range, in closed form."""
    return _squared_integrals(pdf.prepared[0], *pdf.bounds)


@inlined
def _panel(
    low: float, high: float, zspec: float, part: np.ndarray, below: float
) -> tuple[float, float]:
    """Return the integral of (cdf - [z >= zspec])^2 from low to high, and its error.

    The error is the difference of Kronrod's rule from Gauss's. The cdf may jump between an end and
    the node next to it, where neither rule samples it, so the difference of the value at the end
    from the polynomial through the nodes, times the distance of that node, is an error as well.
    """
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    shift = below + (1.0 if middle > zspec else 0.0)
    first, last = -((at(low, part)[0] - shift) ** 2), -((at(high, part)[0] - shift) ** 2)
    kronrod, gauss = 0.0, 0.0
    for j in range(len(KRONROD)):
        value = (at(middle + KRONROD[j, 0] * half, part)[0] - shift) ** 2
        kronrod += KRONROD[j, 1] * value
        gauss += KRONROD[j, 2] * value
        first += TO_ENDS[0, j] * value
        last += TO_ENDS[1, j] * value
    at_ends = max(abs(first), abs(last)) * (1 + KRONROD[0, 0])
    return kronrod * half, max(abs(kronrod - gauss), at_ends) * half


@compiled
def _ranked_probability_scores(
    ends: np.ndarray, zspec: np.ndarray, parts: np.ndarray, below: np.ndarray
) -> np.ndarray:
    """Return the (n,) integrals of (cdf - [z >= zspec])^2 over panels with (n, e) ascending ends.

    By adaptive quadrature: panels are halved until the error of `_panel` is small.
    """
    n, panels = len(ends), ends.shape[1] - 1
    found = np.zeros(n)
    open_, values = np.empty((panels + MAX_HALVINGS, 3)), np.empty((panels, 2))
    for i in range(n):
        count, whole = 0, 0.0
        for j in range(panels):
            values[j] = _panel(ends[i, j], ends[i, j + 1], zspec[i], parts[i], below[i])
            whole += values[j, 0]
        for j in range(panels):
            if values[j, 1] <= ACCURACY * whole:
                found[i] += values[j, 0]
            else:
                open_[count] = (ends[i, j], ends[i, j + 1], 0.0)
                count += 1
        while count:
            count -= 1
            low, high, halvings = open_[count]
            middle = 0.5 * (low + high)
            for start, end in ((low, middle), (middle, high)):
                value, error = _panel(start, end, zspec[i], parts[i], below[i])
                if error <= ACCURACY * whole:
                    found[i] += value
                elif halvings < MAX_HALVINGS - 1:
                    open_[count] = (start, end, halvings + 1)
                    count += 1
    return found


@compiled
def _squared_integrals(parts: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return the (n,) integrals of p^2 over the range, in closed form.

    The product of two Gaussians is a Gaussian: with component i of weight w_i, mean mu_i and
    variance s_i^2, the pair i, j adds w_i w_j N(mu_i - mu_j; 0, s_i^2 + s_j^2) times the
    probability within the range of a Gaussian of mean (mu_i s_j^2 + mu_j s_i^2) / (s_i^2 + s_j^2)
    and variance s_i^2 s_j^2 / (s_i^2 + s_j^2).
    """
    found = np.zeros(len(parts))
    for i in range(len(parts)):
        w, mu, inverse = parts[i]
        for j in range(len(w)):
            total = 0.0
            for k in range(len(w)):
                both = 1 / inverse[j] ** 2 + 1 / inverse[k] ** 2  # twice the variances
                mean = mu[j] + (mu[k] - mu[j]) / (inverse[j] ** 2 * both)
                narrow = math.sqrt(inverse[j] ** 2 + inverse[k] ** 2)
                high, low = (upper - mean) * narrow, (lower - mean) * narrow
                inside = gaussian_cdf(high, bell(high)) - gaussian_cdf(low, bell(low))
                total += w[k] * bell((mu[k] - mu[j]) / math.sqrt(both)) / math.sqrt(both) * inside
            found[i] += w[j] * total / ROOT_PI
    return found
