"""Fast predictions of boosted trees and support vector machines in fitted classifiers.

scikit-learn traverses each tree for each object, and libsvm loops over support vectors, on one
thread, holding Python's lock. Both sums can be computed from tables and matrix products.

The leaves of a tree are numbered from left to right. An object that goes right at a node can't
reach the leaves on its left; the leaf that it reaches is the first that no node excludes
(QuickScorer: Lucchese et al. 2015, SIGIR, 73). Values of a feature between two neighbouring
thresholds exclude the same leaves: a row of a table, with a bit for each leaf of each tree. So an
object needs one table row per feature instead of traversing each tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import SVC

MOST_LEAVES = 32  # bits of an integer
ROWS = 512  # objects at once: they fit into the processor's cache
EXPONENT, BIAS = 23, 127  # position and offset of the exponent of a float32
KERNELS = 131_072  # kernel values at once: they fit into the cache


class TreeTables:
    """Tables of T trees on a number of features.

    The nodes of each tree are structured arrays, as in scikit-learn's `TreePredictor`.
    """

    def __init__(self, trees: list[np.ndarray], features: int) -> None:
        self.values = np.zeros((len(trees), MOST_LEAVES))
        splits: list[list[tuple]] = [[] for _ in range(features)]
        for number, nodes in enumerate(trees):
            self._collect(number, nodes, 0, 0, splits)
        self.thresholds = [np.unique([split[0] for split in each]) for each in splits]
        self.tables = [
            self._table(edges, each) for edges, each in zip(self.thresholds, splits, strict=True)
        ]

    def _collect(
        self, tree: int, nodes: np.ndarray, index: int, first: int, splits: list[list[tuple]]
    ) -> int:
        """Collect the leaves excluded by nodes below `index`; return the leaf after its last."""
        node = nodes[index]
        if node["is_leaf"]:
            self.values[tree, first] = node["value"]
            return first + 1
        middle = self._collect(tree, nodes, node["left"], first, splits)
        after = self._collect(tree, nodes, node["right"], middle, splits)
        kept = ~np.uint32((1 << middle) - (1 << first))
        splits[node["feature_idx"]].append(
            (node["num_threshold"], tree, kept, node["missing_go_to_left"])
        )
        return after

    def _table(self, edges: np.ndarray, nodes: list[tuple]) -> np.ndarray:
        """Return the leaves allowed by values up to each edge, above all, and by a missing one."""
        table = np.full((len(edges) + 2, len(self.values)), ~np.uint32(0))
        for threshold, tree, kept, missing_left in nodes:
            table[np.searchsorted(edges, threshold) + 1, tree] &= kept
            if not missing_left:
                table[-1, tree] &= kept
        np.bitwise_and.accumulate(table[:-1], axis=0, out=table[:-1])
        return table.view(np.int32)

    def add(self, features: np.ndarray, _: Any, sums: np.ndarray, *more: Any) -> None:
        """Add the leaves' values to (n, classes) sums, for (n, f) features.

        Trees are ordered by class. The arguments are those of scikit-learn's method.
        """
        table_rows = [
            np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column))
            for edges, column in zip(self.thresholds, features.T, strict=True)
        ]
        trees = len(self.values)
        allowed, row = np.empty((2, ROWS, trees), np.int32)
        first = MOST_LEAVES * np.arange(trees) - BIAS
        for start in range(0, len(features), ROWS):
            rows = slice(start, min(start + ROWS, len(features)))
            a, b = allowed[: rows.stop - start], row[: rows.stop - start]
            a.fill(-1)
            for table, numbers in zip(self.tables, table_rows, strict=True):
                np.take(table, numbers[rows], axis=0, out=b, mode="clip")
                a &= b
            a &= np.negative(a, out=b)  # the lowest bit, whose position is the float's exponent
            leaf = (a.astype(np.float32).view(np.int32) >> EXPONENT) & 255
            values = self.values.ravel().take(leaf + first)
            sums[rows] += values.reshape(len(a), sums.shape[1], -1).sum(axis=2)


def quicken(classifier: Any) -> Any:
    """Replace the predictions of a fitted classifier, in place, by faster ones, and return it.

    Boosted trees and two-class support vector machines anywhere in it change by rounding (1e-9)
    at most; trees with too many leaves or with categories are not replaced.
    """
    for part in _parts(classifier):
        if isinstance(part, HistGradientBoostingClassifier):
            _look_up_trees(part)
        elif isinstance(part, SVC) and part.kernel == "rbf" and len(part.classes_) == 2:
            part.decision_function = SupportVectors(part)
    return classifier


def _parts(estimator: Any) -> Iterator[Any]:
    """Yield a fitted estimator and all its components."""
    yield estimator
    if hasattr(estimator, "steps"):
        within = [step for _, step in estimator.steps]
    elif hasattr(estimator, "calibrated_classifiers_"):
        within = estimator.calibrated_classifiers_
    else:  # with `estimators_`, `estimator` is not fitted
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
            block = given[start : start + rows]
            kernels = np.matmul(block, self.products, out=kernel[: len(block)])
            np.exp(kernels, out=kernels)
            values[start : start + rows] = kernels @ self.weights
        return values + self.constant
