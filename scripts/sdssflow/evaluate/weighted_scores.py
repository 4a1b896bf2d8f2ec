"""Scores of p(z) on weighted objects: what reweighting foresees, beside what the target shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate.bootstrap import draw_counts, interval
from sdssflow.evaluate.covariate_shift import effective_number
from sdssflow.evaluate.pdf_metrics import pit_distances
from sdssflow.evaluate.redshift_metrics import MAD_TO_SIGMA, normalised_residual
from sdssflow.evaluate.score_tables import Metric

Columns = Mapping[str, np.ndarray]
TABLE_COLUMNS = [
    "model", "seed", "metric", "convention", "unweighted", "weighted", "lower", "upper",
    "on_target", "n", "effective_n", "auc",
]  # fmt: skip


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the median of weighted values; `numpy.median` if all weigh the same.

    >>> weighted_median(np.array([1.0, 2.0, 3.0, 10.0]), np.ones(4))
    2.5
    >>> weighted_median(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]))
    2.0
    """
    used = weights > 0
    values, weights = values[used], weights[used]
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    middles = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(weights.sum() / 2, middles, values[order]))


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(values @ weights / weights.sum())


def _residual(columns: Columns) -> np.ndarray:
    return normalised_residual(columns["zspec"], columns["zphot"])


def _sigma_nmad(columns: Columns, weights: np.ndarray) -> float:
    residual = _residual(columns)
    deviation = np.abs(residual - weighted_median(residual, weights))
    return MAD_TO_SIGMA * weighted_median(deviation, weights)


def _within(columns: Columns, kind: str) -> np.ndarray:
    low, high = columns[f"{kind}_low_95"], columns[f"{kind}_high_95"]
    return ((low <= columns["zspec"]) & (columns["zspec"] <= high)).astype(np.float64)


STATISTICS: dict[Metric, Callable[[Columns, np.ndarray], float]] = {
    Metric("sigma_nmad", "median subtracted"): _sigma_nmad,
    Metric("rms", "normalised"): lambda c, w: np.sqrt(_mean(_residual(c) ** 2, w)),
    Metric("bias", "mean"): lambda c, w: _mean(_residual(c), w),
    Metric("outlier_0.05", "pasquet2019"): lambda c, w: _mean(
        (np.abs(_residual(c)) > 0.05).astype(np.float64), w
    ),
    Metric("crps", "mean"): lambda c, w: _mean(c["crps"], w),
    Metric("pit_ks", "to the uniform"): lambda c, w: float(pit_distances(c["pit"], w[None])[0, 0]),
    Metric("coverage_95", "central interval"): lambda c, w: _mean(_within(c, "z"), w),
    Metric("conformal_95", "conformal interval"): lambda c, w: _mean(_within(c, "conformal"), w),
}
NEEDED = (
    "zspec", "zphot", "crps", "pit", "z_low_95", "z_high_95", "conformal_low_95",
    "conformal_high_95",
)  # fmt: skip


def shift_scores(
    columns: Columns,
    weights: np.ndarray,
    group: np.ndarray,
    target: Columns,
    auc: float,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Score one model and seed on the calibration part, unweighted and weighted, and on the target.

    Parameters
    ----------
    columns : mapping of str to (n,) array
        `NEEDED`, of the calibration part, n > 0.
    weights : (n,) float64 array
        `covariate_shift.density_ratios` of its objects.
    group : (n,) array of str
        What the bootstrap draws.
    target : mapping of str to (t,) array
        `NEEDED`, of the target.
    auc : float
        How well features tell the target from objects with spectra.
    bootstrap : Bootstrap
        Replicates and level of the intervals of the weighted values. They vary the objects of the
        calibration part; the weights of an object stay.

    Returns
    -------
    pandas.DataFrame
        `metric, convention, unweighted, weighted, lower, upper, on_target, n, effective_n, auc`.
        Weighted values are NaN where no target object is near any calibration object.
    """
    counts = draw_counts(group, bootstrap)
    on_target = {name: np.asarray(target[name], dtype=np.float64) for name in NEEDED}
    ones, target_ones = np.ones(len(weights)), np.ones(len(target["zspec"]))
    drawn = [weights * count for count in counts]
    rows = []
    for metric, statistic in STATISTICS.items():
        value, *replicates = (
            statistic(columns, w) if w.any() else np.nan for w in (weights, *drawn)
        )
        lower, upper = interval(np.array(replicates), bootstrap.level)
        rows.append(
            {
                "metric": metric.metric,
                "convention": metric.convention,
                "unweighted": statistic(columns, ones),
                "weighted": value,
                "lower": lower,
                "upper": upper,
                "on_target": statistic(on_target, target_ones),
                "n": len(weights),
                "effective_n": effective_number(weights),
                "auc": auc,
            }
        )
    return pd.DataFrame(rows)
