"""Modes of Gaussian mixtures.

In one dimension the modes of a Gaussian mixture are between its outermost means, so a mixture
whose means are in the range needs no search at the bounds.
"""

from __future__ import annotations

import numpy as np

from sdssflow.redshift_pdf.kernels import bell, compiled, inlined

CANDIDATES = 64  # maximum number of means at which the density is evaluated
PEAKS = 16  # of these are the means of the highest single components
# A climb starts from candidates with at least this fraction of the highest candidate's density:
# between means the density may be higher than at any of them.
WORTH_A_CLIMB = 0.5
TOP_TOLERANCE = (
    1e-6  # in redshift; the last step is still taken, Newton's next would be far smaller
)
MAX_STEPS = 200
TIE = 1e-12  # relative difference of heights within which the lower redshift is the mode


@inlined
def _height_and_slope(z: float, part: np.ndarray) -> tuple[float, float]:
    """Untruncated density and half its slope, both times sqrt(pi)."""
    height, slope = 0.0, 0.0
    for k in range(part.shape[1]):
        u = (part[1, k] - z) * part[2, k]
        each = part[0, k] * part[2, k] * bell(u)
        height += each
        slope += each * part[2, k] * u
    return height, slope


@inlined
def _climb(z: float, part: np.ndarray) -> tuple[float, float]:
    """Return the peak reached from z, and its height.

    Newton's method where the density is concave, as long as it increases, else a mean-shift step,
    which always increases it (Carreira-Perpinan 2000, IEEE Trans. PAMI 22, 1318).
    """
    top, top_height, shifted, cautious = z, -1.0, z, True
    for _ in range(MAX_STEPS):
        height, pull, stiffness, bend = 0.0, 0.0, 0.0, 0.0
        for k in range(part.shape[1]):
            u = (part[1, k] - z) * part[2, k]
            each = part[0, k] * part[2, k] * bell(u)
            height += each
            pull += each * part[2, k] * u
            stiffness += each * part[2, k] ** 2
            bend += each * part[2, k] ** 2 * u * u
        up = height > top_height
        if not up and cautious:
            break
        if up:
            top, top_height, shifted = z, height, z + pull / stiffness
        curvature = 2 * bend - stiffness  # half the second derivative
        cautious = not (up and curvature < 0)
        z = shifted if cautious else z - pull / curvature
        if abs(z - top) <= TOP_TOLERANCE:
            return (top if cautious else z), top_height
    return top, top_height


def candidates(parts: np.ndarray) -> np.ndarray:
    """Return the (n, k) means in ascending order, or a selection if there are many components.

    The selection has means at evenly spaced ranks, so that no cluster of them is missed, and those
    of the highest single components, which may be narrow.
    """
    ordered = np.sort(parts[:, 1], axis=1)
    c = ordered.shape[1]
    if c <= CANDIDATES:
        return ordered
    ranks = np.linspace(0, c - 1, CANDIDATES - PEAKS).round().astype(int)
    highest = np.argsort(parts[:, 0] * parts[:, 2], axis=1)[:, -PEAKS:]
    peaks = np.take_along_axis(parts[:, 1], highest, axis=1)
    return np.sort(np.hstack([ordered[:, ranks], peaks]), axis=1)


@compiled
def modes(points: np.ndarray, parts: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return the (n,) modes, given (n, k) `candidates`; of equal peaks the lowest redshift.

    Climbs start from candidates of higher density than their neighbours, and from the higher of two
    with a mode between them.
    """
    found, c = np.empty(len(parts)), points.shape[1]
    height, slope = np.full(c + 2, -1.0), np.zeros(c + 2)
    for i in range(len(parts)):
        for k in range(c):
            height[k + 1], slope[k + 1] = _height_and_slope(points[i, k], parts[i])
        least, top = WORTH_A_CLIMB * height.max(), -1.0
        for k in range(1, c + 1):
            near = height[k] >= height[k - 1] and height[k] > height[k + 1]
            if k < c and slope[k] > 0 and slope[k + 1] < 0:
                near |= height[k] >= height[k + 1]
            if k > 1 and slope[k - 1] > 0 and slope[k] < 0:
                near |= height[k] > height[k - 1]
            if near and height[k] >= least:
                z, reached = _climb(points[i, k - 1], parts[i])
                if reached > top * (1 + TIE):
                    found[i], top = z, reached
        found[i] = min(max(found[i], lower), upper)
    return found
