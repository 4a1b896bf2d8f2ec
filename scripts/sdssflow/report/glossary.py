"""What every metric of the report means: formula, direction, source."""

from __future__ import annotations

from collections.abc import Iterable

from sdssflow.report.metrics import Metric
from sdssflow.report.paper_metrics import OF_PAPERS

BETTER = {"low": "lower is better", "high": "higher is better", "zero": "nearer 0 is better"}
RANKED_BY = {"classify": "macro_f1", "regress": "sigma_nmad", "pdf": "crps"}
HEADLINES = {
    "classify": ("accuracy", "macro_f1"),
    "regress": ("sigma_nmad", "r2", "outlier_0.05", "outlier_0.15"),
    "pdf": ("crps", "pit_ks", "conformal_95"),
}
SYMBOLS = (
    "p: predicted probability; y: true class as 0 or 1; N: number of test objects; "
    "δ = (zphot − zspec) / (1 + zspec), the normalised residual; PIT: the probability that p(z) "
    "leaves below zspec; F: cumulative distribution of the PIT of all test objects."
)


CLASSES: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "high", "correct / N", "Fraction of objects classed right."),
    "balanced_accuracy": Metric(
        "balanced accuracy", "high", "mean of the classes' recalls", "Accuracy, each class alike."
    ),
    "macro_f1": Metric(
        "macro F1", "high", "mean of the classes' F1", "F1 with each class counting alike."
    ),
    "macro_precision": Metric(
        "macro precision", "high", "mean of the classes' precisions", "Purity, each class alike."
    ),
    "precision": Metric(
        "precision", "high", "true positives / predicted positives", "Purity of a class."
    ),
    "recall": Metric(
        "recall", "high", "true positives / actual positives", "Completeness of a class."
    ),
    "f1": Metric(
        "F1", "high", "2 · precision · recall / (precision + recall)", "Harmonic mean of the two."
    ),
    "roc_auc": Metric(
        "ROC AUC",
        "high",
        "P(p of a member > p of another), mean over classes",
        "How well a class's probability ranks members above the rest; 0.5 is chance.",
    ),
    "log_loss": Metric(
        "log-loss",
        "low",
        "−mean ln p(true class)",
        "Surprise at the truth; a confident mistake costs most.",
    ),
    "brier": Metric(
        "Brier score",
        "low",
        "mean Σ over classes (p − y)²",
        "Squared error of the probabilities, from 0 to 2.",
        "Brier 1950",
        "https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2",
    ),
    "ece": Metric(
        "ECE",
        "low",
        "Σ over bins (n / N) · |accuracy − mean p|",
        "Expected calibration error of the predicted class's probability. Noise within the bins "
        "adds to it, more so in replicates: in small samples its interval may lie above its value.",
        "Guo et al. 2017",
        "https://arxiv.org/abs/1706.04599",
    ),
}

REDSHIFTS: dict[str, Metric] = {
    "sigma_nmad": Metric(
        "σ_NMAD",
        "low",
        "1.4826 · median |δ − median δ|",
        "Scatter that outliers hardly move; the standard deviation of a Gaussian. Some papers "
        "leave the inner median out and get more where there is a bias.",
    ),
    "r2": Metric(
        "R²",
        "high",
        "1 − Σ (zphot − zspec)² / Σ (zspec − mean zspec)²",
        "Fraction of the variance of the redshift that is explained.",
    ),
    "outlier_0.05": Metric(
        "outliers_0.05",
        "low",
        "fraction with |δ| > 0.05",
        "Outliers among bright galaxies, z < 0.4.",
        "Pasquet et al. 2019",
        "https://arxiv.org/abs/1806.06607",
    ),
    "outlier_0.15": Metric(
        "outliers_0.15", "low", "fraction with |δ| > 0.15", "The common limit of deep surveys."
    ),
    "outlier_3sigma": Metric(
        "outliers_3σ",
        "low",
        "fraction with |δ| > 3 σ_clipped",
        "Relative to the scatter: a better model can have more of them.",
        "Beck et al. 2016",
        "https://arxiv.org/abs/1603.09708",
    ),
    "bias": Metric(
        "bias", "zero", "mean δ", "Mean normalised residual; positive if redshifts are too high."
    ),
    "bias_median": Metric("median bias", "zero", "median δ", "The same, unmoved by outliers."),
    "sigma": Metric("σ", "low", "standard deviation of δ", "Scatter with every outlier in it."),
    "rms": Metric(
        "rms", "low", "√ mean δ²", "Scatter and bias in one; what papers call rms without more."
    ),
    "sigma68": Metric(
        "σ_68", "low", "(84th − 16th percentile of δ) / 2", "Half the width that holds 68 %."
    ),
    "sigma_clipped": Metric(
        "σ_clipped",
        "low",
        "standard deviation of δ without |δ| > 3 σ_clipped, cut until nothing changes",
        "Comparable only with scores that leave outliers out.",
        "Beck et al. 2016",
        "https://arxiv.org/abs/1603.09708",
    ),
    "rmse": Metric("RMSE", "low", "√ mean (zphot − zspec)²", "Root mean square error."),
    "mse": Metric("MSE", "low", "mean (zphot − zspec)²", "Mean squared error."),
    "mape": Metric(
        "MAPE",
        "",
        "mean |zphot − zspec| / max(ε, |zspec|)",
        "Mean absolute percentage error, as a fraction. It is ruled by the objects of lowest "
        "redshift: never rank models by it.",
    ),
    "mape_floored": Metric(
        "ε used", "", "number with |zspec| < ε", "Objects whose denominator in MAPE is ε."
    ),
    "zspec_min": Metric("lowest zspec", "", "min zspec", "The redshift that rules MAPE."),
}

