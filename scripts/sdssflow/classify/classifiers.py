"""Classifiers made of scikit-learn's estimators.

Features are standardised inside the estimator where distances or penalties depend on their scale.
Trees need no scaling and accept missing values.
"""

from __future__ import annotations

import warnings
from functools import singledispatch
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from sdssflow.configuration import classifiers as configuration
from sdssflow.prepare.parts import Part

PATIENCE = 20  # boosting rounds without a better validation loss


def fit(
    settings: configuration.Classifier, seed: int, train: Part, validation: Part, threads: int = 1
) -> Any:
    """Fit an estimator of one of the kinds below; arguments are as in `configuration.kinds`."""
    return fit_classifier(
        build(settings, seed, threads),
        train.features,
        train.truth("spec_class"),
        validation.features,
        validation.truth("spec_class"),
    )


def fit_classifier(
    estimator: Any,
    features: np.ndarray,
    classes: np.ndarray,
    validation_features: np.ndarray,
    validation_classes: np.ndarray,
) -> Any:
    """Fit an estimator made by `build`, in place, and return it.

    Gradient boosting stops when the loss on the validation part no longer falls; without such a
    part it runs all its rounds. scikit-learn's other estimators can't stop on a given validation
    part and don't use it.

    Parameters
    ----------
    estimator : scikit-learn estimator
        From `build`.
    features, classes : (n, f) float64 array, (n,) array of str
        The training part.
    validation_features, validation_classes : (m, f) float64 array, (m,) array of str
        The validation part; m may be 0. Objects of a class that is not in the training part
        are left out.
    """
    if isinstance(estimator, HistGradientBoostingClassifier):
        known = np.isin(validation_classes, classes)
        if known.any():
            estimator.set_params(early_stopping=True, n_iter_no_change=PATIENCE)
            return estimator.fit(
                features, classes, X_val=validation_features[known], y_val=validation_classes[known]
            )
    with warnings.catch_warnings():
        # the user sets the number of epochs
        warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn.neural")
        estimator.fit(features, classes)
    if isinstance(estimator, RandomForestClassifier):
        # threads add up the trees' votes in the order they finish, with other last bits
        estimator.set_params(n_jobs=1)
    if isinstance(estimator, Pipeline) and isinstance(estimator[-1], VotingClassifier):
        slim_vote(estimator[-1])
    return estimator


def slim_vote(vote: VotingClassifier) -> VotingClassifier:
    """Drop what only fitting needs: skops would save the members once more for each reference."""
    vote.estimators = []
    del vote.named_estimators_
    for member in vote.estimators_:
        vars(member).pop("_optimizer", None)  # a network's moments: twice its weights
    return vote


@singledispatch
def build(settings: configuration.Classifier, seed: int, threads: int) -> Any:
    """Return the unfitted estimator of a kind of classifier."""
    raise TypeError(f"no function registered here builds {settings!r}")


@build.register
def _(settings: configuration.DummyClassifier, seed: int, threads: int) -> DummyClassifier:
    return DummyClassifier(strategy="prior")


@build.register
def _(settings: configuration.LogisticRegression, seed: int, threads: int) -> Pipeline:
    steps = [StandardScaler()]
    if settings.degree > 1:
        steps += [PolynomialFeatures(settings.degree, include_bias=False), StandardScaler()]
    return make_pipeline(*steps, LogisticRegression(C=settings.C, max_iter=2000))


@build.register
def _(settings: configuration.NearestNeighbours, seed: int, threads: int) -> Pipeline:
    # a tree searches for one object at a time: its neighbours don't depend on the other rows
    vote = KNeighborsClassifier(settings.neighbours, algorithm="kd_tree")
    return make_pipeline(StandardScaler(), vote)


@build.register
def _(settings: configuration.SupportVectors, seed: int, threads: int) -> Pipeline:
    gamma = "scale" if settings.gamma is None else settings.gamma
    # one machine per class: margins calibrate better than the votes of pairs of classes
    machines = OneVsRestClassifier(SVC(C=settings.C, gamma=gamma))
    return make_pipeline(StandardScaler(), machines)


@build.register
def _(
    settings: configuration.RandomForestClassifier, seed: int, threads: int
) -> RandomForestClassifier:
    return RandomForestClassifier(
        settings.trees,
        min_samples_leaf=settings.min_samples_leaf,
        class_weight=None if settings.class_weight == "none" else settings.class_weight,
        n_jobs=threads,
        random_state=seed,
    )


@build.register
def _(
    settings: configuration.GradientBoostingClassifier, seed: int, threads: int
) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.min_samples_leaf,
        early_stopping=False,
        random_state=seed,
    )


@build.register
def _(settings: configuration.NeuralNetworkClassifier, seed: int, threads: int) -> Pipeline:
    starts = np.random.SeedSequence(seed).generate_state(settings.members)
    networks = [
        (
            f"network_{number}",
            MLPClassifier(
                settings.hidden,
                alpha=settings.alpha,
                learning_rate_init=settings.learning_rate,
                max_iter=settings.max_epochs,
                random_state=int(start),
            ),
        )
        for number, start in enumerate(starts)
    ]
    return make_pipeline(StandardScaler(), VotingClassifier(networks, voting="soft"))
