"""Tables of p(z) scores: per model and seed, by bin, and the histogram of the PIT.

Each replicate of the bootstrap draws the same groups for all models and seeds, so differences
between models are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate.bootstrap import (
    positive_or_nan,
    replicate,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.metrics import ALL, Metric
from sdssflow.evaluate.pdf_metrics import COLUMNS, METRICS
from sdssflow.evaluate.tables import Predictions, Scorer, Scores, compare_models
from sdssflow.redshift_pdf.pit import pit_distances


def compare_densities(
    predictions: Sequence[Predictions], settings: RedshiftPdfs, bootstrap: Bootstrap
) -> dict[str, pd.DataFrame]:
    """Score all models of one split that give a p(z).

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models with p(z), tested on the same objects (`tables.read_predictions`).
    settings : RedshiftPdfs
        Numbers of bins.
    bootstrap : Bootstrap
        Replicates, seed and level of the intervals.

    Returns
    -------
    dict of str to pandas.DataFrame
        `scores`, `differences`, `scores_by_bin`, `pit`; columns as docs/architecture.md lists them.

    Raises
    ------
    ValueError
        If a column or value is missing; the message names model, column, seed and object.
    """
    tables = compare_models(predictions, SCORER, settings.bins, bootstrap)
    return tables | {"pit": pit_histogram(predictions, settings, bootstrap.level)}


def score(
    columns: Mapping[str, np.ndarray], counts: np.ndarray, metrics: tuple[Metric, ...] = METRICS
) -> Scores:
    """Score p(z), with bootstrap replicates.

    Parameters
    ----------
    columns : mapping of str to (n,) float64 array
        `pdf_metrics.COLUMNS`, n > 0.
    counts : (replicates, n) uint8 array
        From `bootstrap.draw_counts`.
    metrics : tuple of Metric
        Of `pdf_metrics`; all by default.
    """
    weights = with_point_estimate(counts)
    total = positive_or_nan(weights.sum(axis=1, dtype=np.int64))
    distances = pit_distances(columns["pit"], weights)
    means = [metric for metric in metrics if metric.value is None]
    terms = np.column_stack([metric.term(columns) for metric in means]).astype(np.float64)
    found = dict(zip(means, (weighted_sums(weights, terms) / total[:, None]).T, strict=True))
    others = [metric for metric in metrics if metric.value and metric.term]
    found |= _resampled(others, columns, counts) if others else {}
    values = [
        metric.value(distances) if metric not in found
        else np.sqrt(found[metric]) if metric.root else found[metric]
        for metric in metrics
    ]  # fmt: skip
    values = np.column_stack(values)
    return Scores(metrics, values[0], values[1:], np.full(len(metrics), len(columns["pit"])))


def _resampled(
    metrics: Sequence[Metric], columns: Mapping[str, np.ndarray], counts: np.ndarray
) -> dict[Metric, np.ndarray]:
    """Return the value and the replicates of metrics that are no mean, (1 + replicates,) each."""

    def values(*terms: np.ndarray) -> np.ndarray:
        return np.array([metric.value(term) for metric, term in zip(metrics, terms, strict=True)])

    terms = tuple(metric.term(columns) for metric in metrics)
    drawn = replicate(values, terms, counts).reshape(len(counts), -1)
    drawn = np.broadcast_to(drawn, (len(counts), len(metrics)))
    return dict(zip(metrics, np.vstack([values(*terms), drawn]).T, strict=True))


def pdf_columns(prediction: Predictions, seed: int) -> dict[str, np.ndarray]:
    """Return `pdf_metrics.COLUMNS` of one seed, and its reference magnitude, as float64 arrays.

    Raises
    ------
    ValueError
        If a column is missing, or a value that must not be.
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
        raise ValueError(f"pit is not from 0 to 1 in the predictions of {prediction.model}")
    return columns


def best_model(scores: pd.DataFrame) -> str:
    """Return the model with the lowest CRPS over all seeds in ``pdf_scores.csv``."""
    rows = scores[(scores["metric"] == "crps") & (scores["seed"].astype(str) == ALL)]
    return str(rows.set_index("model")["value"].idxmin())


def pit_histogram(
    predictions: Sequence[Predictions], settings: RedshiftPdfs, level: float
) -> pd.DataFrame:
    """Return ``pit.csv``: how many objects have their PIT in each of a number of equal bins.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models with p(z).
    settings : RedshiftPdfs
        Number of bins.
    level : float
        Of the band.

    Returns
    -------
    pandas.DataFrame
        `model, seed, bin_low, bin_high, count, expected, band_low, band_high`: the band is where
        the count of a uniform PIT of independent objects lies with at least that chance.
    """
    from scipy.stats import binom  # only here, and its import takes a second of every job

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
