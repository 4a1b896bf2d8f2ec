"""Scores in bins of redshift and magnitude: the bins, and the rows of their table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sdssflow.evaluate.score_tables import (
    ALL,
    BINNED_COLUMNS,
    Predictions,
    Scores,
    bin_numbers,
    combined_digest,
    equal_count_edges,
    mean_over_seeds,
    score_rows,
)

VARIABLES = ("zspec", "zphot", "reference_mag")
ScoreInBin = Callable[[int, np.ndarray], Scores]


def score_bins(
    predictions: Sequence[Predictions],
    bins: int,
    level: float,
    scorer: Callable[[Predictions], ScoreInBin],
) -> pd.DataFrame:
    """Score models in bins of zspec, zphot and reference magnitude.

    Bins hold equal numbers of objects of all seeds together and are the same for all models. Bins
    of zphot have the edges of those of zspec, so that a model more or less changes no other
    model's row; their first and last bin take in what lies beyond. Objects without a reference
    magnitude are in no bin of it. A bin without objects has no row; a seed without objects in a
    bin has none, and doesn't enter the mean over seeds.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of models tested on the same objects (`score_tables.read_predictions`).
    bins : int
        Number of bins wanted.
    level : float
        Confidence level of the intervals.
    scorer : callable
        Takes the predictions of a model; returns a function from a seed and an (n,) bool array,
        which of its objects are in a bin (at least one), to their scores.

    Returns
    -------
    pandas.DataFrame
        `score_tables.BINNED_COLUMNS`.
    """
    rows: list[dict[str, Any]] = []
    for variable, edges in _edges(predictions[0].frame, bins).items():
        for prediction in predictions:
            score = scorer(prediction)
            for low, high, inside in _bins(prediction, variable, edges):
                by_seed = {seed: score(seed, chosen) for seed, chosen in inside.items()}
                where = {"variable": variable, "bin_low": low, "bin_high": high}
                rows += _bin_rows(prediction, by_seed, level, where)
    return pd.DataFrame(rows, columns=BINNED_COLUMNS)


def _edges(frame: pd.DataFrame, bins: int) -> dict[str, np.ndarray]:
    zspec, magnitude = (
        equal_count_edges(frame[name].to_numpy(), bins) for name in ("zspec", "reference_mag")
    )
    return dict(zip(VARIABLES, (zspec, zspec, magnitude), strict=True))


def _bins(
    prediction: Predictions, variable: str, edges: np.ndarray
) -> Iterator[tuple[float, float, dict[int, np.ndarray]]]:
    """Yield low end, high end and, for each seed with objects there, which are in each bin."""
    if not len(edges):
        return
    numbers = {}
    for seed in prediction.seeds:
        values = prediction.of_seed(seed)[variable].to_numpy(dtype=float)
        if variable == "zphot":
            values = np.clip(values, edges[0], edges[-1])
        numbers[seed] = bin_numbers(values, edges)
    for place in range(len(edges) - 1):
        inside = {seed: number == place for seed, number in numbers.items()}
        yield edges[place], edges[place + 1], {s: rows for s, rows in inside.items() if rows.any()}


def _bin_rows(
    prediction: Predictions, by_seed: Mapping[int, Scores], level: float, where: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of one model in one bin: each seed and the mean over seeds."""
    if not by_seed:
        return []
    digests = prediction.test_digests
    labelled: dict[int | str, tuple[Scores, str]] = {
        seed: (scores, digests[seed]) for seed, scores in by_seed.items()
    }
    labelled[ALL] = (mean_over_seeds(list(by_seed.values())), combined_digest(digests))
    return [
        row
        for seed, (scores, digest) in labelled.items()
        for row in score_rows(
            scores, level, model=prediction.model, seed=seed, digest=digest, **where
        )
    ]
