"""The highest point of Gaussian mixtures.

In one dimension the modes of a Gaussian mixture lie between its outermost means, so a mixture
whose means lie in the range needs no search at the bounds.
"""

from __future__ import annotations

import torch

from sdssflow.redshift_pdf.kernels import FAR, Components, filled, summed

CANDIDATES = 64  # most means at which the density is looked at
PEAKS = 16  # of these are the means of the highest single components
# A climb starts from candidates of at least this fraction of the highest one's density: between
# means the density may be higher than at any of them.
WORTH_A_CLIMB = 0.5
STEP_TOLERANCE = 1e-6  # in redshift; the step is still taken, and Newton's next would be far less
ROUGH_TOLERANCE = 1e-5  # the same of the climb in float32
ROUGH_HEIGHT = 0.05  # share by which a top in float32 may be lower than the highest and be the mode
MAX_STEPS = 200
FEWER = 0.6  # part of the climbs left at which it pays to leave the finished ones
TIE = 1e-12  # relative difference of heights within which the lower redshift is the mode


def modes(parts: Components) -> torch.Tensor:
    """Return the (m,) highest points of m mixtures whose means lie in the range.

    Climbs are made in float32 first, for a third of the time; in float64 those that may have
    reached the highest point go on.
    """
    rough = parts.single()
    candidates = _candidates(rough)
    heights, slopes = _look(candidates, rough)
    starts, objects = map(filled, torch.nonzero(_worth_a_climb(heights, slopes), as_tuple=True))
    z, height = _climb(candidates[starts, objects], rough.take(objects), ROUGH_TOLERANCE)
    high = _highest(height, objects, candidates.shape[1], ROUGH_HEIGHT)
    z, objects = filled(z[high]).double(), filled(objects[high])
    z, height = _climb(z, parts.take(objects), STEP_TOLERANCE)
    high = _highest(height, objects, candidates.shape[1], TIE)
    result = torch.full(candidates.shape[1:], torch.inf, dtype=z.dtype)
    return result.scatter_reduce_(0, objects[high], z[high], "amin")


def _highest(height: torch.Tensor, objects: torch.Tensor, n: int, within: float) -> torch.Tensor:
    """Return which of the (p,) heights are the highest of their object, or nearly so."""
    best = torch.zeros(n, dtype=height.dtype).scatter_reduce_(0, objects, height, "amax")
    return height >= best[objects] * (1 - within)


def _candidates(parts: Components) -> torch.Tensor:
    """Return the means in ascending order, or of many components a choice of them, (k, m).

    The choice holds means at even ranks, so that no cluster of them is passed over, and those of
    the highest single components, which may be too narrow for others to show.
    """
    ordered = _ascending(parts.means)
    c = len(ordered)
    if c <= CANDIDATES:
        return ordered
    ranks = torch.linspace(0, c - 1, CANDIDATES - PEAKS, dtype=torch.float64).round().long()
    highest = parts.heights.topk(PEAKS, dim=0).indices
    return _ascending(torch.cat([ordered[ranks], parts.means.gather(0, highest)]))


def _ascending(values: torch.Tensor) -> torch.Tensor:
    """Return (c, m) values sorted along the first axis; numpy sorts ten times faster here."""
    ordered = values.t().contiguous().numpy().copy()
    ordered.sort(axis=1)
    return torch.from_numpy(ordered).t().contiguous()


def _look(z: torch.Tensor, parts: Components) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the density and half its slope at (k, m) z."""
    _, means, inverse, peaks = parts
    heights, slopes = torch.empty_like(z), torch.empty_like(z)
    u, bell, floor = torch.empty_like(means), torch.empty_like(means), torch.zeros(())
    for row, height, slope in zip(z, heights, slopes, strict=True):
        torch.sub(means, row, out=u).mul_(inverse)
        torch.addcmul(floor, u, u, value=-1, out=bell).clamp_(min=-FAR[u.dtype]).exp_().mul_(peaks)
        height.copy_(summed(bell))
        slope.copy_(summed(u.mul_(bell).mul_(inverse)))
    return heights, slopes


def _worth_a_climb(heights: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """Return which of the (k, m) candidates are high and may be the nearest to a mode.

    Those that are higher than their neighbours, and the higher of two with a mode between them.
    """
    edge = torch.full_like(heights[:1], -1.0)
    padded = torch.cat([edge, heights, edge])
    near = (heights >= padded[:-2]) & (heights > padded[2:])
    between = (slopes[:-1] > 0) & (slopes[1:] < 0)
    near[:-1] |= between & (heights[:-1] >= heights[1:])
    near[1:] |= between & (heights[1:] > heights[:-1])
    return near & (heights >= WORTH_A_CLIMB * heights.amax(0))


def _climb(
    start: torch.Tensor, parts: Components, tolerance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tops, and their heights, that are reached from (p,) points.

    Newton's method where the density is concave, as long as it leads upwards, else a mean-shift
    step, which always does (Carreira-Perpinan 2000, IEEE Trans. PAMI 22, 1318).
    """
    top, top_height = start.clone(), torch.zeros_like(start)
    place = torch.arange(len(start))
    z, best, shifted = start, start, start
    best_height = torch.full_like(start, -1.0)
    cautious = torch.ones_like(start, dtype=torch.bool)  # whether z was reached by a mean shift
    for _ in range(MAX_STEPS):
        height, newton, shift = _steps(z, parts)
        up = height > best_height
        stuck = ~up & cautious
        best = torch.where(up, z, best)
        best_height = torch.where(up, height, best_height)
        shifted = torch.where(up, z + shift, shifted)
        concave = up & torch.isfinite(newton)
        z = torch.where(concave, z + newton, shifted)
        cautious = ~concave
        top[place] = torch.where(concave & ((z - best).abs() <= tolerance), z, best)
        top_height[place] = best_height
        left = filled(torch.nonzero(~stuck & ((z - best).abs() > tolerance))[:, 0])
        if len(left) == 0:
            break
        if len(left) < FEWER * len(z):
            state = (z, best, best_height, shifted, cautious, place)
            z, best, best_height, shifted, cautious, place = (part[left] for part in state)
            parts = parts.take(left)
    return top, top_height


def _steps(z: torch.Tensor, parts: Components) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return height, Newton step (infinite where not concave) and mean-shift step at (p,) z."""
    u = torch.sub(parts.means, z).mul_(parts.inverse)
    squared = (u * u).clamp_(max=FAR[u.dtype])
    each = torch.neg(squared).exp_().mul_(parts.heights)
    height = summed(each)
    each.mul_(parts.inverse)
    pull = summed(u.mul_(each))  # half the slope
    each.mul_(parts.inverse)
    stiffness = summed(each)
    curvature = 2 * summed(each.mul_(squared)) - stiffness  # half the second derivative
    newton = torch.where(curvature < 0, -pull / curvature, torch.inf)
    return height, newton, pull / stiffness
