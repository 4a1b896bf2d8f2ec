"""Trees that use the errors of the magnitudes: the method of TPZ.

Carrasco Kind & Brunner 2013 (MNRAS 432, 1483, arXiv:1303.7269), configured as in MLZ's example for
the Main Galaxy Sample: trees on bootstrap samples of several realisations of the training part, the
first as measured, the others with Gaussian noise of each magnitude's error added; at each node some
of nine attributes are tried, the five magnitudes and their four colours. zphot is the mean of p(z),
that is, of the leaves' training redshifts, with equal weight for each tree.

Colours are computed after the noise is added, so they are consistent with the magnitudes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.tree import DecisionTreeRegressor

from sdssflow.bands import BANDS
from sdssflow.prepare.feature_columns import Feature, Kind
from sdssflow.prepare.parts import Part

if TYPE_CHECKING:
    from sdssflow.configuration.regressors import PredictionTrees

NEEDED = "features.groups needs colors and reference_magnitude, or magnitudes"


class ErrorTrees(RegressorMixin, BaseEstimator):
    """Regression trees on magnitudes and colours.

    Parameters
    ----------
    names : list of str
        Names of the f features.

    Attributes
    ----------
    trees_ : list of DecisionTreeRegressor
        Fitted trees.
    """

    def __init__(self, names: Sequence[str]):
        self.names = names

    def fit(
        self, features: np.ndarray, zspec: np.ndarray, settings: PredictionTrees, seed: int
    ) -> ErrorTrees:
        """Grow the trees on (n, f) features and (n,) redshifts."""
        magnitudes, errors = magnitudes_of(features, self.names), errors_of(features, self.names)
        generator = np.random.default_rng(seed)
        self.trees_ = []
        for realisation in range(settings.realisations):
            noisy = magnitudes
            if realisation:
                noisy = magnitudes + errors * generator.standard_normal(magnitudes.shape)
            inputs = attributes(noisy)
            for _ in range(settings.trees):
                rows = generator.integers(len(inputs), size=len(inputs))
                tree = DecisionTreeRegressor(
                    min_samples_leaf=settings.min_samples_leaf,
                    max_features=settings.attributes_tried,
                    random_state=int(generator.integers(2**31)),
                )
                self.trees_.append(tree.fit(inputs[rows], zspec[rows]))
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) zphot for (n, f) features."""
        inputs = attributes(magnitudes_of(np.asarray(features, dtype=float), self.names))
        return np.mean([tree.predict(inputs) for tree in self.trees_], axis=0)


def attributes(magnitudes: np.ndarray) -> np.ndarray:
    """Return (n, 9) magnitudes and colours from (n, 5) magnitudes."""
    return np.column_stack([magnitudes, magnitudes[:, :-1] - magnitudes[:, 1:]])


def magnitudes_of(features: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return (n, 5) magnitudes from (n, f) features: magnitudes, or one and colours.

    Raises
    ------
    ValueError
        If the magnitude of a band does not follow from the features, or two features give it.
    """
    known = {band: column for (band,), column in _by_bands(features, names, "magnitude").items()}
    colors = _by_bands(features, names, "color")
    for steps in (pairwise(BANDS), pairwise(reversed(BANDS))):
        for here, there in steps:
            if here in known and there not in known and (here, there) in colors:
                known[there] = known[here] - colors[here, there]
            elif here in known and there not in known and (there, here) in colors:
                known[there] = known[here] + colors[there, here]
    for band in BANDS:
        if band not in known:
            raise ValueError(f"the features do not give the {band} magnitude; {NEEDED}")
    return np.column_stack([known[band] for band in BANDS])


def errors_of(features: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the (n, 5) magnitude errors among (n, f) features; raises as `magnitudes_of` does."""
    errors = _by_bands(features, names, "error")
    for band in BANDS:
        if (band,) not in errors:
            raise ValueError(
                f"no feature is the error of the magnitude in {band}; "
                "features.groups needs magnitude_errors"
            )
    return np.column_stack([errors[band,] for band in BANDS])


def _by_bands(
    features: np.ndarray, names: Sequence[str], kind: Kind
) -> dict[tuple[str, ...], np.ndarray]:
    """Return the features of a kind by their bands, without luptitudes; ValueError for two."""
    columns: dict[tuple[str, ...], np.ndarray] = {}
    for column, name in zip(features.T, names, strict=True):
        feature = Feature.named(name)
        if feature.kind == kind and not feature.quantity.endswith("luptitude"):
            if feature.bands in columns:
                raise ValueError(
                    f"{name!r} is a second {kind} in {' - '.join(feature.bands)} among the "
                    "features, and only one photometry can be used; remove it from features.extra"
                )
            columns[feature.bands] = column
    return columns


def fit(
    settings: PredictionTrees, seed: int, train: Part, validation: Part, threads: int = 1
) -> ErrorTrees:
    """Grow the trees on the train part; arguments and errors are as in `configuration.kinds`."""
    names = list(train.feature_names)
    return ErrorTrees(names).fit(train.features, train.truth("zspec"), settings, seed)
