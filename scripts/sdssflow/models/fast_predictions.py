"""Fitted classifiers whose boosted trees and support vectors predict by faster arithmetic.

scikit-learn walks down each tree for each object, and libsvm takes one support vector after the
other, on one thread, under Python's lock. Both sums can be had from tables and matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import SVC

from sdssflow.models.tree_tables import MOST_LEAVES, TreeTables

KERNELS = 131_072  # kernel values at a time: they stay in the cache


def quicken(classifier: Any) -> Any:
    """Return a fitted classifier whose predictions are made faster from now on.

    Boosted trees and two-class support vector machines change, wherever they stand within it, by
    no more than rounding (1e-9); trees with too many leaves or with categories stay as they are.
    """
    for part in _parts(classifier):
        if isinstance(part, HistGradientBoostingClassifier):
            _look_up_trees(part)
        elif isinstance(part, SVC) and part.kernel == "rbf" and len(part.classes_) == 2:
            part.decision_function = SupportVectors(part)
    return classifier


def _parts(estimator: Any) -> Iterator[Any]:
    """Yield a fitted estimator and all those that it is made of."""
    yield estimator
    if hasattr(estimator, "steps"):
        within = [step for _, step in estimator.steps]
    elif hasattr(estimator, "calibrated_classifiers_"):
        within = estimator.calibrated_classifiers_
    else:  # `estimator` beside `estimators_` is not fitted
        frozen = getattr(estimator, "estimator", None)
        within = getattr(estimator, "estimators_", [] if frozen is None else [frozen])
    for part in within:
        yield from _parts(part)


def _look_up_trees(boosting: HistGradientBoostingClassifier) -> None:
    trees = [tree for trees in zip(*boosting._predictors, strict=True) for tree in trees]
    nodes = [tree.nodes for tree in trees]
    small = all(each["is_leaf"].sum() <= MOST_LEAVES for each in nodes)
    if small and not any(each["is_categorical"].any() for each in nodes):
        boosting._predict_iterations = TreeTables(nodes, boosting.n_features_in_).add


class SupportVectors:
    """The decision function of a two-class machine with Gaussian kernels.

    The exponent -gamma |x - s|^2 of all pairs of objects and support vectors is one matrix product,
    of (x, |x|^2, 1) and (2 gamma s, -gamma, -gamma |s|^2).

    Parameters
    ----------
    machine : SVC
        Fitted.
    """

    def __init__(self, machine: SVC) -> None:
        gamma, vectors = machine._gamma, machine.support_vectors_
        squares = np.sum(vectors**2, axis=1)
        self.products = gamma * np.vstack([2 * vectors.T, np.full(len(vectors), -1), -squares])
        self.weights, self.constant = machine.dual_coef_[0], machine.intercept_[0]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the (n,) decision values of (n, f) features."""
        squares = np.sum(features**2, axis=1)
        given = np.column_stack([features, squares, np.ones(len(features))])
        rows = max(1, KERNELS // len(self.weights))
        values = np.empty(len(features))
        kernel = np.empty((rows, len(self.weights)))
        for start in range(0, len(given), rows):
            some = given[start : start + rows]
            near = np.matmul(some, self.products, out=kernel[: len(some)])
            np.exp(near, out=near)
            values[start : start + rows] = near @ self.weights
        return values + self.constant
