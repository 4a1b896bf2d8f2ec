"""Standardisation as a step of a scikit-learn model, fitted on the train part and kept inside."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sdssflow.regress.standardisation import FEATURE_BOUND, mean_and_scale


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
