"""What "look at your data" draws and looks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdssflow.configuration.section import Section
from sdssflow.configuration.values import Different, SomeDifferent

ExploredFigure = Literal["sky_map", "magnitudes", "redshifts", "color_color", "color_redshift"]


class Exploration(Section):
    """What "look at your data" draws and which groups are looked for."""

    figures: Different[ExploredFigure] = ["magnitudes", "color_color"]
    """Figures of the catalogue. `sky_map` needs positions, `redshifts` and `color_redshift` need
    redshifts."""
    clusters: SomeDifferent[Annotated[int, Field(ge=2)]] = [
        2,
        3,
        4,
        5,
        6,
        7,
        8,
    ]
    """Numbers of groups that k-means and the Gaussian mixture choose from."""
    min_cluster_size: Annotated[int, Field(ge=2)] = 20
    """Smallest group that HDBSCAN may find."""
    max_objects: Annotated[int, Field(ge=100)] = 5000
    """Clustering and embeddings use at most this many objects, chosen by a seeded draw."""
    embeddings: SomeDifferent[Literal["pca", "umap"]] = [
        "pca",
        "umap",
    ]
    """Projections of the feature space on two dimensions."""
