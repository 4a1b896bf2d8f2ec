"""From probabilities to decisions: sets of classes, and thresholds for a stated purity.

All are learnt from objects of the calibration part that neither the classifier nor its calibration
has seen (`calibration.choose`).

A class belongs to the set of an object if its probability is at least the threshold of that class,
which all but one in ten of the calibration objects of the class reach: class-conditional conformal
sets of least ambiguous classes (Sadinle, Lei & Wasserman 2019, JASA 114, 223). So the set holds the
true class with a probability of 0.9, for the objects of each class by themselves, whatever the mix
of classes, as long as the objects of a class are like those of the sample. A set may be empty: the
object is then unlike nine in ten objects of every class, mostly one between two classes. To put its
most probable class into it would cover more than was stated.

The code is ours because what a bundle needs of it is one number per class; MAPIE and crepes keep
the calibration scores in objects of their own and, per class, compute the same quantile.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from sdssflow.acquire.schema import CLASSES

CLASS_SET_LEVEL = 0.9
CLASS_SET = f"class_set_{CLASS_SET_LEVEL * 100:.0f}"
SETS = ["|".join(c for k, c in enumerate(CLASSES) if code >> k & 1) or "none" for code in range(8)]
CONFIDENCE = 0.9  # that a threshold keeps what it was chosen for


def class_set_thresholds(
    probability: np.ndarray, truth: np.ndarray, level: float = CLASS_SET_LEVEL
) -> np.ndarray:
    """Return the smallest probability with which each class is in the set.

    Parameters
    ----------
    probability : (n, 3) float64 array
        Of calibration objects, in the order of `CLASSES`.
    truth : (n,) int array
        Places of their true classes in `CLASSES`.
    level : float
        Wanted coverage of each class.

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
        # of n + 1 exchangeable objects, this many may fall short
        short = int((len(own) + 1) * (1 - level) * (1 + 1e-12))
        if short:
            thresholds[code] = own[short - 1]
    return thresholds


def set_codes(probability: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return (n,) uint8 codes of sets, places in `SETS`, of (n, 3) probabilities."""
    return ((probability >= thresholds) @ (1 << np.arange(len(CLASSES)))).astype(np.uint8)


def members(codes: np.ndarray) -> np.ndarray:
    """Return (n, 3) bool: which classes are in sets of these codes."""
    return (codes[:, None] >> np.arange(len(CLASSES)) & 1).astype(bool)


def purity_threshold(probability: np.ndarray, own: np.ndarray, purity: float) -> float:
    """Return the lowest threshold that keeps a purity.

    The objects of the calibration part that reach it are of the class often enough for the lower
    end of the one-sided binomial interval of their fraction (Clopper & Pearson 1934), at
    `CONFIDENCE`, to be the wanted purity.

    Parameters
    ----------
    probability : (n,) float64 array
        Of one class.
    own : (n,) bool array
        Whether an object is of that class.
    purity : float
        Wanted fraction.

    Returns
    -------
    float
        NaN if no threshold keeps it.
    """
    order = np.argsort(-probability, kind="stable")
    ordered, right = probability[order], np.cumsum(own[order])
    chosen = np.arange(1, len(order) + 1)
    least = _least(right, chosen)
    last_of_ties = np.append(ordered[1:] < ordered[:-1], True)[: len(order)]
    able = np.flatnonzero((least >= purity) & last_of_ties)
    return float(ordered[able[-1]]) if len(able) else np.nan


def completeness_threshold(probability: np.ndarray, own: np.ndarray, completeness: float) -> float:
    """Return the highest threshold that keeps a completeness, at `CONFIDENCE`; else NaN.

    Parameters are those of `purity_threshold`.
    """
    ordered = np.sort(probability[own])[::-1]
    reached = np.arange(1, len(ordered) + 1)
    least = _least(reached, np.array(len(ordered)))
    able = np.flatnonzero(least >= completeness)
    return float(ordered[able[0]]) if len(able) else np.nan


def _least(hits: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the lower end of the interval of a fraction, one-sided at `CONFIDENCE`."""
    found = betaincinv(np.maximum(hits, 1), n - hits + 1, 1 - CONFIDENCE)
    return np.where(hits > 0, found, 0.0)
