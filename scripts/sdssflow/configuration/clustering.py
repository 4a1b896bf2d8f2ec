"""How groups and projections of the feature space are found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdssflow.configuration.section import Section, SomeDifferent

ALGORITHMS = ("kmeans", "mixture", "hdbscan")
NOISE = -1  # the label of objects in no group


class Outliers(Section):
    """Settings of the search for unusual objects."""

    shown: Annotated[int, Field(ge=1, le=100)] = 12
    """How many of them are listed."""
    trees: Annotated[int, Field(ge=10, le=2000)] = 100
    """Trees of the isolation forest."""
    neighbours: Annotated[int, Field(ge=1, le=100)] = 5
    """Number of neighbours whose distance defines the density at an object."""
    reference: Annotated[int, Field(ge=100)] = 2000
    """The others are searched for among at most this many objects, drawn with the seed."""
    variance: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Objects are reconstructed from the principal components with this fraction of the
    variance."""
    max_objects: Annotated[int, Field(ge=100)] = 50_000
    """At most this many objects are used, chosen by a seeded draw."""


class Clustering(Section):
    """Which groups are looked for, among how many objects, and how they are projected."""

    clusters: SomeDifferent[Annotated[int, Field(ge=2)]] = [2, 3, 4, 5, 6, 7, 8]
    """Numbers of groups that k-means and the Gaussian mixture choose from."""
    min_cluster_size: Annotated[int, Field(ge=2)] = 20
    """Smallest group that HDBSCAN may find."""
    max_objects: Annotated[int, Field(ge=100)] = 5000
    """Clustering and embeddings use at most this many objects, chosen by a seeded draw."""
    embeddings: SomeDifferent[Literal["pca", "umap"]] = ["pca", "umap"]
    """Projections of the feature space on two dimensions."""
