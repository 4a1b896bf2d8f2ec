"""Distance of an object from the training part in colour space: whether a model extrapolates.

A p(z) is calibrated for objects like those of the calibration part. Where there are no training
objects a model still predicts, and its p(z) need not show it. So each object gets its distance to
the k-th nearest training object in standardised colours, and a flag if that exceeds the distance of
all but a small fraction of the training objects from each other.

A missing colour is left out: the distance in the c known of f colours is multiplied by sqrt(f / c),
as if the others were as far on average. It is measured to training objects that have all of these c
colours; an object without any known colour is infinitely far.
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

LEAF = 32  # training objects per leaf of a tree: fastest for the tenth nearest in 4 colours


@dataclass(frozen=True)
class TrainingSupport:
    """Training objects that distances are measured to.

    Attributes
    ----------
    colors : tuple of str
        Names of the c features that span the space.
    center, scale : (c,) float64 arrays
        Their standardisation: mean and standard deviation of the training part.
    neighbours : int
        k; the farthest training object if there are fewer.
    limit : float
        Distance beyond which an object is outside of the training part.
    objects : int
        Number m of training objects.
    points : (m, c) float64 array
        Their colours, NaN where missing; saved in a table, not in the JSON file.
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
            raise ValueError("there must be one center and scale for each color")

    def distances(self, features: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return (n,) float64 distances for (n, f) features; rows do not affect each other.

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
        patterns, numbers = np.unique(~np.isnan(queries), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            if not known.any():
                continue
            rows = np.flatnonzero(numbers == number)
            tree = self._tree(known)
            nearest = min(self.neighbours + own, tree.n)
            if nearest > own:
                found, _ = tree.query(queries[np.ix_(rows, known)], k=[nearest])
                distances[rows] = found[:, 0] * np.sqrt(len(known) / known.sum())
        return distances

    def _tree(self, known: np.ndarray) -> KDTree:
        """Return the cached tree of the training objects that have all of the known colours."""
        key = known.tobytes()
        if key not in self._trees:
            points = ((self.points - self.center) / self.scale)[:, known]
            complete = points[~np.isnan(points).any(axis=1)]
            self._trees[key] = KDTree(complete, leafsize=LEAF, balanced_tree=False)
        return self._trees[key]

    @cached_property
    def _trees(self) -> dict[bytes, KDTree]:
        return {}


def color_names(features: Sequence[str]) -> tuple[str, ...]:
    """Return the features that are colours; all features if none is.

    >>> color_names(["psf_color_ug", "psf_color_err_ug", "psf_mag_r"])
    ('psf_color_ug',)
    """
    colors = [name for name in features if Feature.named(name).kind == "color"]
    return tuple(colors or features)


def known_mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `mean_and_scale` of the known values of each column; 0 and 1 without any.

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
    """Fit the training support.

    Parameters
    ----------
    features : (n, f) float64 array
        Features of the training part; NaN where missing.
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
            f"no two training objects have one of the features {', '.join(colors)}: there are no "
            "distances; cut incomplete objects (cut: complete_photometry; complete_columns where "
            "their extinction is missing)"
        )
    limit = float(np.quantile(own, 1 - settings.outside_fraction))
    return replace(unlimited, limit=limit)
