"""True classes as numbers, and what each object adds to the log-loss."""

from __future__ import annotations

import numpy as np

from sdssflow.acquire.schema import CLASSES

TINY = np.finfo(np.float64).eps  # smallest probability in a log-loss


def class_codes(classes: np.ndarray) -> np.ndarray:
    """Return the place of each class in `CLASSES`; ValueError if one is none of them."""
    classes = np.asarray(classes, dtype=str)
    codes = np.full(len(classes), -1)
    for code, name in enumerate(CLASSES):
        codes[classes == name] = code
    if (codes < 0).any():
        unknown = str(classes[codes < 0][0])
        raise ValueError(f"unknown class {unknown!r}; known: {', '.join(CLASSES)}")
    return codes


def log_losses(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return what each object adds to the log-loss, of (n, c) probabilities and class codes."""
    return -np.log(np.clip(probability[np.arange(len(truth)), truth], TINY, 1))
