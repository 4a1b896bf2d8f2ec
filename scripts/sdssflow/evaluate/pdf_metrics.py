"""The metrics of redshift densities p(z), each in a named convention.

For each object, `sdssflow.redshift_pdf.scores` gives the probability integral transform (PIT, the
probability of p(z) below zspec), CRPS, CDE term and log density; `summaries` gives intervals and
point estimates. `METRICS` are computed from these; the metrics of `redshift_metrics` with `points`
also from each point estimate, with conventions such as ``of the median``.
docs/metric_conventions.md lists them.

Distances of the PIT from uniform are never negative, and resampling adds noise to them: in small
samples their bootstrap interval may lie above their value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.section import PointEstimate
from sdssflow.evaluate import redshift_metrics
from sdssflow.evaluate.bootstrap import (
    positive_or_nan,
    replicate,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.metrics import Metric, Source
from sdssflow.evaluate.redshift_metrics import Residuals
from sdssflow.evaluate.tables import Columns, Predictions, Scorer, Scores, compare_models
from sdssflow.redshift_pdf.pit import PIT_EDGE, pit_distances

LEVELS = (68, 95)
POINTS = get_args(PointEstimate)
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))
GNEITING = Source("Gneiting & Raftery 2007", "https://doi.org/10.1198/016214506000001437")
IZBICKI = Source("Izbicki & Lee 2017", "https://arxiv.org/abs/1704.08095")
SCHMIDT = Source("Schmidt et al. 2020", "https://arxiv.org/abs/2001.03621")
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


def _within(kind: str, level: int) -> Callable[[Columns], np.ndarray]:
    def term(columns: Columns) -> np.ndarray:
        low, high = columns[f"{kind}_low_{level}"], columns[f"{kind}_high_{level}"]
        zspec = columns["zspec"]
        # NaN without calibration objects: undefined, not a miss
        return np.where(np.isnan(low + high), np.nan, (low <= zspec) & (zspec <= high))

    return term


def _half_width(kind: str, level: int) -> Callable[[Columns], np.ndarray]:
    return lambda columns: (
        (columns[f"{kind}_high_{level}"] - columns[f"{kind}_low_{level}"])
        / (2 * (1 + columns["zphot"]))
    )


def _of_point(metric: Metric, point: str) -> Metric:
    """Return a metric for one point estimate of p(z), for score tables only."""

    def residuals(columns: Columns) -> Residuals:
        return Residuals(columns["zspec"], columns[f"zphot_{point}"])

    how: dict[str, Any]
    if metric.term:
        how = {"term": lambda columns: metric.terms(residuals(columns))}
    else:
        how = {
            "term": lambda c: np.column_stack([c["zspec"], c[f"zphot_{point}"]]),
            "value": lambda drawn: metric.computed(Residuals(*drawn.T)),
        }
    places: dict[str, Any] = dict.fromkeys(("headline", "drawn", "weighted"), 0)
    places |= dict.fromkeys(("compared", "binned", "subgroup", "across_splits"), False)
    return replace(metric, convention=f"of the {point}", **how, **places)


# levels and the places where their metrics are shown
Levels = tuple[tuple[int, dict[str, Any]], ...]
COVERAGE: Levels = ((68, {}), (95, {"weighted": 7, "subgroup": True}))
CONFORMAL: Levels = ((68, {}), (95, {"headline": 3, "weighted": 8, "binned": True}))
SHARPNESS: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (
        68,
        "Half width of the interval; narrower is better only if the coverage is correct.",
        {"compared": True, "binned": True, "subgroup": True},
    ),
    (95, "The same for the 95 % interval.", {}),
)

# `value` alone takes the (m, 3) distances of `pit_distances`; `term` takes the columns `COLUMNS`,
# finite except log_density, which may be -inf, and conformal intervals, NaN without calibration
# objects; `value` with `term` takes resampled terms. The order is that of the score tables.
# fmt: off
DENSITIES = (
    Metric("pit_ks", "to the uniform", "PIT KS", "low", "max |F(u) − u|",
        "Kolmogorov-Smirnov distance of the PIT from uniform; 0.87 / √N on average for calibrated "
        "densities. Noise adds to it, more so in replicates: in small samples its interval may lie "
        "above its value. The same holds for CvM and AD.",
        value=lambda distances: distances[:, 0], headline=2, weighted=6, compared=True,
        binned=True),
    Metric("pit_cvm", "per object", "PIT CvM", "low", "∫ (F(u) − u)² du",
        "Cramér-von Mises distance, divided by N.", value=lambda distances: distances[:, 1],
        unlike="the statistic of scipy and RAIL, which is N times as large"),
    Metric("pit_ad", f"A^2, PIT within {PIT_EDGE:g} of 0 and 1 set there", "PIT AD", "low",
        "N ∫ (F(u) − u)² / (u (1 − u)) du",
        "Anderson-Darling A²: most sensitive to the tails, and grows with N if densities are not "
        "calibrated. 1 on average for calibrated densities.",
        value=lambda distances: distances[:, 2],
        unlike="PITAD of RAIL, which compares two samples, the PIT and an even grid, by scipy's "
        "anderson_ksamp"),
    Metric("pit_outliers", f"below {PIT_EDGE:g} or above {1 - PIT_EDGE:g}", "PIT outliers", "low",
        "fraction with PIT < 0.0001 or > 0.9999",
        "Objects far outside their density; 0.0002 for calibrated densities.",
        term=lambda c: (c["pit"] < PIT_EDGE) | (c["pit"] > 1 - PIT_EDGE), source=SCHMIDT,
        fraction=True, called="RAIL"),
    Metric("crps", "mean", "CRPS", "low", "mean ∫ (cdf(z) − [z > zspec])² dz",
        "Continuous ranked probability score, in redshift: rewards densities that are both "
        "calibrated and narrow. For a point estimate it is the mean absolute error.",
        term=lambda c: c["crps"], unit="z", source=GNEITING, headline=1, weighted=5,
        compared=True, binned=True, subgroup=True, across_splits=True),
    Metric("cde_loss", "izbicki2017", "CDE loss", "low", "mean (∫ p(z)² dz − 2 p(zspec))",
        "Squared distance of p(z) from the true conditional density, up to a constant.",
        term=lambda c: c["cde"], unit="1/z", source=IZBICKI, compared=True),
    Metric("log_likelihood", f"natural logarithm, each at least {LOG_FLOOR:.2f}",
        "log-likelihood", "high", "mean ln p(zspec)",
        "The training loss of networks with p(z), negated; confident mistakes cost most.",
        term=lambda c: np.maximum(c["log_density"], LOG_FLOOR), source=GNEITING, compared=True,
        unlike="without the floor, one object with p(zspec) = 0 would make it −∞"),
    *(Metric(f"coverage_{level}", "central interval", f"coverage_{level}", "",
        f"fraction of zspec within the central {level} % of p(z)", f"Should be 0.{level}.",
        term=_within("z", level), fraction=True, nominal=level / 100, binned=True,
        axis=f"coverage of the\ncentral {level} %", **shown)
        for level, shown in COVERAGE),
    *(Metric(f"conformal_{level}", "conformal interval", f"conformal_{level}", "",
        f"fraction of zspec within the conformal {level} % interval",
        f"0.{level} or slightly more, guaranteed for objects exchangeable with the calibration "
        "part.", term=_within("conformal", level), fraction=True, nominal=level / 100, **shown)
        for level, shown in CONFORMAL),
    *(Metric(f"sharpness_{level}", "half width / (1 + zphot)", f"width_{level}", "",
        f"mean (z_high − z_low) / 2 / (1 + zphot), central {level} % of p(z)", meaning,
        term=_half_width("z", level), axis=f"half width of {level} %\n/ (1 + zphot)", **shown)
        for level, meaning, shown in SHARPNESS),
    Metric("conformal_sharpness_95", "half width / (1 + zphot)", "conformal width_95", "",
        "mean (high − low) / 2 / (1 + zphot), conformal 95 % interval",
        "The same for the conformal interval: the price of the guarantee.",
        term=_half_width("conformal", 95)),
)
# fmt: on
_OF_POINTS = [metric for metric in redshift_metrics.METRICS if metric.points]
METRICS = (
    *DENSITIES,
    *(_of_point(m, point) for point in POINTS for m in _OF_POINTS if m.term),
    *(_of_point(m, point) for m in _OF_POINTS if not m.term for point in POINTS),
)


def compare_densities(
    predictions: Sequence[Predictions], settings: RedshiftPdfs, bootstrap: Bootstrap
) -> dict[str, pd.DataFrame]:
    """Score the models of one split that give a p(z), by their predictions of the same objects.

    Returns `scores`, `differences`, `scores_by_bin` and `pit`, with the columns listed in
    docs/architecture.md. ValueError if a column or value is missing.
    """
    tables = compare_models(predictions, SCORER, settings.bins, bootstrap)
    return tables | {"pit": pit_histogram(predictions, settings, bootstrap.level)}


def score(
    columns: Mapping[str, np.ndarray], counts: np.ndarray, metrics: tuple[Metric, ...] = METRICS
) -> Scores:
    """Score p(z) of n > 0 objects, given by `COLUMNS` (n,) float64, with bootstrap replicates.

    `counts` are (replicates, n) uint8 from `bootstrap.draw_counts`; `metrics` are from this module,
    all by default; columns that they don't need may be absent.
    """
    weights = with_point_estimate(counts)
    total = positive_or_nan(weights.sum(axis=1, dtype=np.int64))
    if of_pit := [metric for metric in metrics if metric.term is None]:
        distances = pit_distances(columns["pit"], weights)
    means = [metric for metric in metrics if metric.value is None]
    terms = np.column_stack([metric.terms(columns) for metric in means]).astype(np.float64)
    found = dict(zip(means, (weighted_sums(weights, terms) / total[:, None]).T, strict=True))
    others = [metric for metric in metrics if metric.value and metric.term]
    found |= _resampled(others, columns, counts) if others else {}
    found |= {metric: metric.computed(distances) for metric in of_pit}
    values = np.column_stack(
        [np.sqrt(found[metric]) if metric.root else found[metric] for metric in metrics]
    )
    return Scores(metrics, values[0], values[1:], np.full(len(metrics), len(columns["zspec"])))


def _resampled(
    metrics: Sequence[Metric], columns: Mapping[str, np.ndarray], counts: np.ndarray
) -> dict[Metric, np.ndarray]:
    """Return (1 + replicates,) value and replicates of each metric that is not a mean."""

    def values(*terms: np.ndarray) -> np.ndarray:
        return np.array(
            [metric.computed(term) for metric, term in zip(metrics, terms, strict=True)]
        )

    terms = tuple(metric.terms(columns) for metric in metrics)
    drawn = replicate(values, terms, counts).reshape(len(counts), -1)
    drawn = np.broadcast_to(drawn, (len(counts), len(metrics)))
    return dict(zip(metrics, np.vstack([values(*terms), drawn]).T, strict=True))


def pdf_columns(prediction: Predictions, seed: int) -> dict[str, np.ndarray]:
    """Return `COLUMNS` and ``reference_mag`` of one seed as float64 arrays.

    ValueError if a column is missing or a required value is not finite.
    """
    frame = prediction.of_seed(seed)
    lacking = [name for name in COLUMNS if name not in frame]
    if lacking:
        raise ValueError(
            f"the predictions of {prediction.model} have no column {lacking[0]!r}: they hold no "
            "p(z); delete them, and rule predict_pdfs makes them again"
        )
    columns = {name: frame[name].to_numpy(np.float64) for name in (*COLUMNS, "reference_mag")}
    for name in COLUMNS:
        if name.startswith("conformal"):
            continue  # NaN without calibration objects
        values = columns[name]
        wrong = np.isnan(values) if name == "log_density" else ~np.isfinite(values)
        if wrong.any():
            raise ValueError(
                f"{name} of row_id {frame['row_id'][wrong].iloc[0]} is missing or not finite in "
                f"the predictions of {prediction.model}, seed {seed} ({wrong.sum()} objects in "
                "all)"
            )
    if ((columns["pit"] < 0) | (columns["pit"] > 1)).any():
        raise ValueError(f"pit is not between 0 and 1 in the predictions of {prediction.model}")
    return columns


def pit_histogram(
    predictions: Sequence[Predictions], settings: RedshiftPdfs, level: float
) -> pd.DataFrame:
    """Return ``pit.csv``: the number of objects in equal bins of the PIT.

    For a uniform PIT of independent objects, the count lies within `band_low, band_high` with at
    least the probability `level`.
    """
    from scipy.stats import binom  # slow to import

    edges = np.linspace(0, 1, settings.pit_bins + 1)
    parts = []
    for prediction in predictions:
        for seed in prediction.seeds:
            pit = pdf_columns(prediction, seed)["pit"]
            count, _ = np.histogram(pit, edges)
            low, high = binom.interval(level, len(pit), 1 / settings.pit_bins)
            part = {
                "model": prediction.model,
                "seed": seed,
                "bin_low": edges[:-1],
                "bin_high": edges[1:],
                "count": count,
                "expected": len(pit) / settings.pit_bins,
                "band_low": int(low),
                "band_high": int(high),
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


SCORER = Scorer(METRICS, pdf_columns, score)
