"""A random forest with p(z) as well as point estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from sdssflow.configuration.regressors import RandomForestRegressor as ForestSettings
from sdssflow.prepare.parts import Part
from sdssflow.regress.neighbours import SMALLEST_SCALE, largest_redshift

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

    from sdssflow.redshift_pdf.mixture import Mixture

# weight of the pooled variance of all leaves, in objects: a leaf may hold only three
PSEUDO_COUNT = 3.0
MOST_COMPONENTS = 30


def fit(
    settings: ForestSettings, seed: int, train: Part, validation: Part, threads: int = 1
) -> DensityForest:
    """Grow a forest on a usable train part, `threads` trees at a time; see `DensityForest`.

    Each tree has its own seed, so the forest does not depend on the number of threads.
    """
    forest = DensityForest(
        n_estimators=settings.trees,
        min_samples_leaf=settings.min_samples_leaf,
        max_features=settings.max_features,
        n_jobs=threads,
        random_state=seed,
    )
    # predictions stay serial: the order in which threads add up trees would change the last digits
    return forest.fit(train.features, train.truth("zspec")).set_params(n_jobs=None)


class DensityForest(RandomForestRegressor):
    """scikit-learn's forest, with one Gaussian per tree as p(z).

    The Gaussian has the mean of the leaf that an object falls into, and its variance shrunk towards
    the pooled variance of all leaves of the forest: (S + 3 v) / (n - 1 + 3) for a leaf of n objects
    with sum of squares S, where v is the sum of all S over the sum of all n - 1. The tree was grown
    on the objects of the leaf, so the widths are too small; calibration corrects them.

    The Gaussians of an object's trees are sorted by mean and neighbours merged, which preserves
    mean and variance: 30 are as good as 300, in a tenth of the time.

    Attributes
    ----------
    upper_ : float
        Upper end of the range of p(z).
    """

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: None = None) -> DensityForest:
        """Grow the trees on (n, f) features and (n,) redshifts."""
        super().fit(X, y, sample_weight)
        self.upper_ = largest_redshift(y)
        return self

    def predict_pdf(self, X: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features, truncated at 0: at most 30 components.

        Means below 0, from noisy negative redshifts of faint objects, are set to 0.
        """
        # imported here: point estimates do not need numba
        from sdssflow.redshift_pdf.mixture import Mixture

        leaves = self.apply(X)
        trees = [tree.tree_ for tree in self.estimators_]
        sums = [_leaf_sums(tree) for tree in trees]
        squares, freedom = (sum(part.sum() for part in parts) for parts in zip(*sums, strict=True))
        pooled = squares / max(freedom, 1)
        means, scales = np.empty(leaves.shape), np.empty(leaves.shape)
        for column, (tree, (squares, freedom)) in enumerate(zip(trees, sums, strict=True)):
            variance = (squares + PSEUDO_COUNT * pooled) / (freedom + PSEUDO_COUNT)
            rows = leaves[:, column]
            means[:, column] = tree.value[rows, 0, 0]
            scales[:, column] = np.sqrt(variance[rows])
        weights, means, scales = merged(means, scales, MOST_COMPONENTS)
        return Mixture(
            weights,
            np.clip(means, 0, self.upper_),
            np.maximum(scales, SMALLEST_SCALE),
            0.0,
            self.upper_,
        )


def merged(
    means: np.ndarray, scales: np.ndarray, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge neighbouring Gaussians of equal weight.

    Parameters
    ----------
    means, scales : (n, c) float64 arrays
        Means and standard deviations.
    groups : int
        Maximum number of Gaussians to return.

    Returns
    -------
    weights, means, scales : (n, g) float64 arrays
        A mixture of the same mean and variance; g = min(c, groups).

    Examples
    --------
    >>> merged(np.array([[3.0, 1.0, 5.0]]), np.array([[1.0, 1.0, 2.0]]), 2)[1].tolist()
    [[1.0, 4.0]]
    """
    count = means.shape[1]
    if count <= groups:
        return np.full(means.shape, 1 / count), means, scales
    order = np.argsort(means, axis=1, kind="stable")
    means = np.take_along_axis(means, order, axis=1)
    second = np.take_along_axis(scales, order, axis=1) ** 2 + means**2
    edges = np.arange(groups) * count // groups
    sizes = np.diff([*edges, count])
    center = np.add.reduceat(means, edges, axis=1) / sizes
    variance = np.add.reduceat(second, edges, axis=1) / sizes - center**2
    weights = np.tile(sizes / count, (len(means), 1))
    return weights, center, np.sqrt(np.maximum(variance, 0))


def _leaf_sums(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Return sum of squares about the mean and degrees of freedom of each leaf; 0 elsewhere."""
    leaf = tree.children_left == -1
    count = np.where(leaf, tree.n_node_samples, 1)
    # rounding makes the impurity of equal redshifts a little negative
    return np.where(leaf, count * np.maximum(tree.impurity, 0), 0.0), count - 1.0
