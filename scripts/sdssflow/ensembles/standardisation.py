"""Mean and scale of features: what every model standardises by, whatever it is built with."""

from __future__ import annotations

import numpy as np

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
