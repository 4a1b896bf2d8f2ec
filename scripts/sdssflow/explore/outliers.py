"""Outliers of a sample in feature space, found without labels by three methods.

==============  =================================================================================
score           large for
==============  =================================================================================
isolation       objects separated from the others by few random cuts (isolation forest, Liu,
                Ting & Zhou 2008)
sparsity        low density: d times the logarithm of the distance to the k-th nearest of some
                reference objects, in d features
reconstruction  a large distance from the principal components with most of the variance
==============  =================================================================================

Features are scaled by median and interquartile range, which outliers don't affect. The combined
rank is the geometric mean of the three ranks: an object that is extreme by one method ranks before
those that are slightly unusual by all. Outliers are not errors: rare kinds of objects, blends and
bad measurements are all at the top of the list.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from sdssflow.configuration.clustering import Outliers
from sdssflow.explore.feature_space import FeatureSpace, draw_rows

METHODS = ("isolation", "sparsity", "reconstruction")
COMBINED = "combined"
IQR_TO_SIGMA = 1.349  # the interquartile range of a Gaussian of unit width
ABOUT = ("ra", "dec", "reference_mag", "spec_class", "zspec")
REACH = 4.0  # scaled interquartile ranges
LEAST_DISTANCE = 1e-9  # for duplicates


def find_outliers(space: FeatureSpace, settings: Outliers, seed: int) -> pa.Table:
    """Score every object; the seed is that of the forest and of the reference objects.

    Returns
    -------
    pyarrow.Table
        ``row_id``; `METHODS`, larger for outliers; `COMBINED`, the geometric mean of the three
        ranks, 1 for the most extreme object; ``feature`` and ``deviation``: the feature farthest
        from the median, and its distance in units of the scaled interquartile range.
    """
    points = robust_scale(space.points)
    row_id = space.table.column("row_id").to_numpy()
    with threadpool_limits(limits=1):  # same bytes whatever the number of threads
        forest = IsolationForest(n_estimators=settings.trees, random_state=seed).fit(points)
        scores = {
            "isolation": -forest.score_samples(points),
            "sparsity": sparsity(points, row_id, settings, seed),
            "reconstruction": reconstruction_error(points, settings.variance),
        }
    ranks = np.column_stack([rank(scores[name]) for name in METHODS])
    farthest = np.abs(points).argmax(axis=1)
    columns = {
        "row_id": row_id,
        **scores,
        COMBINED: np.exp(np.log(ranks).mean(axis=1)),
        "feature": np.array(space.names)[farthest].tolist(),
        "deviation": points[np.arange(len(points)), farthest],
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def robust_scale(points: np.ndarray) -> np.ndarray:
    """Scale (n, d) points to median 0 and the interquartile range of a unit Gaussian.

    A feature with an interquartile range of 0 is scaled by its standard deviation.
    """
    low, middle, high = np.quantile(points, [0.25, 0.5, 0.75], axis=0)
    scale = np.where(high > low, (high - low) / IQR_TO_SIGMA, points.std(axis=0))
    return (points - middle) / np.where(scale > 0, scale, 1.0)


def sparsity(points: np.ndarray, row_id: np.ndarray, settings: Outliers, seed: int) -> np.ndarray:
    """Return minus the logarithm of the density at n points, up to a constant: (n,) array."""
    reference = draw_rows(row_id, settings.reference, seed)
    k = min(settings.neighbours, len(reference) - 1)
    # k + 1: a reference object is its own nearest neighbour
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points[reference])
    distances = search.kneighbors(points)[0]
    own = np.isin(np.arange(len(points)), reference)
    distance = np.where(own, distances[:, k], distances[:, k - 1])
    return points.shape[1] * np.log(np.maximum(distance, LEAST_DISTANCE))


def reconstruction_error(points: np.ndarray, variance: float) -> np.ndarray:
    """Return the distance of (n, d) scaled points from the main principal components.

    These explain a fraction `variance` of the points clipped at `REACH`, so that outliers don't
    change them. At least one component is left out; the distance is 0 for one feature.
    """
    if points.shape[1] < 2:
        return np.zeros(len(points))
    pca = PCA(svd_solver="full").fit(np.clip(points, -REACH, REACH))
    held = np.cumsum(pca.explained_variance_ratio_)
    count = min(int(np.searchsorted(held, variance)) + 1, points.shape[1] - 1)
    kept = pca.components_[:count]
    centered = points - pca.mean_
    return np.linalg.norm(centered - centered @ kept.T @ kept, axis=1)


def rank(strangeness: np.ndarray) -> np.ndarray:
    """Return the rank of each object, 1 for the largest value; ties share their mean rank.

    >>> rank(np.array([0.2, 3.0, 0.2])).tolist()
    [2.5, 1.0, 2.5]
    """
    return pd.Series(-np.asarray(strangeness)).rank(method="average").to_numpy()


def gallery(outliers: pa.Table, features: pa.Table, shown: int) -> pd.DataFrame:
    """Return the `shown` objects with the smallest combined rank, ties by row_id.

    `outliers` is from `find_outliers`, `features` the feature table of the sample. Columns are
    ``place, row_id``, those of `ABOUT` that `features` has, the ranks by each of `METHODS`, the
    combined one, ``feature`` and ``deviation``.
    """
    frame = outliers.to_pandas()
    for name in METHODS:
        frame[f"{name}_rank"] = rank(frame[name].to_numpy())
    frame = frame.sort_values([COMBINED, "row_id"], kind="stable").head(shown)
    about = features.select(
        ["row_id", *(name for name in ABOUT if name in features.column_names)]
    ).to_pandas()
    frame = frame.merge(about, on="row_id", how="left", validate="one_to_one")
    known = [name for name in ABOUT if name in frame and frame[name].notna().any()]
    ranks = [f"{name}_rank" for name in METHODS]
    frame.insert(0, "place", np.arange(1, len(frame) + 1))
    return frame[["place", "row_id", *known, *ranks, COMBINED, "feature", "deviation"]]
