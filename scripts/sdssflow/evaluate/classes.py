"""All score tables of the classifiers of one split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.scores import Bootstrap, ClassScores
from sdssflow.evaluate.bootstrap import (
    interval,
    positive_or_nan,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.class_metrics import (
    BINNED,
    class_codes,
    class_scores,
    confusion_summands,
    per_bin,
)
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.tables import (
    BINNED_COLUMNS,
    Predictions,
    bin_numbers,
    combined_digest,
    counts_by_seed,
    differences_table,
    equal_count_edges,
    mean_over_seeds,
    score_rows,
    scores_table,
)

PROBABILITIES = [f"probability_{name}" for name in CLASSES]


@dataclass(frozen=True)
class _SeedOfModel:
    """One model's predictions for one seed, as arrays."""

    truth: np.ndarray
    probability: np.ndarray
    reference_mag: np.ndarray
    counts: np.ndarray


def compare_classifiers(
    predictions: Sequence[Predictions], settings: ClassScores, bootstrap: Bootstrap
) -> dict[str, pd.DataFrame]:
    """Score all models of one split.

    Parameters
    ----------
    predictions : sequence of Predictions
        One per model, about the same objects (`tables.read_predictions`).
    settings : ClassScores
        Bins.
    bootstrap : Bootstrap
        Replicates, seed and level of the intervals.

    Returns
    -------
    dict of str to pandas.DataFrame
        `scores`, `differences`, `scores_by_bin`, `confusion`, `reliability`; columns as
        docs/architecture.md lists them.
    """
    first = predictions[0]
    counts = counts_by_seed(predictions, bootstrap)
    models = {
        one.model: {seed: _arrays(one, seed, counts[seed]) for seed in first.seeds}
        for one in predictions
    }
    scores = {
        model: {
            seed: class_scores(data.truth, data.probability, data.counts, settings)
            for seed, data in by_seed.items()
        }
        for model, by_seed in models.items()
    }
    level, digests = bootstrap.level, first.test_digests
    return {
        "scores": scores_table(scores, level, digests),
        "differences": differences_table(scores, level),
        "scores_by_bin": _by_magnitude(models, settings, level, combined_digest(digests)),
        "confusion": _confusion(models),
        "reliability": _reliability(models, settings, level),
    }


def _arrays(predictions: Predictions, seed: int, counts: np.ndarray) -> _SeedOfModel:
    frame = predictions.of_seed(seed)
    return _SeedOfModel(
        class_codes(frame["spec_class"].to_numpy(dtype=str)),
        frame[PROBABILITIES].to_numpy(dtype=np.float64),
        frame["reference_mag"].to_numpy(dtype=np.float64),
        counts,
    )


def confusion_table(truth: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Return counts and row-normalised fractions: `truth, predicted, count, fraction`."""
    cells = confusion_summands(truth, probability).sum(axis=0)
    matrix = cells.reshape(len(CLASSES), len(CLASSES))
    fraction = matrix / positive_or_nan(matrix.sum(axis=1, keepdims=True))
    return pd.DataFrame(
        {
            "truth": np.repeat(CLASSES, len(CLASSES)),
            "predicted": np.tile(CLASSES, len(CLASSES)),
            "count": matrix.ravel().astype(int),
            "fraction": fraction.ravel(),
        }
    )


def reliability_table(
    truths: list[np.ndarray],
    probabilities: list[np.ndarray],
    counts: list[np.ndarray],
    settings: ClassScores,
    level: float,
) -> pd.DataFrame:
    """Return the calibration curves, pooled over seeds.

    Parameters
    ----------
    truths, probabilities, counts : lists, one entry per seed
        As for `class_scores`.
    settings : ClassScores
        Number of bins.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        `subset` (``all``: the most probable class, else the probability of that class),
        `bin_low`, `bin_high`, `n` (predictions of all seeds), `mean_probability`, `fraction` of
        them that are right, `lower`, `upper`. Empty bins are left out.
    """
    bins = settings.calibration_bins
    edges = np.linspace(0, 1, bins + 1)
    tables = []
    for subset in (ALL, *CLASSES):
        sums = np.zeros((1 + len(counts[0]), 3 * bins))
        for truth, probability, count in zip(truths, probabilities, counts, strict=True):
            stated, right = _stated(truth, probability, subset)
            summands = [per_bin(stated, bins, of) for of in (np.ones_like(stated), stated, right)]
            sums += weighted_sums(with_point_estimate(count), np.hstack(summands))
        number, stated_sum, right_sum = np.split(sums, 3, axis=1)
        fraction = right_sum / positive_or_nan(number)
        lower, upper = interval(fraction[1:], level)
        table = pd.DataFrame(
            {
                "subset": subset,
                "bin_low": edges[:-1],
                "bin_high": edges[1:],
                "n": number[0].astype(int),
                "mean_probability": (stated_sum / positive_or_nan(number))[0],
                "fraction": fraction[0],
                "lower": lower,
                "upper": upper,
            }
        )
        tables.append(table[table["n"] > 0])
    return pd.concat(tables, ignore_index=True)


def _stated(truth: np.ndarray, probability: np.ndarray, subset: str) -> tuple[np.ndarray, ...]:
    """Return the probability that is tested and, as numbers, whether it was right."""
    if subset == ALL:
        return probability.max(axis=1), (probability.argmax(axis=1) == truth).astype(float)
    code = CLASSES.index(subset)
    return probability[:, code], (truth == code).astype(float)


def _by_magnitude(
    models: dict[str, dict[int, _SeedOfModel]], settings: ClassScores, level: float, digest: str
) -> pd.DataFrame:
    anyone = next(iter(models.values()))
    magnitudes = np.concatenate([data.reference_mag for data in anyone.values()])
    edges = equal_count_edges(magnitudes, settings.magnitude_bins)
    rows = []
    for model, by_seed in models.items():
        for number, (low, high) in enumerate(itertools.pairwise(edges)):
            scores = []
            for data in by_seed.values():
                inside = bin_numbers(data.reference_mag, edges) == number
                scores.append(
                    class_scores(
                        data.truth[inside],
                        data.probability[inside],
                        data.counts[:, inside],
                        settings,
                        BINNED,
                    )
                )
            place = {"variable": "reference_mag", "bin_low": low, "bin_high": high}
            mean = mean_over_seeds(scores)
            rows += score_rows(mean, level, model=model, seed=ALL, digest=digest, **place)
    return pd.DataFrame(rows, columns=BINNED_COLUMNS)


def _confusion(models: dict[str, dict[int, _SeedOfModel]]) -> pd.DataFrame:
    tables = []
    for model, by_seed in models.items():
        pooled = (
            np.concatenate([data.truth for data in by_seed.values()]),
            np.concatenate([data.probability for data in by_seed.values()]),
        )
        each = {seed: (data.truth, data.probability) for seed, data in by_seed.items()}
        for seed, (truth, probability) in {**each, ALL: pooled}.items():
            tables.append(confusion_table(truth, probability).assign(model=model, seed=seed))
    columns = ["model", "seed", "truth", "predicted", "count", "fraction"]
    return pd.concat(tables, ignore_index=True)[columns]


def _reliability(
    models: dict[str, dict[int, _SeedOfModel]], settings: ClassScores, level: float
) -> pd.DataFrame:
    tables = []
    for model, by_seed in models.items():
        table = reliability_table(
            [data.truth for data in by_seed.values()],
            [data.probability for data in by_seed.values()],
            [data.counts for data in by_seed.values()],
            settings,
            level,
        )
        table.insert(0, "model", model)
        table.insert(1, "seed", ALL)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
