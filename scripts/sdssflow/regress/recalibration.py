"""Recalibration of p(z): one factor for all widths, fitted on objects that no training used.

The probability integral transform (PIT) of an object is the cdf of its p(z) at zspec. If p(z) is
calibrated, PIT are uniform between 0 and 1, and central intervals have their nominal coverage.

Why a width and not a free map of PIT: a map is made from the n PIT of the calibration part, whose
distribution is itself known only to a Kolmogorov-Smirnov distance of 0.87/sqrt(n) (the mean of
Kolmogorov's distribution), 0.04 for 500 objects. With a width alone, fitted on 492 objects, the PIT
of 5000 test galaxies of the embedded Main Galaxy Sample were 0.026 (local_linear) and 0.029
(random_forest) from uniform: a map would mostly have fitted noise. One number is known better.

The fitted factor minimises the difference between actual and nominal coverage of central intervals
over all levels (Cramer-von Mises distance of abs(2 PIT - 1) from uniform).
``benchmarks/measure_recalibration.py`` compared it, on Gaussians that are too narrow by 1.25, with
the best mean log density, CRPS and Cramer-von Mises distance of PIT. Mean and scatter of the
factor in 400 draws of 250 objects:

================  ================  ================  ===============================
criterion         no outliers       2 % outliers      2 %, and a bias of 0.2 widths
================  ================  ================  ===============================
log density       1.245 ± 0.055     3.075 ± 1.108     3.086 ± 1.103
CRPS              1.244 ± 0.068     1.294 ± 0.069     1.321 ± 0.070
PIT               1.251 ± 0.072     1.291 ± 0.073     1.375 ± 0.092
central coverage  1.243 ± 0.070     1.284 ± 0.072     1.312 ± 0.073
================  ================  ================  ===============================

The factor is then shrunk towards 1 according to its error (`shrunk_width`).

A few outliers make the log density useless. Of the others, central coverage is least affected by
outliers and bias, at a scatter within 4 % of the CRPS's, and needs only the cdf: the CRPS of a
mixture takes all pairs of its components.
"""

from __future__ import annotations

import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.pit import pit_distances

BOUNDS = (0.5, 2.0)  # with a factor beyond these the model itself is wrong
FEWEST_OBJECTS = 50  # the scatter of the factor is 13 % there
SCATTER = 1.1  # of the factor, times sqrt(n): 0.070 for 250 objects in the table above
GRID = 15  # factors tried before the best is refined


def fit_width(pdf: Mixture, zspec: np.ndarray) -> float:
    """Return the factor for `Mixture.rescaled` that gives central intervals their coverage.

    Parameters
    ----------
    pdf : Mixture
        p(z) of n objects that no training used.
    zspec : (n,) float64 array
        Their redshifts.

    Returns
    -------
    float
        Between 0.5 and 2; 1 if there are fewer than 50 objects.
    """
    if len(pdf) < FEWEST_OBJECTS:
        return 1.0

    # imported here: it is not needed to apply a factor
    from scipy.optimize import minimize_scalar

    def distance(logarithm: float) -> float:
        return central_distance(pdf.rescaled(float(np.exp(logarithm))).cdf(zspec))

    low, high = np.log(BOUNDS)
    grid = np.linspace(low, high, GRID)
    best = int(np.argmin([distance(point) for point in grid]))
    nearby = (grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)])
    refined = minimize_scalar(distance, bounds=nearby, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(refined.x))


def shrunk_width(factor: float, n: int) -> float:
    """Return a factor shrunk towards 1 according to its error.

    p(z) of an ensemble with early stopping is nearly calibrated, and a factor fitted to some
    hundred objects is then mostly scatter. The positive-part James-Stein estimator multiplies its
    distance from 1 by 1 - error^2 / distance^2, and returns 1 within the error.

    Parameters
    ----------
    factor : float
        From `fit_width`.
    n : int
        Number of objects it was fitted to.

    Examples
    --------
    >>> shrunk_width(1.04, 500), round(float(shrunk_width(1.5, 500)), 2)
    (1.0, 1.49)
    """
    distance, error = factor - 1, SCATTER * factor / np.sqrt(max(n, 1))
    if abs(distance) <= error:
        return 1.0
    return 1 + distance * (1 - (error / distance) ** 2)


def central_distance(pit: np.ndarray) -> float:
    """Return the mean squared difference of coverage and level, over all central intervals.

    The central interval of level t contains zspec if abs(2 PIT - 1) <= t.

    Parameters
    ----------
    pit : (n,) array
        Between 0 and 1, n > 0.

    Examples
    --------
    >>> round(central_distance(np.array([0.5, 0.5])), 12)  # all at the median: p(z) too wide
    0.333333333333
    >>> calibrated = (np.arange(1000) + 0.5) / 1000
    >>> central_distance(calibrated) < 1e-6
    True
    """
    levels = np.abs(2 * np.asarray(pit) - 1)
    return float(pit_distances(levels, np.ones((1, len(levels))))[0, 1])
