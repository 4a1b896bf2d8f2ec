"""Calibration of probabilities: of the objects with p(galaxy) = 0.8, 80 % should be galaxies.

A fitted classifier is calibrated on objects it was not trained on (the calibration part), by one of
`METHODS`:

=====================  ========================================================================
none                   the classifier's own probabilities
temperature            of its softmax: one number, which changes no object's most probable class
                       (Guo et al. 2017, arXiv:1706.04599)
dirichlet_diagonal     weight and offset of each class's log-probability (`dirichlet`)
sigmoid                each class against the rest (Platt 1999)
dirichlet              a linear map of the log-probabilities
isotonic               each class against the rest, a monotonic function
=====================  ========================================================================

`auto` chooses by cross-validated log-loss within the calibration part (`choose`). Venn-ABERS
predictors are left out: they are defined for two classes and return two probabilities for each
object. The extension to three classes in the package venn-abers has no proven calibration, and
keeps the whole calibration part in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold

from sdssflow.classify.dirichlet import DirichletCalibration
from sdssflow.classify.losses import log_losses

FOLDS = 5
FEWEST = 2 * FOLDS  # minimum number of objects of each class to compare methods
METHODS = ("none", "temperature", "dirichlet_diagonal", "sigmoid", "dirichlet", "isotonic")


class Chosen(NamedTuple):
    """A calibration method and how it was chosen.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    held_out : (n, c) float64 array
        Out-of-fold probabilities of the calibration objects.
    scores : dict of str to tuple of float
        Cross-validated log-loss and its standard error of each method that was tried.
    """

    method: str
    held_out: np.ndarray
    scores: dict[str, tuple[float, float]]


def obstacle(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> str | None:
    """Return why `calibrate` can't calibrate a model on these objects; None if it can.

    All methods need objects of every class that the model knows. A temperature also needs at least
    one misclassified object: otherwise the likelihood rises indefinitely as the temperature falls,
    and all probabilities would become 0 or 1. That happens with small calibration parts.

    Parameters
    ----------
    fitted, method, features, classes
        As for `calibrate`; `auto` has the requirements of a temperature.
    """
    known = np.isin(classes, fitted.classes_)
    if not known.any():
        return "the calibration part is empty"
    missing = sorted(set(fitted.classes_) - set(classes))
    if missing:
        return f"the calibration part has no {missing[0]}"
    needs_mistakes = method in ("temperature", "auto")
    if needs_mistakes and (fitted.predict(features[known]) == classes[known]).all():
        return "no object of the calibration part is misclassified, so there is no best temperature"
    return None


def calibrate(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> Any:
    """Wrap a fitted classifier so that its probabilities are calibrated.

    Parameters
    ----------
    fitted : scikit-learn classifier
        With `decision_function` or `predict_proba`; it is not fitted again.
    method : str
        One of `METHODS`; ``none`` returns the classifier itself.
    features, classes : (n, f) float64 array, (n,) array of str
        The calibration part. Objects of a class that the model does not know are left out.

    Raises
    ------
    ValueError
        For the reasons in `obstacle`.
    """
    if method == "none":
        return fitted
    reason = obstacle(fitted, method, features, classes)
    if reason:
        raise ValueError(f"can't calibrate: {reason}")
    known = np.isin(classes, fitted.classes_)
    return _calibrate(fitted, method, features[known], classes[known])


def _calibrate(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> Any:
    if method.startswith("dirichlet"):
        return DirichletCalibration(fitted, method == "dirichlet_diagonal").fit(features, classes)
    # The model is frozen, so one fold with all objects is enough. The default of five folds would
    # need five objects of each class.
    rows = np.arange(len(classes))
    calibrated = CalibratedClassifierCV(
        FrozenEstimator(fitted), method=method, cv=[(rows, rows)]
    ).fit(features, classes)
    return _slim(calibrated)


def choose(
    fitted: Any, method: str, usual: str, features: np.ndarray, classes: np.ndarray, seed: int
) -> Chosen:
    """Choose the method of calibration and return its out-of-fold probabilities.

    ``auto`` compares methods by their log-loss, cross-validated within the calibration part
    (`settled`). If a class has fewer than `FEWEST` objects there, it is `usual`. A method with a
    probability of 0 for any object and class is excluded, whatever its score: its log-loss is
    infinite for a mistake, which a small part may not contain. So the votes of a forest need more
    than a temperature.

    Parameters
    ----------
    fitted, features, classes
        As for `calibrate`; all classes are known to the model, and each occurs.
    method : str
        One of `METHODS`, or ``auto``.
    usual : str
        The default method, used unless another is clearly better.
    seed : int
        Seed of the folds.
    """
    possible = METHODS if hasattr(fitted, "predict_proba") else METHODS[1:]
    counts = np.unique(classes, return_counts=True)[1]
    if method == "auto" and counts.min() < FEWEST:
        method = usual
    tried = [name for name in possible if method in ("auto", name)]
    held_out = {name: np.empty((len(classes), len(fitted.classes_))) for name in tried}
    cached, values = cached_classifier(fitted, features)
    if counts.min() < 2:  # a fold would lack a class: the method is fitted to all objects
        folds = [(np.arange(len(classes)),) * 2]
    else:
        cut = StratifiedKFold(min(FOLDS, counts.min()), shuffle=True, random_state=seed)
        folds = list(cut.split(values, classes))
    for name, probability in held_out.items():
        for seen, unseen in folds:
            model = cached
            if name != "none":
                model = _calibrate(cached, name, values[seen], classes[seen])
            probability[unseen] = model.predict_proba(values[unseen])
    codes = np.searchsorted(fitted.classes_, classes)
    losses = {name: log_losses(probability, codes) for name, probability in held_out.items()}
    if method == "auto":
        zeros = {name: not probability.all() for name, probability in held_out.items()}
        # a temperature replaces votes of 0 by numbers that are as arbitrary
        zeros["temperature"] |= zeros.get("none", False)
        allowed = {name: loss for name, loss in losses.items() if name == usual or not zeros[name]}
        method = settled(allowed, usual)
    scores = {name: (float(loss.mean()), _error(loss)) for name, loss in losses.items()}
    return Chosen(method, held_out[method], scores)


def settled(losses: Mapping[str, np.ndarray], usual: str) -> str:
    """Return the method with the lowest mean loss if it is clearly better than the usual one.

    That is, by more than twice the standard error of the difference; otherwise the usual one.

    Parameters
    ----------
    losses : mapping of str to (n,) array
        The loss of each object, by method.
    usual : str
        One of them.

    Examples
    --------
    >>> even, noise = np.full(4, 0.3), np.array([0.1, -0.1, 0.1, -0.11])
    >>> settled({"temperature": even, "isotonic": even + noise}, "temperature")
    'temperature'
    >>> settled({"temperature": even, "isotonic": even - 0.1}, "temperature")
    'isotonic'
    """
    best = min(losses, key=lambda name: float(losses[name].mean()))
    gain = losses[usual] - losses[best]
    return best if gain.mean() > 2 * _error(gain) else usual


def _error(values: np.ndarray) -> float:
    """Return the standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


