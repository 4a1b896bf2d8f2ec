"""Redshift scores as defined in individual papers, only for comparison with their numbers.

Every run computes the scores of `redshift_metrics`, and those of the papers named, by convention,
in `redshift_scores.conventions`. Scores in bins, differences between models and rankings use only
the former.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from sdssflow.evaluate.metrics import Metric, Source
from sdssflow.evaluate.redshift_metrics import (
    MAD_TO_SIGMA,
    Residuals,
    outlier_fraction,
    sigma68,
    sigma_nmad,
)

IQR_TO_SIGMA = 1 / 1.349  # the interquartile range of the unit Gaussian is 1.349
RAIL_LEAST_LIMIT = 0.06
SHEEP_FACTOR = 1.48
BALL = Source("Ball et al. 2007", "https://arxiv.org/abs/astro-ph/0612471")
BRESCIA = Source("Brescia et al. 2014", "https://doi.org/10.1051/0004-6361/201424383")
HENGHES = Source("Henghes et al. 2021", "https://arxiv.org/abs/2104.01875")
MLZ = Source("MLZ 1.2 (Carrasco Kind & Brunner 2013)", "https://pypi.org/project/MLZ/1.2/")
OYAIZU = Source("Oyaizu et al. 2008", "https://arxiv.org/abs/0708.0030")
SHEEP = Source("Cunha & Humphrey 2022", "https://doi.org/10.1051/0004-6361/202243135")
YANG = Source("Yang et al. 2017", "https://arxiv.org/abs/1710.09155")


def _is_within(limit: float, r: Residuals) -> np.ndarray:
    return np.abs(r.dz) < limit


def _quantile(level: float, r: Residuals) -> np.floating:
    return np.quantile(np.abs(r.dz), level / 100)


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


# `term` and `value` take `redshift_metrics.Residuals`
# fmt: off
METRICS = (
    Metric("mae", "astroml", "MAE", "low", "mean |zphot − zspec|",
        "Mean absolute error; the scripts behind astroML's figures print it as rms.",
        term=lambda r: np.abs(r.dz), unit="z", unlike="`rmse`",
        called='"rms" in the scripts behind the figures of the textbook, which take the root of '
        "each square"),
    *(Metric(f"within_{limit}", "ball2007", f"|Δz| < {limit}", "high",
        f"fraction with |zphot − zspec| < {limit}", "For quasars.",
        term=partial(_is_within, limit), source=BALL, fraction=True,
        called=f"quasars within Δz < {limit}", unlike="`within_normalised_0.1`")
        for limit in (0.1, 0.2, 0.3)),
    Metric("sigma_dz", "brescia2014", "σ of Δz", "low", "standard deviation of zphot − zspec",
        "Scatter without the factor 1 + z.", value=lambda r: np.std(r.dz), unit="z",
        source=BRESCIA, called='σ without "norm" (table 2)', unlike="`sigma`, their σ norm"),
    Metric("nmad_dz", "brescia2014", "NMAD of Δz", "low",
        "1.4826 · median |Δz − median Δz|, Δz = zphot − zspec",
        "The same, robust against outliers.", value=lambda r: sigma_nmad(r.dz), unit="z",
        source=BRESCIA, unlike="`sigma_nmad`, their NMAD norm",
        called="NMAD; we don't know whether the median is subtracted, which makes no "
        "difference at their bias, 1/600 of it"),
    Metric("outlier_2sigma", "brescia2014", "outliers_2σ", "low", "fraction with |δ| > 2 σ",
        "Relative to the scatter: a better model can have more of them.",
        value=lambda r: outlier_fraction(r.d, 2 * np.std(r.d)), source=BRESCIA, fraction=True,
        called="outliers > 2σ", unlike="`outlier_3sigma`"),
    Metric("median_ae", "data_driven_astronomy", "median AE", "low", "median |zphot − zspec|",
        "Half of the objects have a larger error.", value=lambda r: np.median(np.abs(r.dz)),
        unit="z", called="`median_diff` of the course", unlike="`median_ae_normalised`"),
    Metric("mae", "henghes2021", "MAE", "low", "mean |zphot − zspec|", "Mean absolute error.",
        term=lambda r: np.abs(r.dz), unit="z", source=HENGHES, called="MAE"),
    Metric("mae_normalised", "henghes2021", "mean |δ|", "low", "mean |δ|",
        "Called bias there, as inferred from its size.", term=lambda r: np.abs(r.d),
        source=HENGHES, unlike="`bias`",
        called='"bias": **inferred**. Their 0.040 with an MAE of 0.051 leaves no other formula '
        "of that name"),
    Metric("nmad_about_zero", "henghes2021", "NMAD about 0", "low", "1.4826 · median |δ|",
        "σ_NMAD without the inner median: increased by a bias.",
        value=lambda r: MAD_TO_SIGMA * np.median(np.abs(r.d)), source=HENGHES,
        called='"precision": **inferred**, from its size alone', unlike="`sigma_nmad`"),
    Metric("median_dz", "mlz", "median Δz", "zero", "median (zphot − zspec)",
        "Bias, robust against outliers, without the factor 1 + z.",
        value=lambda r: np.median(r.dz), unit="z", source=MLZ,
        called="`median` (`utils_mlz.bias`)", unlike="`bias_median`, `bias_dz`"),
    Metric("sigma68_dz", "mlz", "σ_68 of Δz", "low",
        "(84th − 16th percentile of zphot − zspec) / 2",
        "Half the width of the central 68 %, without the factor 1 + z.",
        value=lambda r: sigma68(r.dz), unit="z", source=MLZ,
        called="`sigma68` (`utils_mlz.bias`)", unlike="`sigma68`, `sigma68_dz` about 0"),
    Metric("bias_dz", "oyaizu2008", "bias of Δz", "zero", "mean (zphot − zspec)",
        "Bias without the factor 1 + z.", term=lambda r: r.dz, unit="z", source=OYAIZU,
        called="zbias", unlike="`bias`"),
    *(Metric(f"sigma{level}_dz", "oyaizu2008", f"σ_{level} of Δz", "low",
        f"{level}th percentile of |zphot − zspec|", meaning,
        value=partial(_quantile, level), unit="z",
        source=OYAIZU, called=f"σ_{level}", unlike="`sigma68`")
        for level, meaning in ((68, "About 0, not about the median like our σ_68."),
                               (95, "The same for 95 %."))),
    Metric("sigma_iqr", "rail", "σ_IQR", "low", "(75th − 25th percentile of δ) / 1.349",
        "Scatter as defined in RAIL.", value=lambda r: sigma_iqr(r.d), called="σ_IQR"),
    Metric("outlier_iqr", "rail", "outliers_IQR", "low", "fraction with |δ| > max(0.06, 3 σ_IQR)",
        "Outliers as defined in RAIL.", value=lambda r: outlier_iqr(r.d), fraction=True,
        called="outlier rate", unlike="`outlier_3sigma`"),
    Metric("median_ae_normalised", "sheep2022", "median |δ|", "low", "median |δ|",
        "Called bias there; it includes the scatter.", value=lambda r: np.median(np.abs(r.d)),
        source=SHEEP, called='"bias"', unlike="`bias`, `bias_median`"),
    Metric("nmad_about_zero", "sheep2022", "NMAD about 0", "low", "1.48 · median |δ|",
        "1.48 times what they call bias.", value=lambda r: SHEEP_FACTOR * np.median(np.abs(r.d)),
        source=SHEEP, called='"nmad"', unlike="`sigma_nmad`"),
    Metric("within_normalised_0.1", "yang2017", "|δ| < 0.1", "high", "fraction with |δ| < 0.1",
        "For quasars.", term=lambda r: np.abs(r.d) < 0.1, source=YANG, fraction=True,
        unlike="`within_0.1`"),
)
# fmt: on


def of_conventions(conventions: Iterable[str]) -> tuple[Metric, ...]:
    """Return the metrics of some papers, in the order of `conventions`."""
    return tuple(m for name in conventions for m in METRICS if m.convention == name)
