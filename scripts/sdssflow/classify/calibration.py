"""Make probabilities honest: of the objects called a galaxy with 0.8, 80 % should be galaxies.

A fitted classifier is calibrated on objects it was not trained on (the calibration part). By
default the temperature of its softmax is fitted (Guo et al. 2017, arXiv:1706.04599): one number,
which changes no object's most probable class; `sigmoid` (Platt) and `isotonic` fit each class
against the rest and may.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold

FOLDS = 5


def obstacle(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> str | None:
    """Say why `calibrate` can't calibrate a model on these objects; None if it can.

    Besides every class that the model knows, a temperature needs at least one object that the
    model gets wrong: without, the likelihood rises indefinitely as the temperature falls, and the
    model would be made certain of everything. That happens to small calibration parts.

    Parameters
    ----------
    fitted, method, features, classes
        As for `calibrate`.
    """
    known = np.isin(classes, fitted.classes_)
    if not known.any():
        return "the calibration part is empty"
    missing = sorted(set(fitted.classes_) - set(classes))
    if missing:
        return f"the calibration part has no {missing[0]}"
    if method == "temperature" and (fitted.predict(features[known]) == classes[known]).all():
        return "no object of the calibration part is misclassified, so no temperature is the best"
    return None


def calibrate(fitted: Any, method: str, features: np.ndarray, classes: np.ndarray) -> Any:
    """Wrap a fitted classifier so that its probabilities are calibrated.

    Parameters
    ----------
    fitted : scikit-learn classifier
        With `decision_function` or `predict_proba`; it is not fitted again.
    method : {'temperature', 'sigmoid', 'isotonic'}
        How.
    features, classes : (n, f) float64 array, (n,) array of str
        The calibration part. Objects of a class the model doesn't know are left out.

    Raises
    ------
    ValueError
        For the reasons that `obstacle` gives.
    """
    reason = obstacle(fitted, method, features, classes)
    if reason:
        raise ValueError(f"can't calibrate: {reason}")
    known = np.isin(classes, fitted.classes_)
    features, classes = features[known], classes[known]
    everything = np.arange(len(classes))
    # The model is frozen, so nothing is cross-validated: one "fold" that holds all objects. The
    # default of five folds would demand five objects of each class.
    calibrated = CalibratedClassifierCV(
        FrozenEstimator(fitted), method=method, cv=[(everything, everything)]
    ).fit(features, classes)
    return _slim(calibrated)


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
