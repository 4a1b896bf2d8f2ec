"""Every redshift metric in one named convention: papers use one name for several formulas.

With n objects, dz = zphot - zspec and d = dz / (1 + zspec), the normalised residual:

==================  =================  ===========================================================
metric              convention         formula and source
==================  =================  ===========================================================
``mse``             standard           mean dz^2
``rmse``            standard           square root of ``mse``
``r2``              standard           1 - sum dz^2 / sum (zspec - mean zspec)^2
``mape``            eps=E              mean |dz| / max(E, |zspec|); a fraction, not per cent, as
                                       scikit-learn's, whose E is 2.2e-16. With zspec near 0 it
                                       says how near: never rank models by it.
``mape_floored``    |zspec|<E          number of objects whose denominator in ``mape`` is E
``zspec_min``       standard           smallest zspec, which decides what ``mape`` is like
``bias``            mean               mean d (Beck et al. 2016; Pasquet et al. 2019)
``bias_median``     median             median d (RAIL's point bias)
``rms``             normalised         square root of mean d^2: ``sigma`` and ``bias`` in one
``sigma``           std                standard deviation of d about its mean
``sigma_nmad``      median subtracted  1.4826 median |d - median d|; some papers leave the inner
                                       median out, and get more where there is a bias
``sigma68``         percentiles        half the distance from the 16th to the 84th percentile of d
``outlier_0.05``    pasquet2019        fraction |d| > 0.05 (arXiv:1806.06607, for z < 0.4)
``outlier_0.15``    common             fraction |d| > 0.15
``sigma_clipped``   beck2016           standard deviation of d without its 3 sigma outliers
                                       (arXiv:1603.09708)
``outlier_3sigma``  beck2016           fraction |d| > 3 ``sigma_clipped``
==================  =================  ===========================================================

These are the scores of every run. Those of single papers, for comparison with their numbers:
`redshift_conventions`.

Beck et al. give sigma and the fraction beyond 3 sigma as a pair. We take sigma to be without the
outliers, and cut again with the new sigma until nothing changes; the text doesn't say how often
they did.

All functions take float64 arrays without missing values and return a float.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.score_tables import Metric

# 1 / the 75th percentile of the unit Gaussian: makes the MAD of a Gaussian its standard deviation
MAD_TO_SIGMA = 1.4826
Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def normalised_residual(zspec: np.ndarray, zphot: np.ndarray) -> np.ndarray:
    """Return (n,) d = (zphot - zspec) / (1 + zspec).

    >>> normalised_residual(np.array([0.0, 1.0]), np.array([0.1, 0.8])).round(12)
    array([ 0.1, -0.1])
    """
    return (zphot - zspec) / (1 + zspec)


def mse(zspec: np.ndarray, zphot: np.ndarray) -> float:
    """Return the mean squared error.

    >>> mse(np.array([0.1, 0.2]), np.array([0.1, 0.4])).round(12)
    np.float64(0.02)
    """
    return np.mean((zphot - zspec) ** 2)


def r2(zspec: np.ndarray, zphot: np.ndarray) -> float:
    """Return the coefficient of determination; NaN if all zspec are equal.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    np.float64(0.5)
    """
    if np.ptp(zspec) == 0:
        return np.nan
    return 1 - np.sum((zphot - zspec) ** 2) / np.sum((zspec - zspec.mean()) ** 2)


def mape(zspec: np.ndarray, zphot: np.ndarray, epsilon: float) -> float:
    """Return the mean absolute percentage error, as a fraction.

    >>> mape(np.array([0.0, 0.2]), np.array([0.001, 0.3]), epsilon=0.001).round(12)
    np.float64(0.75)
    """
    return np.mean(np.abs(zphot - zspec) / np.maximum(epsilon, np.abs(zspec)))


def sigma_nmad(residual: np.ndarray) -> float:
    """Return the normalised median absolute deviation about the median.

    >>> sigma_nmad(np.array([-0.02, 0.0, 0.01, 0.03, 0.9])).round(12)
    np.float64(0.029652)
    """
    return MAD_TO_SIGMA * np.median(np.abs(residual - np.median(residual)))


def sigma68(residual: np.ndarray) -> float:
    """Return half the distance from the 16th to the 84th percentile (linear interpolation).

    >>> sigma68(np.linspace(0, 1, 101)).round(12)
    np.float64(0.34)
    """
    low, high = np.quantile(residual, (0.16, 0.84))
    return (high - low) / 2


def outlier_fraction(residual: np.ndarray, limit: float) -> float:
    """Return the fraction of objects with |d| beyond `limit`.

    >>> outlier_fraction(np.array([-0.2, 0.0, 0.05, 0.1]), 0.05)
    np.float64(0.5)
    """
    return np.mean(np.abs(residual) > limit)


def sigma_clipped(residual: np.ndarray) -> float:
    """Return the standard deviation without 3 sigma outliers (Beck et al. 2016), cut until stable.

    >>> core = np.tile([-0.01, 0.01], 50)
    >>> sigma_clipped(np.append(core, 5.0)).round(12)
    np.float64(0.01)
    """
    size = np.abs(residual)
    kept = np.ones(len(residual), dtype=bool)
    while True:
        sigma = np.std(residual[kept])
        # an object once cut stays cut, so this ends
        still = kept & (size <= 3 * sigma)
        if still.sum() in (kept.sum(), 0):
            return sigma
        kept = still


def redshift_metrics(settings: RedshiftScores) -> dict[Metric, Statistic]:
    """Return every metric with its convention and the function that computes it.

    Parameters
    ----------
    settings : RedshiftScores
        Epsilon of the mean absolute percentage error.

    Returns
    -------
    dict of Metric to callable
        Each function takes zspec, zphot and the normalised residual, (n,) float64 each, n > 0.
    """
    epsilon = settings.mape_epsilon
    return {
        Metric("mse", "standard"): lambda zspec, zphot, d: mse(zspec, zphot),
        Metric("rmse", "standard"): lambda zspec, zphot, d: np.sqrt(mse(zspec, zphot)),
        Metric("r2", "standard"): lambda zspec, zphot, d: r2(zspec, zphot),
        Metric("mape", f"eps={epsilon:g}"): lambda zspec, zphot, d: mape(zspec, zphot, epsilon),
        Metric("mape_floored", f"|zspec|<{epsilon:g}"): lambda zspec, zphot, d: np.sum(
            np.abs(zspec) < epsilon
        ),
        Metric("zspec_min", "standard"): lambda zspec, zphot, d: zspec.min(),
        Metric("bias", "mean"): lambda zspec, zphot, d: np.mean(d),
        Metric("bias_median", "median"): lambda zspec, zphot, d: np.median(d),
        Metric("rms", "normalised"): lambda zspec, zphot, d: np.sqrt(np.mean(d**2)),
        Metric("sigma", "std"): lambda zspec, zphot, d: np.std(d),
        Metric("sigma_nmad", "median subtracted"): lambda zspec, zphot, d: sigma_nmad(d),
        Metric("sigma68", "percentiles"): lambda zspec, zphot, d: sigma68(d),
        Metric("outlier_0.05", "pasquet2019"): lambda zspec, zphot, d: outlier_fraction(d, 0.05),
        Metric("outlier_0.15", "common"): lambda zspec, zphot, d: outlier_fraction(d, 0.15),
        Metric("sigma_clipped", "beck2016"): lambda zspec, zphot, d: sigma_clipped(d),
        Metric("outlier_3sigma", "beck2016"): lambda zspec, zphot, d: outlier_fraction(
            d, 3 * sigma_clipped(d)
        ),
    }
