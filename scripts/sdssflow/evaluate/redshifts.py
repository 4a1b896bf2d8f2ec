"""Tables of redshift scores: per model and seed, by bin, and differences between models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate import paper_metrics, redshift_metrics
from sdssflow.evaluate.tables import Columns, Predictions, Scorer, compare_models


def compare_regressors(
    predictions: Sequence[Predictions], settings: RedshiftScores, bootstrap: Bootstrap
) -> dict[str, pd.DataFrame]:
    """Score all models of one split by their point redshifts of the same objects.

    The metrics are those of every run, then those of the papers named in the settings. Returns
    `scores`, `differences` and `scores_by_bin`, with the columns listed in docs/architecture.md.
    ValueError if a redshift is missing.
    """
    return compare_models(predictions, scorer(settings), settings.bins, bootstrap)


def scorer(settings: RedshiftScores) -> Scorer:
    """Return the scorer of point redshifts."""
    epsilon = settings.mape_epsilon
    metrics = (
        *(metric.bound(epsilon=epsilon) for metric in redshift_metrics.METRICS),
        *paper_metrics.of_conventions(settings.conventions),
    )
    return Scorer(metrics, point_columns, partial(redshift_metrics.score, epsilon=epsilon))


def point_columns(prediction: Predictions, seed: int) -> Columns:
    """Return `zspec` and `zphot` of one seed; ValueError if one is missing."""
    frame = prediction.of_seed(seed)
    for name in ("zspec", "zphot"):
        lacking = ~np.isfinite(frame[name].to_numpy())
        if lacking.any():
            raise ValueError(
                f"{name} of row_id {frame['row_id'][lacking].iloc[0]} is missing in the "
                f"predictions of {prediction.model}, seed {seed} ({lacking.sum()} objects in all); "
                "add {cut: redshift_range} to the sample's cuts"
            )
    return {name: frame[name].to_numpy() for name in ("zspec", "zphot")}
