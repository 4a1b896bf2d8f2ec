"""Tables of redshift scores: per model and seed, by bin, and differences between models.

What each metric is: `redshift_metrics`. Each replicate of the bootstrap draws the same groups for
all models and seeds, so differences between models are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sdssflow.configuration.run import Bootstrap, RedshiftScores
from sdssflow.evaluate.bootstrap import replicate
from sdssflow.evaluate.redshift_metrics import Statistic, normalised_residual, redshift_metrics
from sdssflow.evaluate.score_tables import (
    ALL,
    Metric,
    Predictions,
    Scores,
    bin_numbers,
    combined_digest,
    counts_by_seed,
    equal_count_edges,
    mean_over_seeds,
    score_rows,
)
from sdssflow.logs import progress

# facts about the sample, not scores of a model: printed without an interval
WITHOUT_INTERVAL = ("mape_floored", "zspec_min")
# scatter, bias and outliers, robust where bins are small; r2 within a bin of redshift would compare
# with the spread of a sliver
BINNED = ("rmse", "bias_median", "sigma_nmad", "outlier_0.05")
COMPARED = ("sigma_nmad", "rmse", "r2")
VARIABLES = ("zspec", "zphot", "reference_mag")


def score(
    zspec: np.ndarray, zphot: np.ndarray, counts: np.ndarray, metrics: Mapping[Metric, Statistic]
) -> Scores:
    """Score predictions, with bootstrap replicates.

    Parameters
    ----------
    zspec, zphot : (n,) float64 arrays
        Truth and prediction, n > 0.
    counts : (replicates, n) uint8 array
        From `bootstrap.draw_counts`.
    metrics : mapping of Metric to function
        From `redshift_metrics`.

    Raises
    ------
    ValueError
        If a redshift is not finite.
    """
    for name, values in (("zspec", zspec), ("zphot", zphot)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite for {np.sum(~np.isfinite(values))} objects")
    drawn = [metric.metric not in WITHOUT_INTERVAL for metric in metrics]
    statistics = [
        function for function, wanted in zip(metrics.values(), drawn, strict=True) if wanted
    ]

    def resampled(*arrays: np.ndarray) -> np.ndarray:
        return np.array([function(*arrays) for function in statistics])

    arrays = (zspec, zphot, normalised_residual(zspec, zphot))
    replicates = np.full((len(counts), len(metrics)), np.nan)
    replicates[:, drawn] = replicate(resampled, arrays, counts).reshape(len(counts), -1)
    values = np.array([function(*arrays) for function in metrics.values()], dtype=float)
    return Scores(tuple(metrics), values, replicates, np.full(len(metrics), len(zspec)))


def score_models(
    predictions: Sequence[Predictions], settings: RedshiftScores, bootstrap: Bootstrap
) -> dict[str, dict[int, Scores]]:
    """Score every model and seed on all its test objects.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models tested on the same objects (`score_tables.read_predictions`).
    settings : RedshiftScores
        Conventions.
    bootstrap : Bootstrap
        Replicates and seed.

    Returns
    -------
    dict of model to dict of seed to Scores
        For `score_tables.scores_table` and `differences_table`.

    Raises
    ------
    ValueError
        If a redshift is missing; the message names model, seed and object.
    """
    metrics = redshift_metrics(settings)
    counts = counts_by_seed(predictions, bootstrap)
    scores: dict[str, dict[int, Scores]] = {}
    for prediction in progress(predictions, len(predictions), "scoring"):
        scores[prediction.model] = {}
        for seed in prediction.seeds:
            frame = prediction.of_seed(seed)
            _require_redshifts(frame, prediction.model, seed)
            zspec, zphot = frame["zspec"].to_numpy(), frame["zphot"].to_numpy()
            scores[prediction.model][seed] = score(zspec, zphot, counts[seed], metrics)
    return scores


def scores_by_bin(
    predictions: Sequence[Predictions], settings: RedshiftScores, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return ``scores_by_bin.csv``: scores in bins of zspec, zphot and reference magnitude.

    Bins hold equal numbers of objects of all seeds together and are the same for all models. Bins
    of zphot have the edges of those of zspec, so that a model more or less changes no other
    model's row; their first and last bin take in what lies beyond. Objects without a reference
    magnitude are in no bin of it. A bin without objects has no row; a seed without objects in a
    bin has none, and doesn't enter the mean over seeds.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models tested on the same objects (`score_tables.read_predictions`).
    settings : RedshiftScores
        Conventions, number of bins.
    bootstrap : Bootstrap
        Replicates, level and seed.
    """
    known = redshift_metrics(settings)
    metrics = {metric: function for metric, function in known.items() if metric.metric in BINNED}
    counts = counts_by_seed(predictions, bootstrap)
    edges = _edges(predictions[0].frame, settings.bins)
    rows: list[dict[str, Any]] = []
    for variable in VARIABLES:
        limits = edges[variable]
        for prediction in predictions:
            frames = {seed: prediction.of_seed(seed) for seed in prediction.seeds}
            for place in range(len(limits) - 1):
                by_seed = {}
                for seed, frame in frames.items():
                    inside = bin_numbers(_binned(frame, variable, limits), limits) == place
                    if inside.any():
                        zspec, zphot = (
                            frame[name].to_numpy()[inside] for name in ("zspec", "zphot")
                        )
                        by_seed[seed] = score(zspec, zphot, counts[seed][:, inside], metrics)
                where = {
                    "variable": variable,
                    "bin_low": limits[place],
                    "bin_high": limits[place + 1],
                }
                rows += _bin_rows(prediction, by_seed, bootstrap.level, where)
    return pd.DataFrame(rows)


def _bin_rows(
    prediction: Predictions, by_seed: dict[int, Scores], level: float, where: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of one model in one bin: each seed and the mean over seeds."""
    if not by_seed:
        return []
    digests = prediction.test_digests
    labelled = {seed: (scores, digests[seed]) for seed, scores in by_seed.items()}
    labelled[ALL] = (mean_over_seeds(list(by_seed.values())), combined_digest(digests))
    return [
        row
        for seed, (scores, digest) in labelled.items()
        for row in score_rows(
            scores, level, model=prediction.model, seed=seed, digest=digest, **where
        )
    ]


def _binned(frame: pd.DataFrame, variable: str, limits: np.ndarray) -> np.ndarray:
    values = frame[variable].to_numpy(dtype=float)
    return np.clip(values, limits[0], limits[-1]) if variable == "zphot" else values


def _edges(frame: pd.DataFrame, bins: int) -> dict[str, np.ndarray]:
    zspec = equal_count_edges(frame["zspec"].to_numpy(), bins)
    reference_mag = equal_count_edges(frame["reference_mag"].to_numpy(), bins)
    return {"zspec": zspec, "zphot": zspec, "reference_mag": reference_mag}


def _require_redshifts(frame: pd.DataFrame, model: str, seed: int) -> None:
    for name in ("zspec", "zphot"):
        lacking = frame.loc[~np.isfinite(frame[name].to_numpy()), "row_id"]
        if len(lacking):
            raise ValueError(
                f"{name} of row_id {lacking.iloc[0]} is missing in the predictions of {model}, "
                f"seed {seed} ({len(lacking)} objects in all); add {{cut: redshift_range}} to the "
                "sample's cuts"
            )
