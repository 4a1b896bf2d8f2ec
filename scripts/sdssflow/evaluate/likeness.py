"""Similarity of the features of objects with spectra and of a target, for `shift`."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from sdssflow.ensembles.standardisation import FEATURE_BOUND
from sdssflow.evaluate.bootstrap import ranking_area
from sdssflow.regress.training_support import known_mean_and_scale

CLASSIFIER_FOLDS = 5


def density_ratios(
    features: np.ndarray, spectroscopic: np.ndarray, target: np.ndarray, neighbours: int
) -> np.ndarray:
    """Return the density ratio of target and objects with spectra, at some of the latter.

    `features`, (n, f), belong to the objects to be weighted, which are among the `spectroscopic`
    ones, (s, f); `target` is (t, f). A missing feature is replaced by the mean of the objects with
    spectra. Densities are counted within the distance to the k-th neighbour, k = `neighbours` or,
    if that is less, s - 1; of ties at that distance, all are counted.

    Returns
    -------
    (n,) float64 array
        (target objects within / t) / (others within / (s - 1)). About 1 on average if both have the
        same distribution; 0 where there is no target object.
    """
    others = len(spectroscopic) - 1
    neighbours = min(neighbours, others)
    if neighbours < 1 or not len(target):
        return np.zeros(len(features))
    mean, scale = known_mean_and_scale(spectroscopic)

    def standardised(values: np.ndarray) -> np.ndarray:
        bounded = np.clip((values - mean) / scale, -FEATURE_BOUND, FEATURE_BOUND)
        return np.nan_to_num(bounded, nan=0.0)

    points = standardised(features)
    # the nearest is the object itself, at distance 0
    tree = KDTree(standardised(spectroscopic))
    distance, _ = tree.query(points, k=[neighbours + 1])
    radius = distance[:, 0] * (1 + 1e-12)
    within = KDTree(standardised(target)).query_ball_point(points, radius, return_length=True)
    others_within = tree.query_ball_point(points, radius, return_length=True) - 1
    return (within / len(target)) / (others_within / others)


def separability(spectroscopic: np.ndarray, target: np.ndarray) -> float:
    """Return how well a classifier separates (s, f) spectroscopic and (t, f) target features.

    The area under the ROC curve of gradient boosting in 5-fold cross-validation: 0.5 for the same
    distribution, 1 without overlap. NaN with fewer than 5 objects on one side.
    """
    if min(len(spectroscopic), len(target)) < CLASSIFIER_FOLDS:
        return float("nan")
    features = np.concatenate([spectroscopic, target])
    is_target = np.arange(len(features)) >= len(spectroscopic)
    held_out = StratifiedKFold(CLASSIFIER_FOLDS, shuffle=True, random_state=0)
    # a fixed number of rounds: by default early stopping starts at 10,000 objects
    classifier = HistGradientBoostingClassifier(early_stopping=False, random_state=0)
    chance = cross_val_predict(classifier, features, is_target, cv=held_out, method="predict_proba")
    return float(ranking_area(chance[:, 1], is_target, np.ones((1, len(features))))[0])
