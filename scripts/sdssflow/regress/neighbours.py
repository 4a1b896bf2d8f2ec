"""Redshifts from the nearest training objects: their mean, or a plane through them.

`NeighbourMean` averages the redshifts of the k nearest neighbours, weighted by an inverse power of
their distances: the instance-based learning of Ball et al. 2007 (ApJ 663, 774,
arXiv:astro-ph/0612471). With one neighbour it is the estimate whose input Ball et al. 2008 (ApJ
683, 12, arXiv:0804.3413) perturb.

`LocalLinearRegression` is the method of the SDSS photometric redshifts since DR7: find an object's
k nearest training objects, fit a plane to their redshifts and evaluate it at the object (Csabai et
al. 2007, Astron. Nachr. 328, 852; Beck et al. 2016, MNRAS 460, 1371, arXiv:1603.09708: k = 100, r
and four colours). Beck et al. then remove neighbours with residuals beyond 3 sigma and fit again:
`clip_sigma`, off by default.

Differences from Beck et al.: all features of the model are used, standardised. The result is
clipped to the range of the fitted neighbours' redshifts, because outside it the plane extrapolates.
The error, the scale of p(z), is the rms of the fitted neighbours' residuals as there, but divided
by their number minus the f + 1 parameters of the plane.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sdssflow.configuration import regressors as configuration
from sdssflow.ensembles.standardisation import mean_and_scale
from sdssflow.prepare.parts import Part

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

BLOCK = 2048  # objects fitted at once: memory is BLOCK x neighbours x features x 8 bytes
# Ridge on the local normal equations, relative to their mean diagonal: negligible in zphot, large
# enough to solve them where neighbours share the value of a feature or features are collinear.
RIDGE = 1e-9
SMALLEST_SCALE = 1e-4  # of p(z), in redshift: neighbours may lie exactly on their plane
RANGE_MARGIN = 1.2  # upper end of p(z) divided by the largest training redshift


def fit(
    settings: configuration.NeighbourMean | configuration.LocalLinear,
    seed: int,
    train: Part,
    validation: Part,
    threads: int = 1,
) -> Neighbourhoods:
    """Store a usable train part; seed and validation part are not used."""
    if isinstance(settings, configuration.LocalLinear):
        estimator = LocalLinearRegression(settings.neighbours, settings.clip_sigma)
    else:
        estimator = NeighbourMean(settings.neighbours, settings.distance_power)
    return estimator.fit(train.features, train.truth("zspec"))


def largest_redshift(zspec: np.ndarray) -> float:
    """Return the upper end of the range of p(z) for a model trained on (n,) redshifts.

    >>> round(largest_redshift(np.array([0.1, 0.5])), 3)
    0.6
    """
    return RANGE_MARGIN * max(float(np.max(zspec)), SMALLEST_SCALE)


class Neighbourhoods(RegressorMixin, BaseEstimator):
    """The training objects and a nearest-neighbour search in standardised feature space.

    Attributes
    ----------
    neighbours : int
        Number k of neighbours; all training objects if there are fewer.
    mean_, scale_ : (f,) float64 arrays
        Mean and standard deviation of the training features; the scale of a constant feature is 1.
    points_ : (n, f) float64 array
        Standardised training features.
    zspec_ : (n,) float64 array
        Training redshifts.
    """

    neighbours: int

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Store the training objects: (n, f) features and (n,) redshifts, all finite."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.mean_, self.scale_ = mean_and_scale(X)
        self.points_ = (X - self.mean_) / self.scale_
        self.zspec_ = y.astype(np.float64)
        self.__dict__.pop("_tree", None)
        return self

    @functools.cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.points_)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is saved: arrays, from which the tree is rebuilt."""
        return {name: value for name, value in super().__getstate__().items() if name != "_tree"}

    def _blocks(self, X: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield slice, (m, f) standardised features, (m, k) distances and (m, k) training rows."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        queries = (X - self.mean_) / self.scale_
        nearest = np.arange(1, min(self.neighbours, len(self.points_)) + 1)
        for start in range(0, len(queries), BLOCK):
            block = slice(start, start + BLOCK)
            yield block, queries[block], *self._tree.query(queries[block], k=nearest)


class NeighbourMean(Neighbourhoods):
    """Mean redshift of the k nearest neighbours, weighted by their distances.

    Parameters
    ----------
    neighbours : int
        Number k of neighbours; all training objects if there are fewer.
    distance_power : float
        Weights are distance to minus this power. If there are neighbours at distance 0 and the
        power is not 0, only these count.
    """

    def __init__(self, neighbours: int = 20, distance_power: float = 1.0):
        self.neighbours = neighbours
        self.distance_power = distance_power

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) float64 zphot for (n, f) features; rows do not affect each other."""
        zphot = np.empty(len(X))
        for block, _, distances, rows in self._blocks(X):
            zspec = self.zspec_[rows]
            weights = self._weights(distances)
            mean = np.sum(weights * zspec, axis=1) / np.sum(weights, axis=1)
            # rounding must not move the mean out of the range of its terms
            zphot[block] = np.clip(mean, zspec.min(axis=1), zspec.max(axis=1))
        return zphot

    def _weights(self, distances: np.ndarray) -> np.ndarray:
        """Return (m, k) weights, at most 1, for ascending (m, k) distances."""
        nearest = distances[:, :1]
        with np.errstate(invalid="ignore"):  # 0 / 0 where the nearest is at 0
            relative = np.where(distances == nearest, 1.0, nearest / distances)
        return relative**self.distance_power


class LocalLinearRegression(Neighbourhoods):
    """Linear fit to the k nearest neighbours in standardised feature space.

    Parameters
    ----------
    neighbours : int
        Number k of neighbours; all training objects if there are fewer.
    clip_sigma : float, optional
        Neighbours whose residual exceeds this many times the scale of all residuals, at most
        k / clip_sigma**2 of them, are left out and the plane is fitted again.
    """

    def __init__(self, neighbours: int = 100, clip_sigma: float | None = None):
        self.neighbours = neighbours
        self.clip_sigma = clip_sigma

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) float64 zphot for (n, f) features; rows do not affect each other."""
        return self._at(X)[0]

    def predict_pdf(self, X: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features: one Gaussian each, truncated at 0.

        Its mean is what `predict` returns, or 0 if that is negative; its scale the rms of the
        neighbours' residuals from their plane, with k - f - 1 degrees of freedom.
        """
        # imported here: point estimates do not need numba
        from sdssflow.redshift_pdf.mixture import Mixture

        zphot, scale = self._at(X)
        upper = largest_redshift(self.zspec_)
        mean, scale = np.clip(zphot, 0, upper), np.maximum(scale, SMALLEST_SCALE)
        return Mixture(np.ones((len(mean), 1)), mean[:, None], scale[:, None], 0.0, upper)

    def _at(self, X: np.ndarray) -> np.ndarray:
        """Return (2, n): zphot and scale."""
        result = np.empty((2, len(X)))
        for block, queries, _, rows in self._blocks(X):
            points, zspec = self.points_[rows], self.zspec_[rows]  # (m, k, f), (m, k)
            zphot, scale, residual = plane_at(queries, points, zspec)
            if self.clip_sigma is not None:
                kept = np.abs(residual) <= self.clip_sigma * scale[:, None]
                zphot, scale, _ = plane_at(queries, points, zspec, kept)
            result[:, block] = zphot, scale
        return result


def plane_at(
    queries: np.ndarray, points: np.ndarray, zspec: np.ndarray, kept: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a plane to each object's neighbours and evaluate it at the object.

    Parameters
    ----------
    queries : (m, f) float64 array
        Standardised features of the objects.
    points : (m, k, f) float64 array
        Standardised features of their neighbours.
    zspec : (m, k) float64 array
        Redshifts of the neighbours.
    kept : (m, k) bool array, optional
        Neighbours to fit, at least one per object; all by default.

    Returns
    -------
    zphot : (m,) float64 array
        Values of the planes at the objects, clipped to the range of the fitted redshifts.
    scale : (m,) float64 array
        Square root of the fitted neighbours' summed squared residuals over their number - f - 1.
    residual : (m, k) float64 array
        Residuals of all neighbours.
    """
    fitted = np.ones(zspec.shape) if kept is None else kept.astype(np.float64)
    count = fitted.sum(axis=1)
    center = np.sum(points * fitted[:, :, None], axis=1) / count[:, None]
    level = np.sum(zspec * fitted, axis=1) / count
    offsets, heights = points - center[:, None, :], zspec - level[:, None]
    transposed = (offsets * fitted[:, :, None]).transpose(0, 2, 1)
    normal = transposed @ offsets  # (m, f, f)
    moment = transposed @ heights[:, :, None]  # (m, f, 1)
    diagonal = np.einsum("mii->mi", normal)  # a view: adding to it adds to `normal`
    diagonal += RIDGE * diagonal.mean(axis=1, keepdims=True) + np.finfo(float).tiny
    slope = np.linalg.solve(normal, moment)[:, :, 0]
    zphot = level + np.sum((queries - center) * slope, axis=1)
    residual = heights - (offsets @ slope[:, :, None])[:, :, 0]
    freedom = np.maximum(count - queries.shape[1] - 1, 1)
    scale = np.sqrt(np.sum(residual**2 * fitted, axis=1) / freedom)
    low = np.where(fitted > 0, zspec, np.inf).min(axis=1)
    high = np.where(fitted > 0, zspec, -np.inf).max(axis=1)
    return np.clip(zphot, low, high), scale, residual
