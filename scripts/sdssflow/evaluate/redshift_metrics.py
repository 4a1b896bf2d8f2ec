"""The redshift metrics, each in a named convention: papers use one name for several formulas.

`METRICS` are the scores of every run; `paper_metrics` has those of single papers, for comparison
with their numbers. dz = zphot - zspec, and d = dz / (1 + zspec) is the normalised residual.
docs/metric_conventions.md lists all of them.

Beck et al. give sigma and the fraction beyond 3 sigma as a pair. We compute sigma without outliers
and repeat the clipping until nothing changes; the paper doesn't say how often it was repeated.

The functions take float64 arrays without missing values and return a float.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sdssflow.evaluate.bootstrap import replicate
from sdssflow.evaluate.metrics import Metric, Source
from sdssflow.evaluate.tables import Columns, Scores

# 1 / the 75th percentile of the unit Gaussian: converts its MAD to the standard deviation
MAD_TO_SIGMA = 1.4826
BECK = Source("Beck et al. 2016", "https://arxiv.org/abs/1603.09708")
PASQUET = Source("Pasquet et al. 2019", "https://arxiv.org/abs/1806.06607")


@dataclass(frozen=True)
class Residuals:
    """What a redshift metric is computed from: (n,) float64 truth and prediction, n > 0.

    `epsilon` is the smallest denominator of the mean absolute percentage error. `weights`, (n,),
    equal by default, are used by means and `sigma_nmad` only.
    """

    zspec: np.ndarray
    zphot: np.ndarray
    epsilon: float = 1e-3
    weights: np.ndarray | None = None

    @cached_property
    def dz(self) -> np.ndarray:
        """The residual zphot - zspec."""
        return self.zphot - self.zspec

    @cached_property
    def d(self) -> np.ndarray:
        """The normalised residual."""
        return normalised_residual(self.zspec, self.zphot)


def value(metric: Metric, residuals: Residuals) -> float:
    """Compute a metric of this module or of `paper_metrics`.

    >>> rmse = next(metric for metric in METRICS if metric.name == "rmse")
    >>> value(rmse, Residuals(np.array([0.1, 0.2]), np.array([0.1, 0.4]))).round(9)
    np.float64(0.141421356)
    """
    if metric.term is None:
        return metric.computed(residuals)
    terms, weights = metric.term(residuals), residuals.weights
    mean = np.mean(terms) if weights is None else weighted_mean(terms, weights)
    return np.sqrt(mean) if metric.root else mean


def score(
    columns: Columns, counts: np.ndarray, metrics: tuple[Metric, ...], epsilon: float
) -> Scores:
    """Score `zspec` and `zphot` of n > 0 objects, with (replicates, n) uint8 bootstrap counts."""
    arrays = columns["zspec"], columns["zphot"]
    for name, values in zip(("zspec", "zphot"), arrays, strict=True):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite for {np.sum(~np.isfinite(values))} objects")
    drawn = [place for place, metric in enumerate(metrics) if metric.interval]

    def resampled(zspec: np.ndarray, zphot: np.ndarray) -> np.ndarray:
        residuals = Residuals(zspec, zphot, epsilon)
        return np.array([value(metrics[place], residuals) for place in drawn])

    replicates = np.full((len(counts), len(metrics)), np.nan)
    replicates[:, drawn] = replicate(resampled, arrays, counts).reshape(len(counts), -1)
    residuals = Residuals(*arrays, epsilon)
    values = np.array([value(metric, residuals) for metric in metrics], dtype=float)
    return Scores(metrics, values, replicates, np.full(len(metrics), len(arrays[0])))


def normalised_residual(zspec: np.ndarray, zphot: np.ndarray) -> np.ndarray:
    """Return (n,) d = (zphot - zspec) / (1 + zspec).

    >>> normalised_residual(np.array([0.0, 1.0]), np.array([0.1, 0.8])).round(12)
    array([ 0.1, -0.1])
    """
    return (zphot - zspec) / (1 + zspec)


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


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean."""
    return float(values @ weights / weights.sum())


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median; equal to `numpy.median` for equal weights.

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


