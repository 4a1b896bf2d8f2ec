"""Dirichlet calibration: a linear map of log-probabilities (Kull et al. 2019, arXiv:1910.12656).

If the predicted probabilities of the objects of each class have a Dirichlet distribution, the
calibrated probabilities are softmax(W log p + b). `diagonal` fits one weight and one offset per
class, otherwise W is full. A temperature is the case W = I / T, b = 0.

The paper regularises the off-diagonal weights and the offsets towards 0 and leaves the diagonal
free; here all of W is regularised towards I, so that few objects change little. This is own code
because only arrays may be saved (the author's package keeps optimiser states of JAX).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin

PENALTY = 1.0  # of |W - I|² + b², against the sum of the log-loss over the objects


class DirichletCalibration(ClassifierMixin, BaseEstimator):
    """A fitted classifier and the linear map of its log-probabilities.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Fitted, with `decision_function` or `predict_proba`; it is not fitted again.
    diagonal : bool
        Whether W is diagonal.

    Attributes
    ----------
    classes_ : (c,) array of str
        Classes of the estimator.
    weights_, offsets_ : (c, c) and (c,) float64 arrays
        W and b above.
    floor_ : float
        Replaces a probability of 0: half of the smallest positive one in the fit, the resolution of
        votes.
    """

    def __init__(self, estimator: Any, diagonal: bool = False):
        self.estimator = estimator
        self.diagonal = diagonal

    def fit(self, X: np.ndarray, y: np.ndarray) -> DirichletCalibration:
        """Fit the map to (n, f) features and (n,) classes, all known to the estimator."""
        self.classes_ = self.estimator.classes_
        self.floor_ = 0.0
        values, are_probabilities = responses(self.estimator, X)
        if are_probabilities:
            self.floor_ = float(values[values > 0].min()) / 2
        truth = (np.asarray(y)[:, None] == self.classes_).astype(np.float64)
        fitted = _fit(self._logarithms(values, are_probabilities), truth, self.diagonal)
        self.weights_, self.offsets_ = fitted[:, :-1], fitted[:, -1]
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return (n, c) probabilities for (n, f) features."""
        logarithms = self._logarithms(*responses(self.estimator, X))
        return softmax(logarithms @ self.weights_.T + self.offsets_, axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the (n,) most probable classes for (n, f) features."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _logarithms(self, values: np.ndarray, are_probabilities: bool) -> np.ndarray:
        if not are_probabilities:
            return log_softmax(values, axis=1)
        # a voter's probability may be smaller than any in the fit, but not 0
        smallest = self.floor_ or np.finfo(np.float64).tiny
        return np.log(np.where(values > 0, values, smallest))


def _fit(logarithms: np.ndarray, truth: np.ndarray, diagonal: bool) -> np.ndarray:
    """Return the (c, c + 1) array of weights and offsets with the smallest penalised log-loss.

    The loss is convex with few parameters: Newton's method takes a few steps.
    """
    n, c = truth.shape
    inputs = np.column_stack([logarithms, np.ones(n)])
    start = np.eye(c, c + 1)
    free = np.ones((c, c + 1), bool)
    if diagonal:
        free = start.astype(bool)
        free[:, -1] = True

    def unpacked(parameters: np.ndarray) -> np.ndarray:
        weights = start.copy()
        weights[free] = parameters
        return weights

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights = unpacked(parameters)
        logits, away = inputs @ weights.T, weights - start
        slope = (softmax(logits, axis=1) - truth).T @ inputs + 2 * PENALTY * away
        value = PENALTY * (away**2).sum() - (truth * log_softmax(logits, axis=1)).sum()
        return value / n, slope[free] / n

    def curvature(parameters: np.ndarray) -> np.ndarray:
        p = softmax(inputs @ unpacked(parameters).T, axis=1)
        hessian = np.empty((c, c + 1, c, c + 1))
        for i in range(c):
            for j in range(c):
                factor = p[:, i] * ((i == j) - p[:, j])
                hessian[i, :, j] = inputs.T @ (inputs * factor[:, None])
        hessian = hessian.reshape(free.size, free.size) + 2 * PENALTY * np.eye(free.size)
        return hessian[np.ix_(free.ravel(), free.ravel())] / n

    best = minimize(loss, start[free], jac=True, hess=curvature, method="trust-exact")
    return unpacked(best.x)


def responses(estimator: Any, features: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return (n, c) decision values, or probabilities, of a fitted classifier.

    The second result is whether they are probabilities. For two classes, the decision value of the
    first is 0.
    """
    if hasattr(estimator, "decision_function"):
        values = estimator.decision_function(features)
        if values.ndim == 1:
            values = np.column_stack([np.zeros(len(values)), values])
        return values, False
    return estimator.predict_proba(features), True
