"""Redshift scores as single papers define them, for comparison with their numbers alone.

`redshift_metrics` are the scores of every run. A run has those of a paper besides if
`redshift_scores.conventions` names it. With dz = zphot - zspec and d = dz / (1 + zspec):

==========================  =====================  ================================================
metric                      convention             formula, and what the paper calls it
==========================  =====================  ================================================
``mae``                     astroml                mean |dz|; printed as "rms" by the scripts behind
                                                   the figures of the textbook, where the root is
                                                   taken of each square
``within_0.1`` (0.2, 0.3)   ball2007               fraction |dz| < 0.1 (0.2, 0.3), of quasars
                                                   (arXiv:astro-ph/0612471)
``sigma_dz``                brescia2014            standard deviation of dz: their sigma without
                                                   "norm" (A&A 568, A126, table 2)
``nmad_dz``                 brescia2014            1.4826 median |dz - median dz|: NMAD without
                                                   "norm". Whether they subtract the median is not
                                                   known to us; their bias is a 600th of it
``outlier_2sigma``          brescia2014            fraction |d| > 2 standard deviations of d
``median_ae``               data_driven_astronomy  median |dz|: ``median_diff`` of the course
                                                   Data-driven Astronomy
``mae``                     henghes2021            mean |dz|: their MAE (arXiv:2104.01875)
``mae_normalised``          henghes2021            mean |d|: their "bias". Inferred: of all formulas
                                                   of that name, it alone can be as large as their
                                                   0.040 where the MAE is 0.051
``nmad_about_zero``         henghes2021            1.4826 median |d|: their "precision". Inferred
                                                   from its size alone
``bias_dz``                 oyaizu2008             mean dz: their zbias (arXiv:0708.0030)
``sigma68_dz``              oyaizu2008             the |dz| that 68 % of the objects do not exceed
``sigma95_dz``              oyaizu2008             the same of 95 %
``sigma_iqr``               rail                   interquartile range of d over 1.349
``outlier_iqr``             rail                   fraction |d| > max(0.06, 3 ``sigma_iqr``)
``median_ae_normalised``    sheep2022              median |d|: "bias" in the code of SHEEP (Cunha &
                                                   Humphrey 2022, doi:10.1051/0004-6361/202243135)
``nmad_about_zero``         sheep2022              1.48 median |d|: their "nmad", thus 1.48 times
                                                   their "bias"
``within_normalised_0.1``   yang2017               fraction |d| < 0.1, of quasars (arXiv:1710.09155)
==========================  =====================  ================================================

All functions take float64 arrays without missing values and return a float.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdssflow.evaluate.redshift_metrics import (
    MAD_TO_SIGMA,
    Statistic,
    outlier_fraction,
    sigma_nmad,
)
from sdssflow.evaluate.score_tables import Metric

IQR_TO_SIGMA = 1 / 1.349  # the interquartile range of the unit Gaussian is 1.349
RAIL_LEAST_LIMIT = 0.06
SHEEP_FACTOR = 1.48


def mean_size(residual: np.ndarray) -> float:
    """Return the mean absolute value.

    >>> mean_size(np.array([-0.1, 0.0, 0.2])).round(12)
    np.float64(0.1)
    """
    return np.mean(np.abs(residual))


def median_size(residual: np.ndarray) -> float:
    """Return the median absolute value; no median is subtracted, so a bias adds to it.

    >>> median_size(np.array([0.1, 0.1, 0.1]))
    np.float64(0.1)
    """
    return np.median(np.abs(residual))


def reach(residual: np.ndarray, fraction: float) -> float:
    """Return the absolute value that a fraction of the objects do not exceed.

    Between objects it is interpolated linearly.

    >>> reach(np.array([0.0, -0.1, 0.2, -0.3, 0.4]), 0.5)
    np.float64(0.2)
    """
    return np.quantile(np.abs(residual), fraction)


def within(residual: np.ndarray, limit: float) -> float:
    """Return the fraction of objects with an absolute value below `limit`.

    >>> within(np.array([-0.2, 0.0, 0.05, 0.1]), 0.1)
    np.float64(0.5)
    """
    return np.mean(np.abs(residual) < limit)


def sigma_iqr(residual: np.ndarray) -> float:
    """Return the interquartile range as the standard deviation of a Gaussian.

    >>> sigma_iqr(np.array([0.0, 1.0, 2.0, 3.0, 4.0])).round(4)
    np.float64(1.4826)
    """
    low, high = np.quantile(residual, (0.25, 0.75))
    return (high - low) * IQR_TO_SIGMA


def outlier_iqr(residual: np.ndarray) -> float:
    """Return the fraction beyond 3 `sigma_iqr`, or beyond 0.06 where that is more.

    >>> outlier_iqr(np.array([-0.07, -0.01, 0.0, 0.01, 0.05]))
    np.float64(0.2)
    """
    return outlier_fraction(residual, max(RAIL_LEAST_LIMIT, 3 * sigma_iqr(residual)))


CONVENTIONS: dict[str, dict[str, Statistic]] = {
    "astroml": {"mae": lambda zspec, zphot, d: mean_size(zphot - zspec)},
    "ball2007": {
        "within_0.1": lambda zspec, zphot, d: within(zphot - zspec, 0.1),
        "within_0.2": lambda zspec, zphot, d: within(zphot - zspec, 0.2),
        "within_0.3": lambda zspec, zphot, d: within(zphot - zspec, 0.3),
    },
    "brescia2014": {
        "sigma_dz": lambda zspec, zphot, d: np.std(zphot - zspec),
        "nmad_dz": lambda zspec, zphot, d: sigma_nmad(zphot - zspec),
        "outlier_2sigma": lambda zspec, zphot, d: outlier_fraction(d, 2 * np.std(d)),
    },
    "data_driven_astronomy": {"median_ae": lambda zspec, zphot, d: median_size(zphot - zspec)},
    "henghes2021": {
        "mae": lambda zspec, zphot, d: mean_size(zphot - zspec),
        "mae_normalised": lambda zspec, zphot, d: mean_size(d),
        "nmad_about_zero": lambda zspec, zphot, d: MAD_TO_SIGMA * median_size(d),
    },
    "oyaizu2008": {
        "bias_dz": lambda zspec, zphot, d: np.mean(zphot - zspec),
        "sigma68_dz": lambda zspec, zphot, d: reach(zphot - zspec, 0.68),
        "sigma95_dz": lambda zspec, zphot, d: reach(zphot - zspec, 0.95),
    },
    "rail": {
        "sigma_iqr": lambda zspec, zphot, d: sigma_iqr(d),
        "outlier_iqr": lambda zspec, zphot, d: outlier_iqr(d),
    },
    "sheep2022": {
        "median_ae_normalised": lambda zspec, zphot, d: median_size(d),
        "nmad_about_zero": lambda zspec, zphot, d: SHEEP_FACTOR * median_size(d),
    },
    "yang2017": {"within_normalised_0.1": lambda zspec, zphot, d: within(d, 0.1)},
}


def convention_metrics(conventions: Sequence[str]) -> dict[Metric, Statistic]:
    """Return the metrics of some papers, with the functions that compute them.

    Parameters
    ----------
    conventions : sequence of str
        `redshift_scores.conventions`: keys of `CONVENTIONS`.

    Returns
    -------
    dict of Metric to callable
        As `redshift_metrics.redshift_metrics` returns them.
    """
    return {
        Metric(name, convention): statistic
        for convention in conventions
        for name, statistic in CONVENTIONS[convention].items()
    }
