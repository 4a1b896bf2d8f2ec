"""The arithmetic of Gaussian mixtures in torch, whose erf is ten times faster than scipy's.

Tensors are float64 with the components first, (c, m) for m objects: sums over components then run
over contiguous rows of objects. Work goes in blocks of at most `ELEMENTS` numbers, which stay in
the cache, each on one thread: where other jobs want the same cores, threads that share a block wait
for each other far longer than they work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

ELEMENTS = 256_000
LANES = 64  # objects that torch sums at a time, or a multiple of it
# u^2 beyond which exp(-u^2) is not made smaller: products with numbers below the normal range take
# fifty times as long
FAR = {torch.float64: 600.0, torch.float32: 60.0}
ROOT_2 = math.sqrt(2)
ROOT_PI = math.sqrt(math.pi)


class Components(NamedTuple):
    """Gaussian components of m objects.

    Attributes
    ----------
    weights, means : (c, m) tensors
        Weights are such that the density integrates to 1 within the range.
    inverse : (c, m) tensor
        1 / (sqrt(2) standard deviation).
    heights : (c, m) tensor
        Density of each component at its mean.
    """

    weights: torch.Tensor
    means: torch.Tensor
    inverse: torch.Tensor
    heights: torch.Tensor

    def take(self, objects: torch.Tensor) -> Components:
        """Return the components of the objects at these (p,) indices."""
        return Components(*(part.index_select(1, objects) for part in self))

    def single(self) -> Components:
        """Return the same in float32: enough to come near, in a third of the time."""
        return Components(*(part.float() for part in self))


def components(weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> Components:
    """Return the components of (m, c) float64 arrays."""
    w, mu, s = (torch.from_numpy(part.T.copy()) for part in (weights, means, scales))
    inverse = s.mul_(ROOT_2).reciprocal_()
    return Components(w, mu, inverse, (w * inverse).div_(ROOT_PI))


def summed(values: torch.Tensor) -> torch.Tensor:
    """Return the (m,) sums of (c, m) values, of each object in the same order.

    torch adds up the columns beyond the last `LANES` in another order than the others, and no
    object shall depend on how many are beside it.
    """
    over = values.shape[1] % LANES
    if not over:
        return values.sum(0)
    last = torch.nn.functional.pad(values[:, -over:], (0, LANES - over))
    return torch.cat([values[:, :-over].sum(0), last.sum(0)[:over]])


def filled(indices: torch.Tensor) -> torch.Tensor:
    """Return (p,) indices, the last one repeated until `summed` has nothing left over."""
    return torch.cat([indices, indices[-1:].expand(-len(indices) % LANES)])


def blocks(n: int, elements: int) -> Iterator[slice]:
    """Yield slices of n objects, as many at a time as `elements` numbers each allow."""
    size = max(1, ELEMENTS // max(elements, 1) // LANES) * LANES
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def for_blocks(function: Callable[[slice], None], n: int, elements: int) -> None:
    """Call `function` with each of the `blocks`, as many at once as torch may use threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1 or n <= ELEMENTS // max(elements, 1):
            for rows in blocks(n, elements):
                function(rows)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(function, blocks(n, elements)))  # raises the error of a block
    finally:
        torch.set_num_threads(threads)


def cdf(z: torch.Tensor, parts: Components) -> torch.Tensor:
    """Return the untruncated cdf at (q, m) or (m,) z: the sum of w (1 + erf) / 2."""
    total = summed(parts.weights)
    if z.dim() == 1:
        return cdf_of(z, parts, total)
    return torch.stack([cdf_of(row, parts, total) for row in z])


def density(z: torch.Tensor, parts: Components) -> torch.Tensor:
    """Return the density at (q, m) or (m,) z, as if nothing were cut off."""
    if z.dim() == 1:
        return _density(z, parts)
    return torch.stack([_density(row, parts) for row in z])


def cdf_and_density(
    z: torch.Tensor, parts: Components, total: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `cdf` and `density` at (m,) z, given the (m,) sums of the weights."""
    u = torch.sub(z, parts.means).mul_(parts.inverse)
    erf = torch.erf(u)
    cdf = summed(erf.mul_(parts.weights)).add_(total).mul_(0.5)
    return cdf, summed(_bell(u).mul_(parts.heights))


def truncated_cdf(
    z: torch.Tensor, parts: Components, below: torch.Tensor, bounds: tuple[float, float]
) -> torch.Tensor:
    """Return P(redshift <= z) at (q, m) or (m,) z, given the (m,) untruncated cdf at the bound."""
    found = (cdf(z, parts) - below).clamp_(0, 1)
    found.masked_fill_(z <= bounds[0], 0.0)
    return found.masked_fill_(z >= bounds[1], 1.0)


def cdf_of(z: torch.Tensor, parts: Components, total: torch.Tensor) -> torch.Tensor:
    """Return `cdf` at (m,) z, given the (m,) sums of the weights."""
    u = torch.sub(z, parts.means).mul_(parts.inverse)
    return summed(torch.erf(u, out=u).mul_(parts.weights)).add_(total).mul_(0.5)


def _density(z: torch.Tensor, parts: Components) -> torch.Tensor:
    u = torch.sub(z, parts.means).mul_(parts.inverse)
    return summed(_bell(u).mul_(parts.heights))


def _bell(u: torch.Tensor) -> torch.Tensor:
    """Turn u into exp(-u^2), in place."""
    return u.square_().clamp_(max=FAR[u.dtype]).neg_().exp_()


def truncated_mean(parts: Components, lower: float, upper: float) -> torch.Tensor:
    """Return the (m,) means of the densities cut off at the bounds."""
    w, mu, inverse, heights = parts
    low, high = (lower - mu).mul_(inverse), (upper - mu).mul_(inverse)
    inside = torch.erf(high).sub_(torch.erf(low)).mul_(w).mul_(mu).mul_(0.5)
    pull = _bell(low).sub_(_bell(high)).mul_(heights).div_(inverse.square().mul_(2))
    return summed(inside.add_(pull)).clamp_(lower, upper)
