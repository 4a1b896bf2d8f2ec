"""Scores of star/galaxy/quasar probabilities, each on all bootstrap replicates at once.

| metric | convention |
|---|---|
| accuracy | fraction of objects whose most probable class is the true one |
| balanced_accuracy | mean over classes of recall (macro recall) |
| precision, macro_precision | purity; 0 for a class that is never predicted |
| recall | completeness |
| f1, macro_f1 | harmonic mean of the two, 2TP / (2TP + FP + FN) |
| roc_auc | one class against the rest; `all`: mean over classes |
| log_loss | natural logarithm, probabilities clipped at 2.2e-16 (scikit-learn's) |
| brier | summed over the three classes: 0 to 2 |
| ece | top class, bins of equal width, weighted by their number (Guo et al. 2017) |

Means over classes are over those that occur in the truth.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.bootstrap import interval
from sdssflow.evaluate.score_tables import ALL, Metric, Scores, bin_numbers
from sdssflow.evaluate.weighted_sums import (
    positive_or_nan,
    ranking_area,
    weighted_sums,
    with_point_estimate,
)

COMPARED = ("accuracy", "macro_f1", "log_loss")
PROBABILITIES = [f"probability_{name}" for name in CLASSES]
TINY = np.finfo(np.float64).eps

_MEAN = "mean over classes of"
_CONFUSION_METRICS = (
    Metric("accuracy", "fraction correct"),
    Metric("balanced_accuracy", f"{_MEAN} recall"),
    Metric("macro_precision", f"{_MEAN} precision"),
    Metric("macro_f1", f"{_MEAN} F1"),
    *(Metric("precision", "purity; 0 if never predicted", name) for name in CLASSES),
    *(Metric("recall", "completeness", name) for name in CLASSES),
    *(Metric("f1", "2TP / (2TP + FP + FN)", name) for name in CLASSES),
)


def class_codes(classes: np.ndarray) -> np.ndarray:
    """Return the place of each class in `CLASSES`.

    Raises
    ------
    ValueError
        If a class is none of them.
    """
    classes = np.asarray(classes, dtype=str)
    codes = np.full(len(classes), -1)
    for code, name in enumerate(CLASSES):
        codes[classes == name] = code
    if (codes < 0).any():
        unknown = str(classes[codes < 0][0])
        raise ValueError(f"unknown class {unknown!r}; known: {', '.join(CLASSES)}")
    return codes


def class_scores(
    truth: np.ndarray, probability: np.ndarray, counts: np.ndarray, settings: ClassScores
) -> Scores:
    """Score class probabilities by every metric of this module's table.

    Parameters
    ----------
    truth : (n,) int array
        True classes, from `class_codes`.
    probability : (n, 3) float64 array
        Probability of each class.
    counts : (replicates, n) uint8 array
        From `bootstrap.draw_counts`.
    settings : ClassScores
        Number of calibration bins.
    """
    weights = with_point_estimate(counts)
    bins = settings.calibration_bins
    confusion_summands = _confusion_summands(truth, probability.argmax(axis=1))
    loss = -np.log(np.clip(probability[np.arange(len(truth)), truth], TINY, 1))
    brier = ((probability - np.eye(len(CLASSES))[truth]) ** 2).sum(axis=1)
    top = probability.max(axis=1)
    gap = (probability.argmax(axis=1) == truth) - top
    summands = [confusion_summands, loss[:, None], brier[:, None], _per_bin(top, bins, gap)]
    sums = weighted_sums(weights, np.hstack(summands))
    cells, sums = sums[:, : len(CLASSES) ** 2], sums[:, len(CLASSES) ** 2 :]
    total = positive_or_nan(cells.sum(axis=1))
    auc = np.column_stack(
        [ranking_area(probability[:, code], truth == code, weights) for code in range(len(CLASSES))]
    )
    present = np.isin(np.arange(len(CLASSES)), truth)
    values = np.column_stack(
        [
            confusion_scores(cells),
            auc[:, present].mean(axis=1) if present.any() else np.full(len(auc), np.nan),
            sums[:, 0] / total,
            sums[:, 1] / total,
            np.abs(sums[:, 2:]).sum(axis=1) / total,
            auc,
        ]
    )
    metrics = (
        *_CONFUSION_METRICS,
        Metric("roc_auc", "mean over classes, one against the rest"),
        Metric("log_loss", "natural logarithm, clipped at 2.2e-16"),
        Metric("brier", "sum over classes, 0 to 2"),
        Metric("ece", f"top class, {bins} bins of equal width"),
        *(Metric("roc_auc", "one against the rest", name) for name in CLASSES),
    )
    return Scores(metrics, values[0], values[1:], _numbers(metrics, truth))


def class_scores_in_bin(truth: np.ndarray, probability: np.ndarray, counts: np.ndarray) -> Scores:
    """Score by the metrics that come from the confusion matrix alone; as `class_scores`."""
    predicted = probability.argmax(axis=1)
    weights = with_point_estimate(counts)
    values = confusion_scores(weighted_sums(weights, _confusion_summands(truth, predicted)))
    return Scores(_CONFUSION_METRICS, values[0], values[1:], _numbers(_CONFUSION_METRICS, truth))


def confusion_scores(cells: np.ndarray) -> np.ndarray:
    """Compute accuracy, balanced accuracy and the precision, recall and F1 of the classes.

    Parameters
    ----------
    cells : (m, 9) array
        Confusion matrices, true class by predicted class. The first tells which classes occur.

    Returns
    -------
    (m, 13) float64 array
        In the order of accuracy, balanced_accuracy, macro_precision, macro_f1, then precision,
        recall and F1 of each class; NaN where undefined.
    """
    matrix = cells.reshape(-1, len(CLASSES), len(CLASSES))
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    true, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    present = true[0] > 0
    accuracy = hits.sum(axis=1) / positive_or_nan(true.sum(axis=1))
    precision = np.where(predicted > 0, hits / positive_or_nan(predicted), 0.0)
    precision[:, ~present] = np.nan
    recall = hits / positive_or_nan(true)
    f1 = 2 * hits / positive_or_nan(true + predicted)
    f1[:, ~present] = np.nan
    if present.any():
        means = [value[:, present].mean(axis=1) for value in (recall, precision, f1)]
    else:
        means = [np.full(len(matrix), np.nan)] * 3
    return np.column_stack([accuracy, *means, precision, recall, f1])


def confusion_table(truth: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Return counts and row-normalised fractions: `truth, predicted, count, fraction`."""
    cells = _confusion_summands(truth, probability.argmax(axis=1)).sum(axis=0)
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
            summands = [_per_bin(stated, bins, of) for of in (np.ones_like(stated), stated, right)]
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


def _confusion_summands(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.eye(len(CLASSES) ** 2)[truth * len(CLASSES) + predicted]


def _per_bin(probability: np.ndarray, bins: int, values: np.ndarray) -> np.ndarray:
    """Spread `values` over columns, one for each bin of equal width that `probability` is in."""
    numbers = bin_numbers(np.clip(probability, 0, 1), np.linspace(0, 1, bins + 1))
    return np.eye(bins)[numbers] * values[:, None]


def _numbers(metrics: tuple[Metric, ...], truth: np.ndarray) -> np.ndarray:
    of_class = dict(zip(CLASSES, np.bincount(truth, minlength=len(CLASSES)), strict=True))
    return np.array([of_class.get(metric.subset, len(truth)) for metric in metrics])
