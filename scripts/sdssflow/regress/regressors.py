"""Regressors made of scikit-learn's estimators: from settings to a fitted estimator.

=====================  ===========================================================================
kind                   estimator
=====================  ===========================================================================
``mean``               mean zspec of the training part
``linear``             ordinary least squares in closed form, on standardised features
``polynomial``         ridge regression on all products, up to a degree, of standardised features
                       clipped to 5 standard deviations (`BoundedScaler`)
``decision_tree``      one regression tree; ties between features are broken by the seed
``gradient_boosting``  histogram gradient boosting, stopped on the validation part if there is one
=====================  ===========================================================================

Predictions are not clipped at zero: a negative zphot shows that the model extrapolates, and hiding
it would flatter the scores. Trees can't leave the range of the training redshifts; the linear and
polynomial models can.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

from sdssflow.configuration import regressors as configuration
from sdssflow.ensembles.standardisation import FEATURE_BOUND, mean_and_scale
from sdssflow.models.inputs import require_usable
from sdssflow.prepare.parts import Part

BOOSTING_PATIENCE = 20  # rounds without a better validation loss before boosting stops


def fit(
    settings: configuration.Regressor, seed: int, train: Part, validation: Part, threads: int = 1
) -> BaseEstimator:
    """Fit one of the kinds above on the train part; arguments are as in `configuration.kinds`.

    Boosting stops on the validation part; without one it runs all its rounds. The other kinds don't
    use it. Only trees and boosting use the seed.
    """
    estimator = build(settings, seed)
    if isinstance(estimator, HistGradientBoostingRegressor) and len(validation):
        require_usable(validation, settings, "validation")
        held_back = {"X_val": validation.features, "y_val": validation.zspec}
        estimator.set_params(early_stopping=True)
        return estimator.fit(train.features, train.zspec, **held_back)
    return estimator.fit(train.features, train.zspec)


@singledispatch
def build(settings: configuration.Regressor, seed: int) -> BaseEstimator:
    """Return the unfitted estimator of a kind of regressor."""
    raise TypeError(f"no function registered here builds {settings!r}")


@build.register
def _(settings: configuration.MeanRegressor, seed: int) -> DummyRegressor:
    return DummyRegressor(strategy="mean")


@build.register
def _(settings: configuration.LinearRegression, seed: int) -> Pipeline:
    # standardised, so that lstsq's threshold for collinear features is free of units
    return make_pipeline(StandardScaler(), LinearRegression())


@build.register
def _(settings: configuration.PolynomialRegression, seed: int) -> Pipeline:
    return make_pipeline(
        BoundedScaler(),
        PolynomialFeatures(settings.degree, include_bias=False),
        Ridge(settings.alpha),
    )


@build.register
def _(settings: configuration.DecisionTree, seed: int) -> DecisionTreeRegressor:
    return DecisionTreeRegressor(
        max_depth=settings.max_depth, min_samples_leaf=settings.min_samples_leaf, random_state=seed
    )


@build.register
def _(
    settings: configuration.GradientBoostingRegressor, seed: int
) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.min_samples_leaf,
        early_stopping=False,
        n_iter_no_change=BOOSTING_PATIENCE,
        random_state=seed,
    )


class BoundedScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise features and clip them to `bound` standard deviations.

    Parameters
    ----------
    bound : float
        Largest absolute value after standardisation.

    Attributes
    ----------
    mean_, scale_ : (f,) float64 arrays
        From `mean_and_scale` of the training features.
    """

    def __init__(self, bound: float = FEATURE_BOUND):
        self.bound = bound

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> BoundedScaler:
        """Fit mean and scale to (n, f) finite features."""
        X = validate_data(self, X, dtype=np.float64)
        self.mean_, self.scale_ = mean_and_scale(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return (n, f) standardised and clipped features."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.clip((X - self.mean_) / self.scale_, -self.bound, self.bound)
