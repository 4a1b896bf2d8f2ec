"""From saved classifiers and test objects to class probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from sdssflow.acquire.schema import CLASSES

CHUNK = 100_000  # rows at once: bounds the memory that hidden layers and votes take


def class_probabilities(estimator: Any, features: np.ndarray, chunk: int = CHUNK) -> np.ndarray:
    """Return the probability of each class of `CLASSES`, in that order.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Fitted; its `classes_` are some of `CLASSES`.
    features : (n, f) float64 array
        The objects; n may be 0.
    chunk : int
        Rows predicted at once. It changes no probability by more than rounding (1e-12).

    Returns
    -------
    (n, 3) float64 array
        Rows sum to 1; 0 for a class that the classifier was not trained on.
    """
    columns = [CLASSES.index(name) for name in estimator.classes_]
    probability = np.zeros((len(features), len(CLASSES)))
    for start in range(0, len(features), chunk):
        rows = slice(start, start + chunk)
        probability[rows, columns] = estimator.predict_proba(features[rows])
    return probability
