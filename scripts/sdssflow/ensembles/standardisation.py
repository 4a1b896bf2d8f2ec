"""Mean and scale of features, shared by all models."""

from __future__ import annotations

import numpy as np

# Standardised features of flexible models are clipped here. Failed photometry has errors of many
# magnitudes: the square of such a feature outweighs all other objects, and a network extrapolates
# linearly.
FEATURE_BOUND = 5.0
CONSTANT = 1e-12  # spread relative to the largest value, below which a column is constant


def mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of `values` along the first axis.

    The scale of a constant column is 1: dividing by its rounding errors would make them a feature.
    Units do not matter: fluxes of 1e-16 are not constant.

    >>> mean_and_scale(np.array([[1.0, 0.1], [3.0, 0.1], [5.0, 0.1]]))
    (array([3. , 0.1]), array([1.63299316, 1.        ]))
    """
    mean, spread = values.mean(axis=0), values.std(axis=0)
    constant = spread <= CONSTANT * np.abs(values).max(axis=0, initial=0)
    return mean, np.where(constant, 1.0, spread)