_GNEITING = ("Gneiting & Raftery 2007", "https://doi.org/10.1198/016214506000001437")

DENSITIES: dict[str, Metric] = {
    "crps": Metric(
        "CRPS",
        "low",
        "mean ∫ (cdf(z) − [z > zspec])² dz",
        "Continuous ranked probability score, in redshift: rewards densities that are both "
        "calibrated and narrow. Of a point estimate it would be the mean absolute error.",
        *_GNEITING,
    ),
    "cde_loss": Metric(
        "CDE loss",
        "low",
        "mean (∫ p(z)² dz − 2 p(zspec))",
        "Squared distance of p(z) from the true conditional density, up to a constant.",
        "Izbicki & Lee 2017",
        "https://arxiv.org/abs/1704.08095",
    ),
    "log_likelihood": Metric(
        "log-likelihood",
        "high",
        "mean ln p(zspec)",
        "What networks with p(z) are trained on; a confident mistake costs most.",
        *_GNEITING,
    ),
    "pit_ks": Metric(
        "PIT KS",
        "low",
        "max |F(u) − u|",
        "Kolmogorov-Smirnov distance of the PIT from uniform; of right densities 0.87 / √N on "
        "average. Noise adds to it, more so in replicates: in small samples its interval may lie "
        "above its value, as with the next two.",
    ),
    "pit_cvm": Metric(
        "PIT CvM", "low", "∫ (F(u) − u)² du", "Cramér-von Mises distance, divided by N."
    ),
    "pit_ad": Metric(
        "PIT AD",
        "low",
        "N ∫ (F(u) − u)² / (u (1 − u)) du",
        "Anderson-Darling A²: looks hardest at the tails, and grows with N where densities are "
        "wrong. For right densities it is 1 on average.",
    ),
    "pit_outliers": Metric(
        "PIT outliers",
        "low",
        "fraction with PIT < 0.0001 or > 0.9999",
        "Objects far outside of their density; 0.0002 if all densities are right.",
        "Schmidt et al. 2020",
        "https://arxiv.org/abs/2001.03621",
    ),
    "coverage_68": Metric(
        "coverage_68", "", "fraction of zspec within the central 68 % of p(z)", "Should be 0.68."
    ),
    "coverage_95": Metric(
        "coverage_95", "", "fraction of zspec within the central 95 % of p(z)", "Should be 0.95."
    ),
    "conformal_68": Metric(
        "conformal_68",
        "",
        "fraction of zspec within the conformal 68 % interval",
        "0.68 or a little more, guaranteed for objects exchangeable with the calibration part.",
    ),
    "conformal_95": Metric(
        "conformal_95",
        "",
        "fraction of zspec within the conformal 95 % interval",
        "0.95 or a little more, guaranteed for objects exchangeable with the calibration part.",
    ),
    "sharpness_68": Metric(
        "width_68",
        "",
        "mean (z_high − z_low) / 2 / (1 + zphot), central 68 % of p(z)",
        "Half width of the interval; narrower is better only where the coverage is right.",
    ),
    "sharpness_95": Metric(
        "width_95",
        "",
        "mean (z_high − z_low) / 2 / (1 + zphot), central 95 % of p(z)",
        "The same of the 95 % interval.",
    ),
    "conformal_sharpness_95": Metric(
        "conformal width_95",
        "",
        "mean (high − low) / 2 / (1 + zphot), conformal 95 % interval",
        "The same of the conformal interval: what the guarantee costs.",
    ),
}

METRICS: dict[str, Metric] = {**CLASSES, **REDSHIFTS, **DENSITIES}
_KNOWN: dict[str, Metric] = {**CLASSES, **REDSHIFTS, **OF_PAPERS, **DENSITIES}


def label(metric: str) -> str:
    """Return the name of a metric for a table's head; its own name if the glossary lacks it."""
    return _KNOWN[metric].label if metric in _KNOWN else metric.replace("_", " ")


def order(metrics: Iterable[str]) -> list[str]:
    """Return metrics in the glossary's order, those it lacks behind the others."""
    places = {name: place for place, name in enumerate(_KNOWN)}
    return sorted(metrics, key=lambda name: places.get(name, len(places)))
