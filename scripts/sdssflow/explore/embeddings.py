"""Two-dimensional projections of feature space: PCA (linear) and UMAP (nonlinear)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from sdssflow.explore.feature_space import FeatureSpace

UMAP_NEIGHBOURS = 15
UMAP_MIN_DISTANCE = 0.1
COMPONENTS = 2


class PrincipalComponents(NamedTuple):
    """A principal component analysis of n objects in d standardised features.

    `scores` are the (n, 2) coordinates along the first two components, whose signs make the largest
    coefficient positive; `explained_variance_ratio` has the fraction of variance of each of the
    min(n, d) components; `loadings` are the (2, d) correlations of components and features.
    """

    scores: np.ndarray
    explained_variance_ratio: np.ndarray
    loadings: np.ndarray


def principal_components(points: np.ndarray) -> PrincipalComponents:
    """Project (n, d) standardised features onto their two directions of largest variance.

    With one feature, or two objects, there is no second direction: its scores and loadings are 0.
    """
    with threadpool_limits(limits=1):  # same bytes whatever the number of threads
        left, singular, right = np.linalg.svd(points, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    scores = (left * signs * singular)[:, :COMPONENTS]
    # for standardised features: covariance of feature and score / standard deviation of the score
    loadings = (right * (signs * singular / np.sqrt(len(points)))[:, None])[:COMPONENTS]
    missing = COMPONENTS - scores.shape[1]
    variance = singular**2
    return PrincipalComponents(
        np.pad(scores, ((0, 0), (0, missing))),
        variance / variance.sum(),
        np.pad(loadings, ((0, missing), (0, 0))),
    )


def uniform_manifold(points: np.ndarray, seed: int) -> np.ndarray:
    """Project (n, d) standardised features by UMAP (McInnes et al. 2018, arXiv:1802.03426).

    Neighbours stay together; distances between distant groups, sizes of groups and the axes have no
    meaning. UMAP with a seed runs in one thread and is bit-reproducible. ValueError with fewer than
    four objects.

    The exact neighbours come from scikit-learn's tree: the approximate search of umap compiles for
    half a minute, the tree takes less than a second for 5000 objects. The PCA plane is the initial
    embedding (Kobak & Linderman 2021, Nat. Biotechnol. 39, 156): it preserves large-scale order and
    avoids the arbitrary signs of an eigensolver.
    """
    if len(points) < 4:
        raise ValueError(
            f"UMAP needs at least 4 objects, there are {len(points)}; remove 'umap' from "
            "explore.embeddings"
        )
    from sklearn.neighbors import NearestNeighbors

    neighbours = min(UMAP_NEIGHBOURS, len(points) - 1)
    distances, indices = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(points)
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        # umap warns that Tensorflow is not installed and that precomputed neighbours can't
        # transform new objects: neither is needed
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
        import umap

        start = principal_components(points).scores
        start = 10 * start / np.abs(start).max()  # the extent umap's optimiser expects
        model = umap.UMAP(
            n_neighbors=neighbours,
            min_dist=UMAP_MIN_DISTANCE,
            init=start.astype(np.float32),
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(indices, distances),
            force_approximation_algorithm=True,  # else small data ignore the neighbours
        )
        return model.fit_transform(points.astype(np.float32)).astype(float)


def embed_features(space: FeatureSpace, embeddings: list[str], seed: int) -> tuple[pa.Table, dict]:
    """Project objects by each of the `embeddings`, ``pca`` and ``umap``; only UMAP uses the seed.

    Returns a table of ``row_id``, two float64 columns per embedding (``pca_1, pca_2, umap_1,
    umap_2``) and the truth where known; and, for PCA, a dict of ``explained_variance_ratio`` (list)
    and ``loadings`` (feature -> two numbers).
    """
    columns: dict[str, np.ndarray] = {}
    provenance: dict = {}
    for name in dict.fromkeys(embeddings):
        if name == "pca":
            components = principal_components(space.points)
            plane = components.scores
            provenance["explained_variance_ratio"] = components.explained_variance_ratio.tolist()
            pairs = zip(space.names, components.loadings.T.tolist(), strict=True)
            provenance["loadings"] = dict(pairs)
        else:
            plane = uniform_manifold(space.points, seed)
        columns |= {f"{name}_1": plane[:, 0], f"{name}_2": plane[:, 1]}
    table = space.table
    for position, (name, values) in enumerate(columns.items(), start=1):
        table = table.add_column(position, name, pa.array(values, type=pa.float64()))
    return table, provenance