class Probabilities(ClassifierMixin, BaseEstimator):
    """A classifier whose features are the probabilities of another."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Probabilities:
        """Never called; scikit-learn requires the method."""
        raise NotImplementedError

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the (n,) most probable classes."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the (n, c) probabilities."""
        return X


class Decisions(Probabilities):
    """A classifier of decision values, which are one column for two classes."""

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return (n, c) decision values, (n,) for two classes."""
        return X[:, 0] if X.shape[1] == 1 else X

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the (n, c) probabilities without calibration."""
        return softmax(np.column_stack([0 * X, X]) if X.shape[1] == 1 else X, axis=1)


def cached_classifier(fitted: Any, features: np.ndarray) -> tuple[Any, np.ndarray]:
    """Evaluate a slow classifier once: return a fast one, and its features, that is equivalent."""
    if hasattr(fitted, "decision_function"):
        values = fitted.decision_function(features)
        model: Any = Decisions()
        values = values[:, None] if values.ndim == 1 else values
    else:
        values, model = fitted.predict_proba(features), Probabilities()
    model.classes_ = fitted.classes_
    return model, values


def calibrate_by_cross_validation(estimator: Any, features: np.ndarray, classes: np.ndarray) -> Any:
    """Fit and calibrate on the training part, by sigmoids on out-of-fold decision values.

    For estimators with decision values but no probabilities, if there is no usable calibration
    part.

    Raises
    ------
    ValueError
        If a class has fewer than two objects.
    """
    names, counts = np.unique(classes, return_counts=True)
    folds = min(FOLDS, counts.min())
    if folds < 2:
        raise ValueError(
            f"the training part has only {counts.min()} object of class {names[counts.argmin()]}: "
            "too few for probabilities without a calibration part; raise the calibration fraction"
        )
    return _slim(
        CalibratedClassifierCV(
            estimator, method="sigmoid", cv=StratifiedKFold(folds), ensemble=False
        ).fit(features, classes)
    )


def _slim(calibrated: CalibratedClassifierCV) -> CalibratedClassifierCV:
    """Drop what only fitting needs: skops would save the model once more for each reference."""
    return calibrated.set_params(estimator=None, cv=None)
