"""Glossary of the scores that single papers define (`evaluate.redshift_conventions`).

They stand in a table only if the run's `redshift_scores.conventions` names their paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdssflow.evaluate.redshift_conventions import convention_metrics
from sdssflow.report.metrics import Metric

_BRESCIA = ("Brescia et al. 2014", "https://doi.org/10.1051/0004-6361/201424383")
_HENGHES = ("Henghes et al. 2021", "https://arxiv.org/abs/2104.01875")
_OYAIZU = ("Oyaizu et al. 2008", "https://arxiv.org/abs/0708.0030")
_BALL = ("Ball et al. 2007", "https://arxiv.org/abs/astro-ph/0612471")

OF_PAPERS: dict[str, Metric] = {
    "mae": Metric(
        "MAE",
        "low",
        "mean |zphot − zspec|",
        "Mean absolute error; the scripts behind astroML's figures print it as rms.",
    ),
    "median_ae": Metric(
        "median AE", "low", "median |zphot − zspec|", "The error that half of the objects exceed."
    ),
    "mae_normalised": Metric(
        "mean |δ|", "low", "mean |δ|", "Called bias there, as we infer from its size.", *_HENGHES
    ),
    "median_ae_normalised": Metric(
        "median |δ|",
        "low",
        "median |δ|",
        "Called bias there; it holds the scatter too.",
        "Cunha & Humphrey 2022",
        "https://doi.org/10.1051/0004-6361/202243135",
    ),
    "nmad_about_zero": Metric(
        "NMAD about 0",
        "low",
        "1.4826 · median |δ|; sheep2022: 1.48 · median |δ|",
        "σ_NMAD without the inner median: a bias adds to it.",
    ),
    "bias_dz": Metric(
        "bias of Δz", "zero", "mean (zphot − zspec)", "Bias without the factor 1 + z.", *_OYAIZU
    ),
    "sigma_dz": Metric(
        "σ of Δz",
        "low",
        "standard deviation of zphot − zspec",
        "Scatter without the factor 1 + z.",
        *_BRESCIA,
    ),
    "nmad_dz": Metric(
        "NMAD of Δz",
        "low",
        "1.4826 · median |Δz − median Δz|, Δz = zphot − zspec",
        "The same, which outliers hardly move.",
        *_BRESCIA,
    ),
    "sigma68_dz": Metric(
        "σ_68 of Δz",
        "low",
        "|zphot − zspec| that 68 % of the objects do not exceed",
        "About 0, not about the median as our σ_68.",
        *_OYAIZU,
    ),
    "sigma95_dz": Metric(
        "σ_95 of Δz",
        "low",
        "|zphot − zspec| that 95 % of the objects do not exceed",
        "The same of 95 %.",
        *_OYAIZU,
    ),
    "sigma_iqr": Metric(
        "σ_IQR", "low", "(75th − 25th percentile of δ) / 1.349", "Scatter as RAIL gives it."
    ),
    "outlier_2sigma": Metric(
        "outliers_2σ",
        "low",
        "fraction with |δ| > 2 σ",
        "Relative to the scatter: a better model can have more of them.",
        *_BRESCIA,
    ),
    "outlier_iqr": Metric(
        "outliers_IQR", "low", "fraction with |δ| > max(0.06, 3 σ_IQR)", "Outliers as RAIL counts."
    ),
    "within_0.1": Metric(
        "|Δz| < 0.1", "high", "fraction with |zphot − zspec| < 0.1", "Of quasars.", *_BALL
    ),
    "within_0.2": Metric(
        "|Δz| < 0.2", "high", "fraction with |zphot − zspec| < 0.2", "Of quasars.", *_BALL
    ),
    "within_0.3": Metric(
        "|Δz| < 0.3", "high", "fraction with |zphot − zspec| < 0.3", "Of quasars.", *_BALL
    ),
    "within_normalised_0.1": Metric(
        "|δ| < 0.1",
        "high",
        "fraction with |δ| < 0.1",
        "Of quasars.",
        "Yang et al. 2017",
        "https://arxiv.org/abs/1710.09155",
    ),
}


def of_conventions(conventions: Sequence[str]) -> dict[str, Metric]:
    """Return the entries of the scores that a run has for the sake of these papers."""
    names = {metric.metric for metric in convention_metrics(conventions)}
    return {name: metric for name, metric in OF_PAPERS.items() if name in names}
