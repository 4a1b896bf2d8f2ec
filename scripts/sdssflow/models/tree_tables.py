"""The leaves that an object reaches in all trees of a boosting at once, looked up in tables.

The leaves of a tree are numbered from left to right. An object that goes right at a node can't
reach the leaves to the left below it; the one that it reaches is the first that no node rules out
(QuickScorer: Lucchese et al. 2015, SIGIR, 73). Values of a feature between two neighbouring
thresholds rule out the same leaves: a row of a table, a bit for each leaf of each tree. So an
object takes one row per feature instead of a walk down each tree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_LEAVES = 32  # bits of a number
ROWS = 512  # objects at a time: their numbers stay in the cache
EXPONENT, BIAS = 23, 127  # of a float32: place and offset


class TreeTables:
    """Tables of T trees.

    Parameters
    ----------
    trees : list of structured arrays
        Nodes of each tree, as scikit-learn's `TreePredictor` has them.
    features : int
        Number of features.
    """

    def __init__(self, trees: list[np.ndarray], features: int) -> None:
        self.values = np.zeros((len(trees), MOST_LEAVES))
        found: list[list[tuple]] = [[] for _ in range(features)]
        for number, nodes in enumerate(trees):
            self._rule_out(number, nodes, 0, 0, found)
        self.thresholds = [np.unique([node[0] for node in nodes]) for nodes in found]
        self.tables = [
            self._table(edges, nodes) for edges, nodes in zip(self.thresholds, found, strict=True)
        ]

    def _rule_out(
        self, tree: int, nodes: np.ndarray, place: int, first: int, found: list[list[tuple]]
    ) -> int:
        """Note which leaves each node below a place rules out; return the leaf after its last."""
        node = nodes[place]
        if node["is_leaf"]:
            self.values[tree, first] = node["value"]
            return first + 1
        middle = self._rule_out(tree, nodes, node["left"], first, found)
        after = self._rule_out(tree, nodes, node["right"], middle, found)
        kept = ~np.uint32((1 << middle) - (1 << first))
        found[node["feature_idx"]].append(
            (node["num_threshold"], tree, kept, node["missing_go_to_left"])
        )
        return after

    def _table(self, edges: np.ndarray, nodes: list[tuple]) -> np.ndarray:
        """Return the leaves left by values up to each edge, above all, and by a missing one."""
        table = np.full((len(edges) + 2, len(self.values)), ~np.uint32(0))
        for threshold, tree, kept, missing_left in nodes:
            table[np.searchsorted(edges, threshold) + 1, tree] &= kept
            if not missing_left:
                table[-1, tree] &= kept
        np.bitwise_and.accumulate(table[:-1], axis=0, out=table[:-1])
        return table.view(np.int32)

    def add(self, features: np.ndarray, _: Any, sums: np.ndarray, *more: Any) -> None:
        """Add the leaves' values to (n, classes) sums, for (n, f) features.

        Trees are ordered by class. It takes the arguments of scikit-learn's own.
        """
        places = [
            np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column))
            for edges, column in zip(self.thresholds, features.T, strict=True)
        ]
        trees = len(self.values)
        left, row = np.empty((2, ROWS, trees), np.int32)
        first = MOST_LEAVES * np.arange(trees) - BIAS
        for start in range(0, len(features), ROWS):
            rows = slice(start, min(start + ROWS, len(features)))
            a, b = left[: rows.stop - start], row[: rows.stop - start]
            a.fill(-1)
            for table, place in zip(self.tables, places, strict=True):
                np.take(table, place[rows], axis=0, out=b, mode="clip")
                a &= b
            a &= np.negative(a, out=b)  # the lowest bit: its number is the exponent of the float
            leaf = (a.astype(np.float32).view(np.int32) >> EXPONENT) & 255
            values = self.values.ravel().take(leaf + first)
            sums[rows] += values.reshape(len(a), sums.shape[1], -1).sum(axis=2)
