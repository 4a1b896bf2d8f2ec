"""True classes as numbers, and the log-loss of each object."""

from __future__ import annotations

import numpy as np

from sdssflow.acquire.schema import CLASSES

TINY = np.finfo(np.float64).eps  # smallest probability in a log-loss


def class_codes(classes: np.ndarray) -> np.ndarray:
    """Return the index of each class in `CLASSES`; ValueError for another class."""
    classes = np.asarray(classes, dtype=str)
    codes = np.full(len(classes), -1)
    for code, name in enumerate(CLASSES):
        codes[classes == name] = code
    if (codes < 0).any():
        unknown = str(classes[codes < 0][0])
        raise ValueError(f"unknown class {unknown!r}; known: {', '.join(CLASSES)}")
    return codes


def log_losses(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the (n,) log-losses of (n, c) probabilities and (n,) class codes."""
    return -np.log(np.clip(probability[np.arange(len(truth)), truth], TINY, 1))
