"""Tables of redshift scores: per model and seed, by bin, and differences between models.

What each metric is: `redshift_metrics`, and `redshift_conventions` for those of single papers.
Each replicate of the bootstrap draws the same groups for all models and seeds, so differences
between models are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdssflow.configuration.scores import Bootstrap, RedshiftScores
from sdssflow.evaluate.bootstrap import replicate
from sdssflow.evaluate.redshift_conventions import convention_metrics
from sdssflow.evaluate.redshift_metrics import Statistic, normalised_residual, redshift_metrics
from sdssflow.evaluate.score_bins import ScoreInBin, score_bins
from sdssflow.evaluate.score_tables import Metric, Predictions, Scores, counts_by_seed
from sdssflow.logs import progress

# facts about the sample, not scores of a model: printed without an interval
WITHOUT_INTERVAL = ("mape_floored", "zspec_min")
# scatter, bias and outliers, robust where bins are small; r2 within a bin of redshift would compare
# with the spread of a sliver
BINNED = ("rmse", "bias_median", "sigma_nmad", "outlier_0.05")
COMPARED = ("sigma_nmad", "rmse", "r2")


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
        Conventions, and of which papers besides.
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
    metrics = redshift_metrics(settings) | convention_metrics(settings.conventions)
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

    Which bins these are: `score_bins`.

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

    def scorer(prediction: Predictions) -> ScoreInBin:
        frames = {seed: prediction.of_seed(seed) for seed in prediction.seeds}

        def score_in_bin(seed: int, inside: np.ndarray) -> Scores:
            zspec, zphot = (frames[seed][name].to_numpy()[inside] for name in ("zspec", "zphot"))
            return score(zspec, zphot, counts[seed][:, inside], metrics)

        return score_in_bin

    return score_bins(predictions, settings.bins, bootstrap.level, scorer)


def _require_redshifts(frame: pd.DataFrame, model: str, seed: int) -> None:
    for name in ("zspec", "zphot"):
        lacking = frame.loc[~np.isfinite(frame[name].to_numpy()), "row_id"]
        if len(lacking):
            raise ValueError(
                f"{name} of row_id {lacking.iloc[0]} is missing in the predictions of {model}, "
                f"seed {seed} ({len(lacking)} objects in all); add {{cut: redshift_range}} to the "
                "sample's cuts"
            )
