"""Local linear regression: the method of the SDSS photometric redshifts since DR7.

For each object, take its k nearest neighbours among the training objects, fit a plane through
their redshifts, read the plane at the object (Csabai et al. 2007, Astron. Nachr. 328, 852; Beck et
al. 2016, MNRAS 460, 1371, arXiv:1603.09708: k = 100, r and four colours).

Differences from Beck et al.: all features that the model is given enter, each standardised, and
all k neighbours count, with equal weight: none is dropped as an outlier. The result is kept within
the range of the neighbours' redshifts, because the plane is known only where they are. The error,
the scale of p(z), is the scatter of the neighbours about the plane as there, but divided by their
number less the f + 1 parameters of the plane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sdssflow.regress.standardisation import mean_and_scale

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

BLOCK = 2048  # objects fitted at a time: memory is BLOCK x neighbours x features x 8 bytes
# Ridge on the local normal equations, relative to their mean diagonal: too small to see in zphot,
# large enough to solve them where neighbours agree in a feature or features are collinear.
RIDGE = 1e-9
SMALLEST_SCALE = 1e-4  # of p(z), in redshift: neighbours may lie on their plane
RANGE_MARGIN = 1.2  # upper end of p(z) over the largest training redshift


def largest_redshift(zspec: np.ndarray) -> float:
    """Return the upper end of the range of p(z) for a model trained on (n,) redshifts.

    >>> round(largest_redshift(np.array([0.1, 0.5])), 3)
    0.6
    """
    return RANGE_MARGIN * max(float(np.max(zspec)), SMALLEST_SCALE)


class LocalLinearRegression(RegressorMixin, BaseEstimator):
    """Linear fit to the k nearest neighbours in standardised feature space.

    Parameters
    ----------
    neighbours : int
        Number k of neighbours; all training objects if there are fewer.

    Attributes
    ----------
    mean_, scale_ : (f,) float64 arrays
        Mean and standard deviation of the training features; the scale of a constant feature is 1.
    points_ : (n, f) float64 array
        Standardised training features.
    zspec_ : (n,) float64 array
        Training redshifts.
    """

    def __init__(self, neighbours: int = 100):
        self.neighbours = neighbours

    def fit(self, X: np.ndarray, y: np.ndarray) -> LocalLinearRegression:
        """Remember the training objects: (n, f) features and (n,) redshifts, all finite."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.mean_, self.scale_ = mean_and_scale(X)
        self.points_ = (X - self.mean_) / self.scale_
        self.zspec_ = y.astype(np.float64)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) float64 zphot of (n, f) features, each object for itself."""
        return self._at(X)[0]

    def predict_pdf(self, X: np.ndarray) -> Mixture:
        """Return p(z) of (n, f) features: one Gaussian each, cut off at 0.

        Its mean is what `predict` returns (0 where that is below), its scale the rms of the
        residuals of the neighbours about their plane, with k - f - 1 degrees of freedom.
        """
        # imported here: what gives point estimates alone shall not wait for torch
        from sdssflow.redshift_pdf.mixture import Mixture

        zphot, scale, _ = self._at(X)
        upper = largest_redshift(self.zspec_)
        mean, scale = np.clip(zphot, 0, upper), np.maximum(scale, SMALLEST_SCALE)
        return Mixture(np.ones((len(mean), 1)), mean[:, None], scale[:, None], 0.0, upper)

    def outside(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) bools: objects outside the box around their neighbours in feature space.

        There the plane is extrapolated (flagged so by Beck et al. 2016).
        """
        return self._at(X)[2].astype(bool)

    def _at(self, X: np.ndarray) -> np.ndarray:
        """Return (3, n): zphot, scale and whether outside of the neighbours' box."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        queries = (X - self.mean_) / self.scale_
        tree = KDTree(self.points_)  # milliseconds to build; what is saved are arrays alone
        result = np.empty((3, len(queries)))
        for start in range(0, len(queries), BLOCK):
            block = slice(start, start + BLOCK)
            result[:, block] = self._fit_planes(tree, queries[block])
        return result

    def _fit_planes(self, tree: KDTree, queries: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return zphot, scale and whether outside, (m,) each, of (m, f) standardised `queries`."""
        k = min(self.neighbours, len(self.points_))
        _, rows = tree.query(queries, k=np.arange(1, k + 1))
        points, zspec = self.points_[rows], self.zspec_[rows]  # (m, k, f), (m, k)
        outside = np.any((queries < points.min(axis=1)) | (queries > points.max(axis=1)), axis=1)
        center, level = points.mean(axis=1), zspec.mean(axis=1)
        points -= center[:, None, :]
        transposed = points.transpose(0, 2, 1)
        normal = transposed @ points  # (m, f, f)
        moment = transposed @ (zspec - level[:, None])[:, :, None]  # (m, f, 1)
        diagonal = np.einsum("mii->mi", normal)  # a view: adding to it adds to `normal`
        diagonal += RIDGE * diagonal.mean(axis=1, keepdims=True) + np.finfo(float).tiny
        slope = np.linalg.solve(normal, moment)[:, :, 0]
        zphot = level + np.sum((queries - center) * slope, axis=1)
        residual = zspec - level[:, None] - (points @ slope[:, :, None])[:, :, 0]
        freedom = max(k - queries.shape[1] - 1, 1)
        scale = np.sqrt(np.sum(residual**2, axis=1) / freedom)
        return np.clip(zphot, zspec.min(axis=1), zspec.max(axis=1)), scale, outside
