"""How far an object is from the training part in colour space: whether a model has to extrapolate.

A p(z) is honest for objects like those of the calibration part. Where the training part has no
objects a model still answers, and its p(z) need not show it. So each object gets its distance
to the k-th nearest training object in standardised colours, and a flag if that is farther than all
but a small fraction of the training objects are from each other.

A missing colour doesn't enter: the distance over the c known of f colours is multiplied by
sqrt(f / c), as if the others were as far on average. It is taken to training objects that have
all of these c colours; an object without any known colour is infinitely far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.spatial import KDTree

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.ensembles.standardisation import mean_and_scale
from sdssflow.prepare.feature_columns import Feature
from sdssflow.regress.records import RECORD, array_of

LEAF = 32  # training objects that a tree doesn't divide: fastest for the tenth nearest in 4 colours


@dataclass(frozen=True)
class TrainingSupport:
    """Training objects that distances are taken to.

    Attributes
    ----------
    colors : tuple of str
        Names of the c features that span the space.
    center, scale : (c,) float64 arrays
        What standardises them: mean and standard deviation of the training part.
    neighbours : int
        Which nearest training object the distance is taken to; the last if there are fewer.
    limit : float
        Distance beyond which an object is outside of the training part.
    objects : int
        Number m of training objects.
    points : (m, c) float64 array
        Their colours, NaN where missing; not in the JSON file but in the table beside it.
    """

    colors: Annotated[tuple[str, ...], Field(min_length=1)]
    center: Annotated[np.ndarray, array_of(float)]
    scale: Annotated[np.ndarray, array_of(Annotated[float, Field(gt=0)])]
    neighbours: Annotated[int, Field(ge=1)]
    limit: Annotated[float, Field(ge=0)]
    objects: Annotated[int, Field(ge=0)]
    points: Annotated[np.ndarray, Field(exclude=True)] = field(
        default_factory=lambda: np.empty((0, 0))
    )

    __pydantic_config__ = RECORD

    def __post_init__(self) -> None:
        if not len(self.colors) == len(self.center) == len(self.scale):
            raise ValueError("not one center and scale for each color")

    def distances(self, features: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return (n,) float64 distances of (n, f) features, each object for itself.

        Parameters
        ----------
        features : (n, f) float64 array
            NaN where missing.
        names : sequence of str
            Names of the f features.
        """
        columns = [list(names).index(name) for name in self.colors]
        return self._distances(features[:, columns], own=0)

    def outside(self, distances: np.ndarray) -> np.ndarray:
        """Return (n,) bool: whether objects at these distances are outside of the training part."""
        return distances > self.limit

    def _distances(self, colors: np.ndarray, own: int) -> np.ndarray:
        """Return the distances of (n, c) colours; `own`: 1 if they are training objects."""
        queries = (colors - self.center) / self.scale
        distances = np.full(len(queries), np.inf)
        known = ~np.isnan(queries)
        patterns = known @ (1 << np.arange(known.shape[1]))
        for pattern in np.unique(patterns[patterns > 0]):
            rows = np.flatnonzero(patterns == pattern)
            which = known[rows[0]]
            tree = self._tree(pattern, which)
            nearest = min(self.neighbours + own, tree.n)
            if nearest > own:
                found, _ = tree.query(queries[np.ix_(rows, which)], k=[nearest])
                distances[rows] = found[:, 0] * np.sqrt(len(which) / which.sum())
        return distances

    def _tree(self, pattern: int, known: np.ndarray) -> KDTree:
        """Return the tree of the training objects that have all of the known colours, kept."""
        if pattern not in self._trees:
            points = ((self.points - self.center) / self.scale)[:, known]
            complete = points[~np.isnan(points).any(axis=1)]
            self._trees[pattern] = KDTree(complete, leafsize=LEAF, balanced_tree=False)
        return self._trees[pattern]

    @cached_property
    def _trees(self) -> dict[int, KDTree]:
        return {}


def color_names(features: Sequence[str]) -> tuple[str, ...]:
    """Return the features that are colours; all features if none is.

    >>> color_names(["psf_color_ug", "psf_color_err_ug", "psf_mag_r"])
    ('psf_color_ug',)
    """
    colors = [name for name in features if Feature.named(name).kind == "color"]
    return tuple(colors or features)


def known_mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `scaling.mean_and_scale` of the known values of each column; 0 and 1 without any.

    >>> known_mean_and_scale(np.array([[1.0, np.nan], [3.0, np.nan]]))
    (array([2., 0.]), array([1., 1.]))
    """
    mean, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
    for place, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known):
            mean[place], scale[place] = mean_and_scale(known)
    return mean, scale


def fit_support(
    features: np.ndarray, names: Sequence[str], settings: PdfCalibration, seed: int
) -> TrainingSupport:
    """Learn where the training objects are.

    Parameters
    ----------
    features : (n, f) float64 array
        Of the training part; NaN where missing.
    names : sequence of str
        Names of the f features.
    settings : PdfCalibration
        `reference_objects`, `neighbours` and `outside_fraction`.
    seed : int
        Seed of the draw of reference objects, if there are more training objects than that.

    Raises
    ------
    ValueError
        If fewer than two training objects have a colour in common.
    """
    colors = color_names(names)
    values = features[:, [list(names).index(name) for name in colors]]
    center, scale = known_mean_and_scale(values)
    if len(values) > settings.reference_objects:
        generator = np.random.default_rng(seed)
        drawn = generator.choice(len(values), settings.reference_objects, replace=False)
        values = values[np.sort(drawn)]
    unlimited = TrainingSupport(
        colors, center, scale, settings.neighbours, np.inf, len(values), values
    )
    own = unlimited._distances(values, own=1)
    own = own[np.isfinite(own)]
    if not len(own):
        raise ValueError(
            f"no two training objects have one of the features {', '.join(colors)}: nothing to "
            "take distances to; cut incomplete objects (cut: complete_photometry; complete_columns "
            "where their extinction is missing)"
        )
    limit = float(np.quantile(own, 1 - settings.outside_fraction))
    return replace(unlimited, limit=limit)
