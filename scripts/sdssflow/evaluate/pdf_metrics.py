"""Every metric of redshift densities p(z) in one named convention, from what is known per object.

`sdssflow.redshift_pdf.scores` gives for each object its probability integral transform (PIT, the
chance that p(z) leaves below zspec), CRPS, CDE term and log density; `summaries` its intervals and
point estimates. With n objects and F the cumulative distribution of their PIT, which is uniform if
each p(z) is right:

=================  ============================  =================================================
metric             convention                    formula and source
=================  ============================  =================================================
``pit_ks``         to the uniform                max |F(u) - u| (Kolmogorov-Smirnov)
``pit_cvm``        per object                    integral of (F(u) - u)^2 du: the Cramer-von Mises
                                                 statistic, scipy's and RAIL's, divided by n
``pit_ad``         A^2, PIT within 0.0001        n times the integral of (F(u) - u)^2 / (u (1 - u))
                   of 0 and 1 set there          du (Anderson & Darling 1952). RAIL's PITAD is
                                                 another number: it compares two samples, the PIT
                                                 and an even grid, by scipy's anderson_ksamp
``pit_outliers``   below 0.0001 or above 0.9999  fraction of objects (RAIL; arXiv:2001.03621)
``crps``           mean                          mean of the integral of (cdf(z) - [z > zspec])^2
                                                 dz, in redshift (Gneiting & Raftery 2007)
``cde_loss``       izbicki2017                   mean of the integral of p^2 dz, less twice mean
                                                 p(zspec) (arXiv:1704.08095)
``log_likelihood`` natural logarithm, each       mean ln p(zspec); one object with p(zspec) = 0
                   at least -36.04               would make it minus infinity
``coverage_L``     central interval              fraction of zspec within the central L % of p(z)
``conformal_L``    conformal interval            fraction of zspec within the conformal interval
``sharpness_L``    half width / (1 + zphot)      mean of (high - low) / 2 / (1 + zphot)
``conformal_``     half width / (1 + zphot)      the same of the conformal interval
``sharpness_95``
=================  ============================  =================================================

and ``bias``, ``rms``, ``sigma_nmad``, ``outlier_0.05`` and ``outlier_0.15`` of each summary of
p(z), as `redshift_metrics` defines them, with the conventions ``of the mean``, ``of the median``
and ``of the mode``.

Distances of F from the uniform are never negative, and resampling adds noise to F: in small samples
their bootstrap interval may lie above their value.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdssflow.evaluate.redshift_metrics import normalised_residual
from sdssflow.evaluate.score_tables import Metric
from sdssflow.evaluate.weighted_sums import BLOCK

LEVELS = (68, 95)
POINTS = ("mean", "median", "mode")
PIT_EDGE = 1e-4  # PIT nearer to 0 or 1 are outliers, and set here for the Anderson-Darling integral
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))
COLUMNS = (
    "zspec",
    "zphot",
    *(f"zphot_{point}" for point in POINTS),
    "pit",
    "crps",
    "cde",
    "log_density",
    *(
        f"{kind}_{end}_{level}"
        for kind in ("z", "conformal")
        for level in LEVELS
        for end in ("low", "high")
    ),
)

_WIDTH = "half width / (1 + zphot)"
_DISTANCES = (
    Metric("pit_ks", "to the uniform"),
    Metric("pit_cvm", "per object"),
    Metric("pit_ad", f"A^2, PIT within {PIT_EDGE:g} of 0 and 1 set there"),
)
_MEANS = (
    Metric("pit_outliers", f"below {PIT_EDGE:g} or above {1 - PIT_EDGE:g}"),
    Metric("crps", "mean"),
    Metric("cde_loss", "izbicki2017"),
    Metric("log_likelihood", f"natural logarithm, each at least {LOG_FLOOR:.2f}"),
    *(Metric(f"coverage_{level}", "central interval") for level in LEVELS),
    *(Metric(f"conformal_{level}", "conformal interval") for level in LEVELS),
    *(Metric(f"sharpness_{level}", _WIDTH) for level in LEVELS),
    Metric("conformal_sharpness_95", _WIDTH),
)
_POINT_MEANS = ("bias", "rms", "outlier_0.05", "outlier_0.15")
METRICS = (
    *_DISTANCES,
    *_MEANS,
    *(Metric(name, f"of the {point}") for point in POINTS for name in _POINT_MEANS),
    *(Metric("sigma_nmad", f"of the {point}") for point in POINTS),
)
TERMS = len(_MEANS) + len(_POINT_MEANS) * len(POINTS)


def point_residuals(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (n, 3) normalised residuals of mean, median and mode."""
    return np.column_stack(
        [normalised_residual(columns["zspec"], columns[f"zphot_{point}"]) for point in POINTS]
    )


