"""Make probabilities honest: of the objects called a galaxy with 0.8, 80 % should be galaxies.

A fitted classifier is calibrated on objects it was not trained on (the calibration part), by one of
`METHODS`:

=====================  ========================================================================
none                   the classifier's own probabilities
temperature            of its softmax: one number, which changes no object's most probable class
                       (Guo et al. 2017, arXiv:1706.04599)
dirichlet_diagonal     weight and offset of each class's log-probability (`dirichlet`)
sigmoid                each class against the rest (Platt 1999)
dirichlet              a linear map of the log-probabilities
isotonic               each class against the rest, any rising function
=====================  ========================================================================

`auto` cross-validates them within the calibration part by log-loss (`choose`). Venn-ABERS
predictors are left out: they know two classes and give two probabilities for each object. What
package venn-abers makes of them for three classes has no proven calibration, and keeps the whole
calibration part in the model.
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
FEWEST = 2 * FOLDS  # objects of each class, for methods to be compared
METHODS = ("none", "temperature", "dirichlet_diagonal", "sigmoid", "dirichlet", "isotonic")


class Chosen(NamedTuple):
    """A calibration method and how it was chosen.

    Attributes
    ----------
    method : str
        Of `METHODS`.
    held_out : (n, c) float64 array
        Probabilities of the calibration objects, each by a calibration that has not seen it.
    scores : dict of str to tuple of float
        Of each method that was tried: cross-validated log-loss and its standard error.
    """

    method: str
    held_out: np.ndarray
    scores: dict[str, tuple[float, float]]


def obstacle(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> str | None:
    """Say why `calibrate` can't calibrate a model on these objects; None if it can.

    Besides every class that the model knows, a temperature needs at least one object that the
    model gets wrong: without, the likelihood rises indefinitely as the temperature falls, and the
    model would be made certain of everything. That happens to small calibration parts.

    Parameters
    ----------
    fitted, method, features, classes
        As for `calibrate`; `auto` needs what a temperature needs.
    """
    known = np.isin(classes, fitted.classes_)
    if not known.any():
        return "the calibration part is empty"
    missing = sorted(set(fitted.classes_) - set(classes))
    if missing:
        return f"the calibration part has no {missing[0]}"
    needs_mistakes = method in ("temperature", "auto")
    if needs_mistakes and (fitted.predict(features[known]) == classes[known]).all():
        return "no object of the calibration part is misclassified, so no temperature is the best"
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
        The calibration part. Objects of a class the model doesn't know are left out.

    Raises
    ------
    ValueError
        For the reasons that `obstacle` gives.
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
    everything = np.arange(len(classes))
    # The model is frozen, so nothing is cross-validated: one "fold" that holds all objects. The
    # default of five folds would demand five objects of each class.
    calibrated = CalibratedClassifierCV(
        FrozenEstimator(fitted), method=method, cv=[(everything, everything)]
    ).fit(features, classes)
    return _slim(calibrated)


def choose(
    fitted: Any, method: str, usual: str, features: np.ndarray, classes: np.ndarray, seed: int
) -> Chosen:
    """Settle the method of calibration, and give what it says of objects it has not seen.

    ``auto`` compares methods by their log-loss, cross-validated within the calibration part
    (`settled`). Where a class has fewer than `FEWEST` objects there, it is `usual`. A method that
    gives a class the probability 0 somewhere is not taken, whatever its score: one mistake would
    cost more than such a part can show. So the votes of a forest need more than a temperature.

    Parameters
    ----------
    fitted, features, classes
        As for `calibrate`; all classes are known to the model, and each occurs.
    method : str
        One of `METHODS`, or ``auto``.
    usual : str
        The method that the others have to beat.
    seed : int
        Of the folds.
    """
    possible = METHODS if hasattr(fitted, "predict_proba") else METHODS[1:]
    counts = np.unique(classes, return_counts=True)[1]
    if method == "auto" and counts.min() < FEWEST:
        method = usual
    tried = [name for name in possible if method in ("auto", name)]
    held_out = {name: np.empty((len(classes), len(fitted.classes_))) for name in tried}
    known, values = asked_once(fitted, features)
    if counts.min() < 2:  # no fold may lack a class: the method sees all objects, for want of more
        folds = [(np.arange(len(classes)),) * 2]
    else:
        cut = StratifiedKFold(min(FOLDS, counts.min()), shuffle=True, random_state=seed)
        folds = list(cut.split(values, classes))
    for name, found in held_out.items():
        for seen, unseen in folds:
            model = known
            if name != "none":
                model = _calibrate(known, name, values[seen], classes[seen])
            found[unseen] = model.predict_proba(values[unseen])
    place = np.searchsorted(fitted.classes_, classes)
    losses = {name: log_losses(found, place) for name, found in held_out.items()}
    if method == "auto":
        # a temperature turns votes of 0 into numbers that are as arbitrary
        zeros = {name: not found.all() for name, found in held_out.items()}
        zeros["temperature"] |= zeros.get("none", False)
        able = {name: loss for name, loss in losses.items() if name == usual or not zeros[name]}
        method = settled(able, usual)
    scores = {name: (float(loss.mean()), _error(loss)) for name, loss in losses.items()}
    return Chosen(method, held_out[method], scores)


def settled(losses: Mapping[str, np.ndarray], usual: str) -> str:
    """Return the method with the lowest mean loss if it is clearly better than the usual one.

    That is, by more than twice the standard error of the difference; else the usual one. The
    choice therefore costs next to nothing where methods can't be told apart.

    Parameters
    ----------
    losses : mapping of str to (n,) array
        Of each method, the loss of each object.
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
    """A classifier whose features are the probabilities that another gave."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Probabilities:
        """Refuse to be fitted."""
        raise NotImplementedError("it is never fitted; scikit-learn asks for the method")

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the (n,) most probable classes."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the (n, c) probabilities."""
        return X


