"""Agreement of groups found without labels with the classes, with confidence intervals.

The bootstrap draws objects and keeps the groups: an interval shows how the agreement varies with
the objects, not how the groups would vary.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import expected_mutual_information

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.clustering import NOISE
from sdssflow.evaluate.bootstrap import draw_counts, interval, weighted_sums, with_point_estimate

COLUMNS = [
    *("algorithm", "groups", "truth", "ari", "ari_lower", "ari_upper", "ami", "ami_lower"),
    *("ami_upper", "n"),
]


def agreement(
    labels: dict[str, np.ndarray],
    truth: np.ndarray,
    truth_name: str,
    objects: np.ndarray,
    bootstrap: Bootstrap,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare groups with the truth.

    Parameters
    ----------
    labels : dict of str to (n,) int array
        The group of each object, by algorithm; noise, -1, counts as a group.
    truth : (n,) array of str
        True groups, called `truth_name`; objects with '' are left out.
    objects : (n,) array of str
        Object of each row: the bootstrap draws duplicates of one object together.

    Returns
    -------
    scores : pandas.DataFrame
        `COLUMNS`: adjusted Rand index and adjusted mutual information with intervals; empty
        without truth.
    contingency : pandas.DataFrame
        ``algorithm, group``, the number of objects of each true group, ``n``, and the most frequent
        (``commonest``) true group with its ``share``.
    """
    known = truth != ""
    names = sorted(set(truth[known]))
    if not names:
        return pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=["algorithm", "group", "n"])
    counts = with_point_estimate(draw_counts(objects[known], bootstrap))
    member = np.searchsorted(names, truth[known])
    scores, tables = [], []
    for algorithm, every in labels.items():
        found, group = np.unique(every[known], return_inverse=True)
        shape = len(found), len(names)
        cells = np.eye(shape[0] * shape[1], dtype=np.float32)[group * shape[1] + member]
        drawn = np.rint(weighted_sums(counts, cells)).astype(np.int64).reshape(-1, *shape)
        # slow to compute, and nearly the same for every replicate
        chance = expected_information(drawn[0])
        pairs = np.array(
            [(rand_index(table), mutual_information(table, chance)) for table in drawn]
        )
        lower, upper = interval(pairs[1:], bootstrap.level)
        row = {"algorithm": algorithm, "groups": int((found != NOISE).sum()), "truth": truth_name}
        for place, name in enumerate(("ari", "ami")):
            row |= {name: pairs[0, place], f"{name}_lower": lower[place]}
            row[f"{name}_upper"] = upper[place]
        scores.append(row | {"n": int(known.sum())})
        tables.append(_contingency(algorithm, found, names, drawn[0]))
    return pd.DataFrame(scores, columns=COLUMNS), pd.concat(tables, ignore_index=True)


def _contingency(
    algorithm: str, found: np.ndarray, names: list[str], table: np.ndarray
) -> pd.DataFrame:
    groups = ["noise" if number == NOISE else str(number) for number in found]
    frame = pd.DataFrame(table, columns=names)
    frame.insert(0, "group", groups)
    frame.insert(0, "algorithm", algorithm)
    total = table.sum(axis=1)
    commonest = np.array(names)[table.argmax(axis=1)]
    return frame.assign(n=total, commonest=commonest, share=table.max(axis=1) / total)


def rand_index(table: np.ndarray) -> float:
    """Return the adjusted Rand index of a contingency table (Hubert & Arabie 1985).

    >>> rand_index(np.array([[3, 0], [0, 4]])), round(rand_index(np.array([[2, 2], [2, 2]])), 3)
    (1.0, -0.167)
    """

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    rows, columns = pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    total = table.sum()
    if total < 2:
        return np.nan
    expected = rows * columns / (total * (total - 1) / 2)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else float((pairs(table) - expected) / (largest - expected))


def expected_information(table: np.ndarray) -> float:
    """Return the mutual information of random partitions of these sizes."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return float(expected_mutual_information(table, int(table.sum())))


def mutual_information(table: np.ndarray, expected: float) -> float:
    """Return the adjusted mutual information of a contingency table (Vinh et al. 2010).

    Normalised with `expected_information` and the arithmetic mean of the entropies, as in
    scikit-learn.
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    total = int(table.sum())
    if total < 2:
        return np.nan
    if 1 in table.shape:
        return 1.0 if table.shape == (1, 1) else 0.0
    share = table / total
    rows, columns = share.sum(axis=1, keepdims=True), share.sum(axis=0, keepdims=True)
    some = share > 0
    information = float((share[some] * np.log(share[some] / (rows * columns)[some])).sum())
    entropies = [-float((part * np.log(part)).sum()) for part in (rows, columns)]
    scale = np.mean(entropies) - expected
    tiny = np.finfo(float).eps
    return float((information - expected) / (scale if abs(scale) > tiny else tiny))
