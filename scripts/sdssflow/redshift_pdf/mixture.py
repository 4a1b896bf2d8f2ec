"""A redshift density p(z) for each object: a Gaussian mixture truncated to a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sdssflow.redshift_pdf import kernels
from sdssflow.redshift_pdf.best import bests
from sdssflow.redshift_pdf.modes import candidates, modes
from sdssflow.redshift_pdf.quantiles import first_looks, quantiles


@dataclass(frozen=True, eq=False)
class Mixture:
    """Densities of n objects: Gaussian mixtures truncated to [lower, upper], of integral 1.

    Results for an object do not depend on the other objects.

    Attributes
    ----------
    weights : (n, c) float64 array
        Weights of the c components, at least 0. Rows need not sum to 1: the density within the
        range is normalised.
    means : (n, c) float64 array
        Means, within the range.
    scales : (n, c) float64 array
        Standard deviations, above 0.
    lower, upper : float
        The range.

    Raises
    ------
    ValueError
        If shapes differ, a number is not finite or not as described above, or all weights of an
        object are 0.

    Examples
    --------
    >>> pdf = Mixture(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), 0.0, 9.0)
    >>> pdf.quantiles([0.5]).round(4).tolist()
    [[0.6745]]
    """

    weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    lower: float
    upper: float

    def __post_init__(self) -> None:
        for name in ("weights", "means", "scales"):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, array)
        _check(self)

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: slice | np.ndarray) -> Mixture:
        """Return the mixture of some objects: a slice, or an array of indices or of bools."""
        weights, means, scales = self.weights[rows], self.means[rows], self.scales[rows]
        return Mixture(weights, means, scales, self.lower, self.upper)

    def cdf(self, z: np.ndarray) -> np.ndarray:
        """Return P(redshift <= z) for (n,) or (n, m) z, of the same shape; 0 below, 1 above."""
        return self._at(z, lambda rows: kernels.cdfs(rows, *self.prepared, *self.bounds))

    def density(self, z: np.ndarray) -> np.ndarray:
        """Return p(z) for (n,) or (n, m) z, of the same shape; 0 outside the range."""
        return self._at(z, lambda rows: kernels.densities(rows, self.prepared[0], *self.bounds))

    def quantiles(self, levels: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the (n, q) redshifts where the cdf reaches q levels, to 1e-9 in the cdf.

        Levels are the same for all objects, (q,), or each object has its own, (n, q).

        Raises
        ------
        ValueError
            If a level is not within [0, 1].
        """
        wanted = np.asarray(levels, dtype=np.float64)
        shapes = ((wanted.size,), (len(self), wanted.shape[-1] if wanted.ndim else 0))
        if wanted.shape not in shapes or not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError(f"levels {levels}: must be probabilities from 0 to 1")
        rows = np.broadcast_to(wanted, (len(self), wanted.shape[-1])).copy()
        return quantiles(rows, self._first_looks, *self.prepared, *self.bounds)

    def mean(self) -> np.ndarray:
        """Return the (n,) means of the truncated densities, in closed form."""
        return kernels.means(self.prepared[0], *self.bounds)

    def mode(self) -> np.ndarray:
        """Return the (n,) modes of the densities; of equal peaks the lowest redshift."""
        parts, _ = self.prepared
        return modes(candidates(parts), parts, *self.bounds)

    def best(self, median: np.ndarray | None = None) -> np.ndarray:
        """Return the (n,) redshifts of least expected error, errors capped (`redshift_pdf.best`).

        `median` are the (n,) medians, if already computed.

        Examples
        --------
        The more probable of two peaks, although the other is higher:

        >>> peaks = [np.array([row]) for row in ([0.6, 0.4], [1.0, 3.0], [0.1, 0.02])]
        >>> pdf = Mixture(*peaks, 0.0, 5.0)
        >>> pdf.best().round(2).tolist(), pdf.mode().round(2).tolist()
        ([1.0], [3.0])
        """
        median = self.quantiles([0.5])[:, 0] if median is None else np.ascontiguousarray(median)
        return bests(median, *self.prepared, *self.bounds)

    def probability_within(self, center: np.ndarray, half_width: np.ndarray) -> np.ndarray:
        """Return the (n,) probabilities of center - half_width < z < center + half_width."""
        ends = np.stack([center - half_width, center + half_width], axis=1)
        below = self.cdf(ends)
        return np.maximum(below[:, 1] - below[:, 0], 0)

    @classmethod
    def averaged(cls, pdfs: Sequence[Mixture]) -> Mixture:
        """Return the mean of several densities of each of n objects, over the widest range."""
        if len(pdfs) == 1:
            return pdfs[0]
        lower, upper = min(pdf.lower for pdf in pdfs), max(pdf.upper for pdf in pdfs)
        # the mean has one range: each density is normalised over it, not over its own
        pdfs = [
            pdf if pdf.bounds == (lower, upper) else replace(pdf, lower=lower, upper=upper)
            for pdf in pdfs
        ]
        parts = zip(*(pdf.normalised() for pdf in pdfs), strict=True)
        weights, means, scales = map(np.hstack, parts)
        return cls(weights, means, scales, lower, upper)

    def normalised(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (n, c) weights such that the integral within the range is 1, means and scales."""
        parts = self.prepared[0][:, 0, : self.weights.shape[1]]
        return parts, self.means, self.scales

    def rescaled(self, factor: float | np.ndarray) -> Mixture:
        """Return the untruncated densities stretched about their means, truncated again.

        Parameters
        ----------
        factor : float or (n,) array
            Multiplies the standard deviations and the distances of the means from the mixture's
            mean. Means outside the range are set to its end.

        Raises
        ------
        ValueError
            If a factor is not positive and finite.
        """
        factor = np.broadcast_to(np.asarray(factor, dtype=np.float64), len(self))[:, None]
        if not np.all((factor > 0) & np.isfinite(factor)):
            raise ValueError("factor: must be finite and above 0")
        share = self.weights / self.weights.sum(axis=1, keepdims=True)
        center = np.sum(share * self.means, axis=1, keepdims=True)
        means = np.clip(center + factor * (self.means - center), self.lower, self.upper)
        return Mixture(self.weights, means, self.scales * factor, self.lower, self.upper)

    @property
    def bounds(self) -> tuple[float, float]:
        """`lower` and `upper`."""
        return float(self.lower), float(self.upper)

    @cached_property
    def prepared(self) -> tuple[np.ndarray, np.ndarray]:
        """The arguments of `kernels`: (n, 3, p) parts and (n,) cdf below the range."""
        return kernels.prepare(self.weights, self.means, self.scales, *self.bounds)

    @cached_property
    def _first_looks(self) -> np.ndarray:
        return first_looks(*self.prepared, *self.bounds)

    def _at(self, z: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Apply a function of (n, m) z to (n,) or (n, m) z."""
        z = np.asarray(z, dtype=np.float64)
        if z.ndim not in (1, 2) or len(z) != len(self):
            raise ValueError(f"z of shape {z.shape}: must have one row per object, {len(self)}")
        return function(np.ascontiguousarray(z.reshape(len(z), -1))).reshape(z.shape)


def _check(pdf: Mixture) -> None:
    """Raise a ValueError that names the first violation of what `Mixture` requires."""
    shape = pdf.weights.shape
    if len(shape) != 2 or shape[1] == 0 or {pdf.means.shape, pdf.scales.shape} != {shape}:
        raise ValueError(
            f"weights {shape}, means {pdf.means.shape}, scales {pdf.scales.shape}: "
            "must have one shape, (objects, components)"
        )
    if not (np.isfinite([pdf.lower, pdf.upper]).all() and pdf.lower < pdf.upper):
        raise ValueError(f"range {pdf.lower} to {pdf.upper}: must be finite and ascending")
    wrong = {
        "weights must be finite, at least 0": ~((pdf.weights >= 0) & (pdf.weights < np.inf)),
        f"means must be within {pdf.lower} to {pdf.upper}": ~(
            (pdf.means >= pdf.lower) & (pdf.means <= pdf.upper)
        ),
        "scales must be finite, above 0": ~((pdf.scales > 0) & (pdf.scales < np.inf)),
        "weights must not all be 0": ~(pdf.weights.sum(axis=1) > 0)[:, None],
    }
    for message, where in wrong.items():
        if where.any():
            row = int(np.flatnonzero(where.any(axis=1))[0])
            raise ValueError(f"mixture of object {row}: {message}")