def sigma_nmad(residual: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the normalised median absolute deviation about the median.

    >>> sigma_nmad(np.array([-0.02, 0.0, 0.01, 0.03, 0.9])).round(12)
    np.float64(0.029652)
    """
    if weights is None:
        return MAD_TO_SIGMA * np.median(np.abs(residual - np.median(residual)))
    deviation = np.abs(residual - weighted_median(residual, weights))
    return MAD_TO_SIGMA * weighted_median(deviation, weights)


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
    """Return the standard deviation after iterative 3-sigma clipping (Beck et al. 2016).

    >>> core = np.tile([-0.01, 0.01], 50)
    >>> sigma_clipped(np.append(core, 5.0)).round(12)
    np.float64(0.01)
    """
    size = np.abs(residual)
    kept = np.ones(len(residual), dtype=bool)
    while True:
        sigma = np.std(residual[kept])
        # clipped objects stay clipped, so this ends
        still = kept & (size <= 3 * sigma)
        if still.sum() in (kept.sum(), 0):
            return sigma
        kept = still


def _beyond(limit: float) -> Callable[[Residuals], np.ndarray]:
    return lambda r: np.abs(r.d) > limit


# `term` and `value` take `Residuals`; the order is that of the rows of score tables
# fmt: off
METRICS = (
    Metric("mse", "standard", "MSE", "low", "mean (zphot − zspec)²", "Mean squared error.",
        term=lambda r: r.dz**2, unit="z²", called="Henghes 2021; Ball 2007 calls it σ²",
        unlike="depends on the redshift range: compare within one sample"),
    Metric("rmse", "standard", "RMSE", "low", "√ mean (zphot − zspec)²", "Root mean square error.",
        term=lambda r: r.dz**2, root=True, unit="z", axis="RMSE", drawn=3, compared=True,
        binned=True, called="Ball 2008, Way 2009, Collister & Lahav 2004",
        unlike='"rms" of δ (`rms`), "rms" of astroML (`mae`)'),
    Metric("r2", "standard", "R²", "high", "1 − Σ (zphot − zspec)² / Σ (zspec − mean zspec)²",
        "Fraction of the variance of the redshift that is explained.",
        value=lambda r: r2(r.zspec, r.zphot), axis="$R^2$", headline=2, drawn=2, compared=True,
        unlike="depends on the range of zspec"),
    Metric("mape", "eps={epsilon:g}", "MAPE", "", "mean |zphot − zspec| / max(ε, |zspec|)",
        "Mean absolute percentage error, as a fraction. It is dominated by the lowest redshifts: "
        "never rank models by it.",
        value=lambda r: mape(r.zspec, r.zphot, r.epsilon),
        called="scikit-learn, with ε = 2·10⁻¹⁶", unlike="a fraction, not per cent"),
    Metric("mape_floored", "|zspec|<{epsilon:g}", "ε used", "", "number with |zspec| < ε",
        "Objects whose denominator in MAPE is ε.",
        value=lambda r: np.sum(np.abs(r.zspec) < r.epsilon), unit="objects", interval=False),
    Metric("zspec_min", "standard", "lowest zspec", "", "min zspec",
        "The redshift that dominates MAPE.", value=lambda r: r.zspec.min(), unit="z",
        interval=False),
    Metric("bias", "mean", "bias", "zero", "mean δ",
        "Mean normalised residual; positive if redshifts are too high.", term=lambda r: r.d,
        points=True, axis="bias: mean $\\Delta z/(1+z)$", drawn=4, weighted=3,
        called="Beck 2016, Pasquet 2019",
        unlike='mean dz (`bias_dz`), and the "bias" of Henghes 2021 and SHEEP, which is never '
        "negative"),
    Metric("bias_median", "median", "median bias", "zero", "median δ",
        "The same, robust against outliers.", value=lambda r: np.median(r.d),
        axis="median $\\Delta z/(1+z)$", binned=True, subgroup=True, called="RAIL"),
    Metric("rms", "normalised", "rms", "low", "√ mean δ²",
        "Scatter and bias in one; called rms in papers.", term=lambda r: r.d**2,
        root=True, points=True, weighted=2, called="Brescia 2014: RMS norm", unlike="`rmse`",
        across_splits=True),
    Metric("sigma", "std", "σ", "low", "standard deviation of δ",
        "Scatter including all outliers.", value=lambda r: np.std(r.d),
        called="Brescia 2014: σ norm; Hoyle 2015",
        unlike="`sigma_clipped`, which excludes outliers"),
    Metric("sigma_nmad", "median subtracted", "σ_NMAD", "low", "1.4826 · median |δ − median δ|",
        "Scatter, robust against outliers; equals the standard deviation for a Gaussian. Some "
        "papers omit the inner median and get a larger value if there is a bias.",
        value=lambda r: sigma_nmad(r.d, r.weights), points=True, axis="$\\sigma_{\\rm NMAD}$",
        headline=1, drawn=1, weighted=1, compared=True, binned=True, subgroup=True,
        across_splits=True, called="Pasquet 2019: σ_MAD",
        unlike="`nmad_about_zero`, without the inner median"),
    Metric("sigma68", "percentiles", "σ_68", "low", "(84th − 16th percentile of δ) / 2",
        "Half the width of the central 68 %.", value=lambda r: sigma68(r.d),
        unlike="`sigma68_dz`, of dz and about 0"),
    Metric("outlier_0.05", "pasquet2019", "outliers_0.05", "low", "fraction with |δ| > 0.05",
        "Outliers among bright galaxies, z < 0.4.", term=_beyond(0.05), source=PASQUET,
        points=True, fraction=True, axis="fraction $|\\Delta z|/(1+z)>0.05$", headline=3, drawn=5,
        weighted=4, binned=True, subgroup=True),
    Metric("outlier_0.15", "common", "outliers_0.15", "low", "fraction with |δ| > 0.15",
        "The common limit of deep surveys.", term=_beyond(0.15), points=True,
        fraction=True,
        axis="fraction $|\\Delta z|/(1+z)>0.15$", headline=4, drawn=6, called="most others"),
    Metric("sigma_clipped", "beck2016", "σ_clipped", "low",
        "standard deviation of δ without |δ| > 3 σ_clipped, iterated until nothing changes",
        "Comparable only with scores that exclude outliers.",
        value=lambda r: sigma_clipped(r.d), source=BECK, unlike="`sigma`"),
    Metric("outlier_3sigma", "beck2016", "outliers_3σ", "low", "fraction with |δ| > 3 σ_clipped",
        "Relative to the scatter: a better model can have more of them.",
        value=lambda r: outlier_fraction(r.d, 3 * sigma_clipped(r.d)), source=BECK, fraction=True),
)
# fmt: on
