"""From probabilities to decisions: sets of classes, and thresholds for a given purity.

All are computed from out-of-fold probabilities of the calibration part (`calibration.choose`).

A class belongs to the set of an object if its probability is at least the threshold of that class,
which all but one in ten of the calibration objects of the class reach: class-conditional conformal
sets of least ambiguous classes (Sadinle, Lei & Wasserman 2019, JASA 114, 223). So the set contains
the true class with a probability of 0.9 for the objects of each class, whatever the fractions of
the classes, as long as the objects of a class are like those of the sample. A set may be empty: the
object is then unlike nine in ten objects of every class, mostly between two classes. Adding its
most probable class would raise the coverage above the level.

This is own code because a bundle needs only one number per class; MAPIE and crepes keep the
calibration scores in their own objects and compute the same quantile per class.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from sdssflow.acquire.schema import CLASSES

CLASS_SET_LEVEL = 0.9
CLASS_SET = f"class_set_{CLASS_SET_LEVEL * 100:.0f}"
SETS = ["|".join(c for k, c in enumerate(CLASSES) if code >> k & 1) or "none" for code in range(8)]
CONFIDENCE = 0.9  # that a threshold has the purity or completeness it was chosen for


def class_set_thresholds(
    probability: np.ndarray, truth: np.ndarray, level: float = CLASS_SET_LEVEL
) -> np.ndarray:
    """Return the smallest probability with which each class is in the set.

    Parameters
    ----------
    probability : (n, 3) float64 array
        Probabilities of calibration objects, in the order of `CLASSES`.
    truth : (n,) int array
        Indices of their true classes in `CLASSES`.
    level : float
        Nominal coverage of each class.

    Returns
    -------
    (3,) float64 array
        0, always in the set, for a class with too few objects for the level.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.7, 0.3, 0], [0.6, 0.4, 0]])
    >>> class_set_thresholds(p, np.zeros(4, int), 0.6)
    array([0.7, 0. , 0. ])
    """
    thresholds = np.zeros(len(CLASSES))
    for code in range(len(CLASSES)):
        own = np.sort(probability[truth == code, code])
        # of n + 1 exchangeable objects, this many may be below the threshold
        short = int((len(own) + 1) * (1 - level) * (1 + 1e-12))
        if short:
            thresholds[code] = own[short - 1]
    return thresholds


def set_codes(probability: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return (n,) uint8 codes of sets, indices of `SETS`, from (n, 3) probabilities."""
    return ((probability >= thresholds) @ (1 << np.arange(len(CLASSES)))).astype(np.uint8)


def members(codes: np.ndarray) -> np.ndarray:
    """Return (n, 3) bool: the classes in sets of these codes."""
    return (codes[:, None] >> np.arange(len(CLASSES)) & 1).astype(bool)


def purity_threshold(probability: np.ndarray, own: np.ndarray, purity: float) -> float:
    """Return the lowest threshold that ensures a purity.

    At this threshold the lower end of the one-sided binomial confidence interval (Clopper & Pearson
    1934), at `CONFIDENCE`, of the purity of the calibration objects is at least `purity`.

    Parameters
    ----------
    probability : (n,) float64 array
        Probability of one class.
    own : (n,) bool array
        Whether an object is of that class.
    purity : float
        Nominal purity.

    Returns
    -------
    float
        NaN if there is no such threshold.
    """
    order = np.argsort(-probability, kind="stable")
    ordered, correct = probability[order], np.cumsum(own[order])
    selected = np.arange(1, len(order) + 1)
    last_of_ties = np.append(ordered[1:] < ordered[:-1], True)[: len(order)]
    pure = np.flatnonzero((_lower_limits(correct, selected) >= purity) & last_of_ties)
    return float(ordered[pure[-1]]) if len(pure) else np.nan


def completeness_threshold(probability: np.ndarray, own: np.ndarray, completeness: float) -> float:
    """Return the highest threshold that ensures a completeness, at `CONFIDENCE`, or NaN.

    Parameters are those of `purity_threshold`.
    """
    ordered = np.sort(probability[own])[::-1]
    selected = np.arange(1, len(ordered) + 1)
    complete = np.flatnonzero(_lower_limits(selected, np.array(len(ordered))) >= completeness)
    return float(ordered[complete[0]]) if len(complete) else np.nan


def _lower_limits(hits: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return one-sided lower confidence limits of fractions, at `CONFIDENCE`."""
    limits = betaincinv(np.maximum(hits, 1), n - hits + 1, 1 - CONFIDENCE)
    return np.where(hits > 0, limits, 0.0)
