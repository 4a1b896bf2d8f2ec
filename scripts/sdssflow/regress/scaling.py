"""Standardisation of features, fitted on the train part and kept inside the model."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

# Standard deviations beyond which a flexible model sees no difference. Failed photometry has
# errors of many magnitudes: a square of such a feature outweighs all other objects together, and
# a network continues in a straight line where it has seen nothing.
FEATURE_BOUND = 5.0


def mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what standardises `values` along the first axis: mean and standard deviation.

    The scale of a constant column is 1: its spread is a few rounding errors, and dividing by them
    would turn them into a feature.

    >>> mean_and_scale(np.array([[1.0, 0.1], [3.0, 0.1], [5.0, 0.1]]))
    (array([3. , 0.1]), array([1.63299316, 1.        ]))
    """
    mean, spread = values.mean(axis=0), values.std(axis=0)
    constant = spread <= 1e-12 * np.maximum(np.abs(mean), 1)
    return mean, np.where(constant, 1.0, spread)


class BoundedScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise features and keep them within `bound` standard deviations.

    Parameters
    ----------
    bound : float
        Largest absolute value that leaves.

    Attributes
    ----------
    mean_, scale_ : (f,) float64 arrays
        From `mean_and_scale` of the training features.
    """

    def __init__(self, bound: float = FEATURE_BOUND):
        self.bound = bound

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> BoundedScaler:
        """Take mean and scale from (n, f) finite features."""
        X = validate_data(self, X, dtype=np.float64)
        self.mean_, self.scale_ = mean_and_scale(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return (n, f) standardised and bounded features."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.clip((X - self.mean_) / self.scale_, -self.bound, self.bound)