def mean_terms(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what each object adds to the metrics that are means.

    Parameters
    ----------
    columns : mapping of str to (n,) float64 array
        `COLUMNS`, finite but for `log_density`, which may be minus infinity, and the conformal
        intervals, which are NaN where there were no calibration objects.

    Returns
    -------
    (n, TERMS) float64 array
        Those of `metric_values`.
    """
    pit, zspec, scale = columns["pit"], columns["zspec"], 2 * (1 + columns["zphot"])
    ends = {
        (kind, level): (columns[f"{kind}_low_{level}"], columns[f"{kind}_high_{level}"])
        for kind in ("z", "conformal")
        for level in LEVELS
    }
    terms = [
        (pit < PIT_EDGE) | (pit > 1 - PIT_EDGE),
        columns["crps"],
        columns["cde"],
        np.maximum(columns["log_density"], LOG_FLOOR),
        # without calibration objects there is no conformal interval: undefined, not missed
        *(
            np.where(np.isnan(low + high), np.nan, (low <= zspec) & (zspec <= high))
            for low, high in ends.values()
        ),
        *((ends["z", level][1] - ends["z", level][0]) / scale for level in LEVELS),
        (ends["conformal", 95][1] - ends["conformal", 95][0]) / scale,
    ]
    for residual in point_residuals(columns).T:
        size = np.abs(residual)
        terms += [residual, residual**2, size > 0.05, size > 0.15]
    return np.column_stack(terms).astype(np.float64)


def metric_values(distances: np.ndarray, means: np.ndarray, scatters: np.ndarray) -> np.ndarray:
    """Put together the values of `METRICS`.

    Parameters
    ----------
    distances : (m, 3) array
        From `pit_distances`, for m weightings of the objects.
    means : (m, TERMS) array
        Weighted means of `mean_terms`.
    scatters : (m, 3) array
        sigma_nmad of the point summaries.

    Returns
    -------
    (m, len(METRICS)) float64 array
    """
    values = np.hstack([distances, means, scatters])
    for place, metric in enumerate(METRICS):
        if metric.metric == "rms":
            values[:, place] = np.sqrt(values[:, place])
    return values


def pit_distances(pit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measure how far PIT values are from uniform, for several weightings at once.

    Parameters
    ----------
    pit : (n,) float64 array
        PIT values from 0 to 1.
    weights : (m, n) array
        How often each object counts.

    Returns
    -------
    (m, 3) float64 array
        `pit_ks`, `pit_cvm` and `pit_ad`; NaN where all weights are 0.

    Examples
    --------
    >>> pit_distances(np.array([0.1, 0.5]), np.array([[1, 1], [2, 0]]))[:, 0]
    array([0.5, 0.9])
    """
    order = np.argsort(pit, kind="stable")
    ranked = np.asarray(pit, dtype=np.float64)[order]
    step = max(1, BLOCK // max(1, len(ranked)))
    found = [np.empty((0, len(_DISTANCES)))]
    for start in range(0, len(weights), step):
        block = weights[start : start + step][:, order].astype(np.float64)
        found.append(_distances(ranked, block))
    return np.concatenate(found)


def _distances(ranked: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the distances of sorted PIT values; `weights` (m, n) in their order."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        after = np.cumsum(weights, axis=1) / total[:, None]
    before = np.hstack([np.zeros((len(after), 1)), after[:, :-1]])
    # F jumps at each PIT from `before` to `after`; where the weight is 0, nothing jumps
    largest = np.maximum(after - ranked, ranked - before).max(axis=1, initial=0)
    ends = np.append(ranked, 1.0)
    steps = np.hstack([np.zeros((len(after), 1)), after])
    cubes = (steps - np.append(0.0, ranked)) ** 3 - (steps - ends) ** 3
    inner = np.clip(ranked, PIT_EDGE, 1 - PIT_EDGE)
    # the integral between two PIT values in closed form, gathered by PIT value
    tails = (before**2 - after**2) @ np.log(inner)
    tails += ((1 - after) ** 2 - (1 - before) ** 2) @ np.log1p(-inner)
    found = np.column_stack([largest, cubes.sum(axis=1) / 3, total * (tails - 1)])
    found[total == 0] = np.nan
    return found
