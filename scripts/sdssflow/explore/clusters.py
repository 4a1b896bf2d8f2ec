"""Groups in feature space, found without labels, and their agreement with the classes.

=========  ======================================  ===========================================
algorithm  definition of a group                   choice of the number of groups
=========  ======================================  ===========================================
kmeans     nearest to one of k centres             largest mean silhouette (Rousseeuw 1987)
mixture    drawn from one of k Gaussians           smallest BIC (Schwarz 1978)
hdbscan    a dense region (Campello et al. 2013)   found; objects in no dense region are noise
=========  ======================================  ===========================================

Agreement with the truth is the adjusted Rand index (Hubert & Arabie 1985) and the adjusted mutual
information (Vinh et al. 2010): 1 for the same partition, about 0 for a random one. Noise counts as
a group of its own.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from sdssflow.configuration.clustering import ALGORITHMS, NOISE, Clustering
from sdssflow.explore.feature_space import FeatureSpace
from sdssflow.prepare.columns import numbers, strings

KMEANS_STARTS = 10
MIXTURE_STARTS = 2


class Grouping(NamedTuple):
    """A division of the objects into `k` groups, not counting noise.

    `labels` are (n,) int32: 0 is the largest group, -1 noise. `criteria` includes the one by which
    the number of groups is chosen.
    """

    algorithm: str
    k: int
    labels: np.ndarray
    criteria: dict[str, float]


class Truth(NamedTuple):
    """The (n,) true groups, '' where unknown.

    `name` is ``spec_class``, ``zspec_terciles`` if fewer than two classes are known, or ``none``.
    """

    name: str
    labels: np.ndarray


def find_clusters(
    space: FeatureSpace, settings: Clustering, seed: int
) -> tuple[pd.DataFrame, pa.Table]:
    """Find groups by each algorithm and compare them with the truth.

    The settings give the numbers of groups to try and the smallest group of HDBSCAN; the seed
    initialises k-means and mixture.

    Returns
    -------
    table : pandas.DataFrame
        One row per algorithm, k and criterion: ``algorithm, k, criterion, value, chosen, truth,
        ari, ami, n, n_truth, left_out, data_digest, seed``.
    labels : pyarrow.Table
        ``row_id``, the chosen groups ``kmeans, mixture, hdbscan`` (int32, -1 for noise) and the
        truth where known.

    Raises
    ------
    ValueError
        If no number of groups in ``explore.clusters`` is possible.
    """
    distinct = len(np.unique(space.points, axis=0))
    tried = [k for k in sorted(set(settings.clusters)) if k < distinct]
    if not tried:
        raise ValueError(
            f"explore.clusters: {settings.clusters} groups of {distinct} distinct objects are not "
            "possible; give numbers smaller than that of the objects"
        )
    # one thread: the order of parallel sums would change the last digits
    with threadpool_limits(limits=1):
        kmeans = [group_kmeans(space.points, k, seed) for k in tried]
        mixtures = [group_mixture(space.points, k, seed) for k in tried]
        density = group_hdbscan(space.points, settings.min_cluster_size)
    chosen = {
        "kmeans": max(kmeans, key=lambda grouping: grouping.criteria["silhouette"]),
        "mixture": min(mixtures, key=lambda grouping: grouping.criteria["bic"]),
        "hdbscan": density,
    }
    truth = true_groups(space.table)
    rows = []
    for grouping in (*kmeans, *mixtures, density):
        rows += _rows(grouping, truth, chosen[grouping.algorithm] is grouping)
    table = pd.DataFrame(rows).assign(
        n=len(space.points),
        n_truth=int((truth.labels != "").sum()),
        left_out=", ".join(space.left_out),
        data_digest=space.data_digest,
        seed=seed,
    )
    labels = space.table
    for position, name in enumerate(ALGORITHMS, start=1):
        labels = labels.add_column(position, name, pa.array(chosen[name].labels, type=pa.int32()))
    return table, labels


def group_kmeans(points: np.ndarray, k: int, seed: int) -> Grouping:
    """Group objects by k-means; criteria ``silhouette`` and ``davies_bouldin``."""
    labels = KMeans(n_clusters=k, n_init=KMEANS_STARTS, random_state=seed).fit_predict(points)
    criteria = {
        "silhouette": float(silhouette_score(points, labels)),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
    }
    return Grouping("kmeans", k, by_size(labels), criteria)


def group_mixture(points: np.ndarray, k: int, seed: int) -> Grouping:
    """Group objects by a mixture of k Gaussians with full covariances; criterion ``bic``."""
    mixture = GaussianMixture(
        n_components=k, n_init=MIXTURE_STARTS, max_iter=300, reg_covar=1e-5, random_state=seed
    )
    with warnings.catch_warnings():
        # a fit that has not converged only has a worse BIC
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = mixture.fit_predict(points)
    return Grouping("mixture", k, by_size(labels), {"bic": float(mixture.bic(points))})


def group_hdbscan(points: np.ndarray, min_cluster_size: int) -> Grouping:
    """Group objects into dense regions and noise.

    Criteria: ``noise_fraction`` and ``mean_membership``, the mean membership strength of the
    grouped objects, 0 if all are noise.
    """
    size = min(min_cluster_size, len(points))
    model = HDBSCAN(min_cluster_size=max(size, 2), copy=True).fit(points)
    grouped = model.labels_ != NOISE
    strength = float(model.probabilities_[grouped].mean()) if grouped.any() else 0.0
    criteria = {"noise_fraction": float(1 - grouped.mean()), "mean_membership": strength}
    labels = by_size(model.labels_)
    return Grouping("hdbscan", int(labels.max()) + 1, labels, criteria)


def by_size(labels: np.ndarray) -> np.ndarray:
    """Relabel groups by size, the largest 0; ties by their first object; noise stays -1."""
    names, first, counts = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    renumbered = np.full(len(labels), NOISE, dtype=np.int32)
    for number, position in enumerate(np.lexsort((first, -counts))):
        renumbered[labels == names[position]] = number
    return renumbered


def true_groups(table: pa.Table) -> Truth:
    """Return the classes if two or more are known, else terciles of zspec."""
    if "spec_class" in table.column_names:
        values = strings(table, "spec_class", "explore")
        labels = np.array([value or "" for value in values], dtype=str)
        if len(set(labels) - {""}) > 1:
            return Truth("spec_class", labels)
    if "zspec" in table.column_names:
        zspec = numbers(table, "zspec", "explore")
        known = np.isfinite(zspec)
        edges = np.quantile(zspec[known], [1 / 3, 2 / 3])
        thirds = np.searchsorted(edges, zspec, side="left").astype(str)
        return Truth("zspec_terciles", np.where(known, thirds, ""))
    return Truth("none", np.full(table.num_rows, "", dtype=str))


def _rows(grouping: Grouping, truth: Truth, chosen: bool) -> list[dict]:
    known = truth.labels != ""
    ari = ami = np.nan
    if known.any():
        ari = float(adjusted_rand_score(truth.labels[known], grouping.labels[known]))
        ami = float(adjusted_mutual_info_score(truth.labels[known], grouping.labels[known]))
    return [
        {
            "algorithm": grouping.algorithm,
            "k": grouping.k,
            "criterion": criterion,
            "value": value,
            "chosen": chosen,
            "truth": truth.name,
            "ari": ari,
            "ami": ami,
        }
        for criterion, value in grouping.criteria.items()
    ]
