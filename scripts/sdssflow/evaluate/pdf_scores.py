"""Tables of p(z) scores: per model and seed, by bin, and the histogram of the PIT.

What each metric is: `pdf_metrics`. Each replicate of the bootstrap draws the same groups for all
models and seeds, as in `redshift_scores`, so differences between models are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate.bootstrap import replicate
from sdssflow.evaluate.pdf_metrics import (
    COLUMNS,
    METRICS,
    POINTS,
    mean_terms,
    metric_values,
    pit_distances,
    point_residuals,
)
from sdssflow.evaluate.redshift_metrics import sigma_nmad
from sdssflow.evaluate.score_bins import ScoreInBin, score_bins
from sdssflow.evaluate.score_tables import ALL, Predictions, Scores, counts_by_seed
from sdssflow.evaluate.weighted_sums import positive_or_nan, weighted_sums, with_point_estimate
from sdssflow.logs import progress

COMPARED = ("crps", "cde_loss", "log_likelihood", "pit_ks", "sharpness_68")
BINNED = ("pit_ks", "crps", "coverage_68", "coverage_95", "conformal_95", "sharpness_68")


def score(columns: Mapping[str, np.ndarray], counts: np.ndarray) -> Scores:
    """Score p(z) by every metric of `pdf_metrics`, with bootstrap replicates.

    Parameters
    ----------
    columns : mapping of str to (n,) float64 array
        `pdf_metrics.COLUMNS`, n > 0.
    counts : (replicates, n) uint8 array
        From `bootstrap.draw_counts`.
    """
    residuals = point_residuals(columns)

    def scatters(*drawn: np.ndarray) -> np.ndarray:
        return np.array([sigma_nmad(residual) for residual in drawn])

    points = tuple(residuals.T)
    drawn = replicate(scatters, points, counts).reshape(len(counts), -1)
    drawn = np.broadcast_to(drawn, (len(counts), len(POINTS)))
    return _scores(columns, counts, np.vstack([scatters(*points), drawn]))


def score_models(
    predictions: Sequence[Predictions], bootstrap: Bootstrap
) -> dict[str, dict[int, Scores]]:
    """Score the p(z) of every model and seed on all its test objects.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models with p(z), tested on the same objects (`score_tables.read_predictions`).
    bootstrap : Bootstrap
        Replicates and seed.

    Returns
    -------
    dict of model to dict of seed to Scores
        For `score_tables.scores_table` and `differences_table`.

    Raises
    ------
    ValueError
        If a column or value is missing; the message names model, column, seed and object.
    """
    counts = counts_by_seed(predictions, bootstrap)
    return {
        prediction.model: {
            seed: score(pdf_columns(prediction, seed), counts[seed]) for seed in prediction.seeds
        }
        for prediction in progress(predictions, len(predictions), "scoring p(z)")
    }


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


def scores_by_bin(
    predictions: Sequence[Predictions], settings: RedshiftPdfs, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return ``pdf_scores_by_bin.csv``: scores in bins of zspec, zphot and reference magnitude.

    Which bins these are: `score_bins`.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models with p(z), tested on the same objects.
    settings : RedshiftPdfs
        Number of bins.
    bootstrap : Bootstrap
        Replicates, level and seed.
    """
    counts = counts_by_seed(predictions, bootstrap)

    def scorer(prediction: Predictions) -> ScoreInBin:
        columns = {seed: pdf_columns(prediction, seed) for seed in prediction.seeds}
        return lambda seed, inside: _score_in_bin(columns[seed], counts[seed], inside)

    return score_bins(predictions, settings.bins, bootstrap.level, scorer)


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


def _scores(columns: Mapping[str, np.ndarray], counts: np.ndarray, scatters: np.ndarray) -> Scores:
    weights = with_point_estimate(counts)
    total = positive_or_nan(weights.sum(axis=1, dtype=np.int64))
    means = weighted_sums(weights, mean_terms(columns)) / total[:, None]
    values = metric_values(pit_distances(columns["pit"], weights), means, scatters)
    n = np.full(len(METRICS), len(columns["pit"]))
    return Scores(METRICS, values[0], values[1:], n)


def _score_in_bin(
    columns: Mapping[str, np.ndarray], counts: np.ndarray, inside: np.ndarray
) -> Scores:
    """Score the objects of one bin by `BINNED`; the scatters, which are slow, are left out."""
    chosen = {name: values[inside] for name, values in columns.items()}
    whole = _scores(chosen, counts[:, inside], np.full((len(counts) + 1, len(POINTS)), np.nan))
    places = [place for place, metric in enumerate(METRICS) if metric.metric in BINNED]
    metrics = tuple(METRICS[place] for place in places)
    return Scores(metrics, whole.values[places], whole.replicates[:, places], whole.n[places])
