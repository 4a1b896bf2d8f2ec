"""The scikit-learn regressors: from settings and training rows to a fitted estimator.

======================  ==========================================================================
kind                    estimator
======================  ==========================================================================
``mean``                mean zspec of the training part
``linear``              ordinary least squares in closed form, on standardised features
``polynomial``          ridge regression on all products, up to a degree, of standardised features
                        that are kept within 5 standard deviations (`scaling`)
``decision_tree``       one regression tree; ties between features are broken by the seed
``random_forest``       mean of trees grown on bootstrap samples (Breiman 2001; `forests`)
``gradient_boosting``   histogram gradient boosting, stopped on the validation part if there is one
``nearest_neighbours``  mean of the nearest neighbours, weighted by distance (`neighbours`)
``local_linear``        a linear fit to each object's nearest neighbours (`neighbours`)
======================  ==========================================================================

None of them keeps its predictions above zero: a negative zphot says that the model extrapolates,
and hiding it would flatter the scores. Trees and neighbours can't leave the range of the training
redshifts; the linear and polynomial models can.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from sdssflow.configuration import regressors as configuration
from sdssflow.configuration.section import Section
from sdssflow.prepare.parts import Part
from sdssflow.regress.forests import DensityForest
from sdssflow.regress.inputs import require_usable
from sdssflow.regress.neighbours import LocalLinearRegression, NeighbourMean
from sdssflow.regress.scaling import BoundedScaler

BOOSTING_PATIENCE = 20  # rounds without a better validation loss before boosting stops


def make_regressor(settings: Section, seed: int, stop_early: bool) -> BaseEstimator:
    """Build the unfitted estimator of a section of the configuration.

    Parameters
    ----------
    settings : Section
        One of the scikit-learn kinds of `RegressorSettings`.
    seed : int
        Seed of trees and boosting; the other kinds draw nothing.
    stop_early : bool
        Whether boosting will be given a validation part to stop on.

    Raises
    ------
    ValueError
        If the kind is none of this module's: `gradient_descent` and `network` are torch models.
    """
    match settings:
        case configuration.MeanRegressor():
            return DummyRegressor(strategy="mean")
        case configuration.LinearRegression():
            # standardised, so that lstsq's threshold for collinear features is free of units
            return make_pipeline(StandardScaler(), LinearRegression())
        case configuration.PolynomialRegression():
            return make_pipeline(
                BoundedScaler(),
                PolynomialFeatures(settings.degree, include_bias=False),
                Ridge(settings.alpha),
            )
        case configuration.DecisionTree():
            return DecisionTreeRegressor(
                max_depth=settings.max_depth,
                min_samples_leaf=settings.min_samples_leaf,
                random_state=seed,
            )
        case configuration.RandomForestRegressor():
            return DensityForest(
                n_estimators=settings.trees,
                min_samples_leaf=settings.min_samples_leaf,
                max_features=settings.max_features,
                random_state=seed,
            )
        case configuration.GradientBoostingRegressor():
            return HistGradientBoostingRegressor(
                max_iter=settings.iterations,
                learning_rate=settings.learning_rate,
                max_leaf_nodes=settings.leaves,
                min_samples_leaf=settings.min_samples_leaf,
                early_stopping=stop_early,
                n_iter_no_change=BOOSTING_PATIENCE,
                random_state=seed,
            )
        case configuration.NeighbourMean():
            return NeighbourMean(settings.neighbours, settings.distance_power)
        case configuration.LocalLinear():
            return LocalLinearRegression(settings.neighbours, settings.clip_sigma)
    raise ValueError(f"{settings.kind!r} is no scikit-learn regressor; rule train_network fits it")


def fit_regressor(
    settings: Section, seed: int, train: Part, validation: Part, threads: int = 1
) -> BaseEstimator:
    """Fit one regressor on the train part.

    Parameters
    ----------
    settings : Section
        One of the scikit-learn kinds of `RegressorSettings`.
    seed : int
        Seed of trees and boosting.
    train : Part
        Objects to learn from.
    validation : Part
        Objects that boosting stops on; unused by the other kinds. May be empty, then boosting
        runs all its rounds.
    threads : int
        Trees of a forest grown at a time. The result doesn't depend on it.

    Returns
    -------
    sklearn.base.BaseEstimator
        Its `predict` takes (n, f) float64 features and returns (n,) zphot.

    Raises
    ------
    ValueError
        If the train part is empty, a redshift is missing, or a feature is missing and the kind
        can't take missing values.
    """
    require_usable(train, settings.kind, "train")
    stop_early = settings.kind == "gradient_boosting" and len(validation) > 0
    estimator = make_regressor(settings, seed, stop_early)
    if stop_early:
        require_usable(validation, settings.kind, "validation")
        held_back = {"X_val": validation.features, "y_val": validation.zspec}
        return estimator.fit(train.features, train.zspec, **held_back)
    if settings.kind == "random_forest":
        # each tree has its own seed; predicting stays serial, because the order in which threads
        # add up trees would change the last digits
        estimator.set_params(n_jobs=threads).fit(train.features, train.zspec)
        return estimator.set_params(n_jobs=None)
    return estimator.fit(train.features, train.zspec)


def predict(estimator: BaseEstimator, features: np.ndarray) -> np.ndarray:
    """Return (n,) float64 zphot of (n, f) features."""
    return np.asarray(estimator.predict(features), dtype=np.float64)