class Decisions(Probabilities):
    """The same of decision values; those of two classes are one column."""

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return (n, c) decision values, (n,) of two classes."""
        return X[:, 0] if X.shape[1] == 1 else X

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the (n, c) probabilities that are taken without any calibration."""
        return softmax(np.column_stack([0 * X, X]) if X.shape[1] == 1 else X, axis=1)


def asked_once(fitted: Any, features: np.ndarray) -> tuple[Any, np.ndarray]:
    """Ask a slow classifier once: return a quick one and the features that it says the same of."""
    if hasattr(fitted, "decision_function"):
        values = fitted.decision_function(features)
        model: Any = Decisions()
        values = values[:, None] if values.ndim == 1 else values
    else:
        values, model = fitted.predict_proba(features), Probabilities()
    model.classes_ = fitted.classes_
    return model, values


def calibrate_by_cross_validation(estimator: Any, features: np.ndarray, classes: np.ndarray) -> Any:
    """Fit and calibrate on the training part alone, by sigmoids on held-out decision values.

    For estimators that have decision values but no probabilities, when there is no usable
    calibration part.

    Raises
    ------
    ValueError
        If a class has fewer than two objects.
    """
    names, counts = np.unique(classes, return_counts=True)
    folds = min(FOLDS, counts.min())
    if folds < 2:
        raise ValueError(
            f"only {counts.min()} object of class {names[counts.argmin()]} to train on: too few "
            "for probabilities without a calibration part; enlarge the calibration fraction"
        )
    return _slim(
        CalibratedClassifierCV(
            estimator, method="sigmoid", cv=StratifiedKFold(folds), ensemble=False
        ).fit(features, classes)
    )


def _slim(calibrated: CalibratedClassifierCV) -> CalibratedClassifierCV:
    """Drop what only a fit needs: skops would write the model once more for each reference."""
    return calibrated.set_params(estimator=None, cv=None)
