"""The metrics of star/galaxy/quasar probabilities, and the score tables of the classifiers.

Metrics are computed for all bootstrap replicates at once. Means over classes include only classes
that occur in the truth. docs/metric_conventions.md lists the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.losses import class_codes, log_losses
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.bootstrap import (
    interval,
    positive_or_nan,
    ranking_area,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.metrics import ALL, Metric, Source
from sdssflow.evaluate.tables import (
    Columns,
    Predictions,
    Scorer,
    Scores,
    bin_numbers,
    compare_models,
    counts_by_seed,
)

PROBABILITIES = [f"probability_{name}" for name in CLASSES]
BRIER = Source("Brier 1950", "https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2")
GUO = Source("Guo et al. 2017", "https://arxiv.org/abs/1706.04599")


def per_bin(probability: np.ndarray, bins: int, values: np.ndarray) -> np.ndarray:
    """Return (n, bins): each of the `values` in the column of the bin of its `probability`."""
    numbers = bin_numbers(np.clip(probability, 0, 1), np.linspace(0, 1, bins + 1))
    return np.eye(bins)[numbers] * values[:, None]


@dataclass(frozen=True)
class ClassSums:
    """What a class metric is computed from, for m weightings of n objects.

    `truth` are (n,) int codes of the true classes (`losses.class_codes`), `probability` is (n, 3)
    float64; `weights`, (m, n), are 1 in the first row; `bins` is the number of calibration bins.
    """

    truth: np.ndarray
    probability: np.ndarray
    weights: np.ndarray
    bins: int = 10

    @cached_property
    def _sums(self) -> np.ndarray:
        """Sums of log-loss, Brier score and, in each bin, hit minus probability and variance."""
        truth, probability = self.truth, self.probability
        loss = log_losses(probability, truth)
        brier = ((probability - np.eye(len(CLASSES))[truth]) ** 2).sum(axis=1)
        top = probability.max(axis=1)
        gap = per_bin(top, self.bins, (probability.argmax(axis=1) == truth) - top)
        variance = per_bin(top, self.bins, top * (1 - top))
        return weighted_sums(self.weights, np.column_stack([loss, brier, gap, variance]))

    @cached_property
    def cells(self) -> np.ndarray:
        """(m, 3, 3) confusion matrices, true class by predicted class."""
        sums = weighted_sums(self.weights, confusion_summands(self.truth, self.probability))
        return sums.reshape(-1, len(CLASSES), len(CLASSES))

    @property
    def hits(self) -> np.ndarray:
        """(m, 3) correctly classified objects of each class."""
        return np.diagonal(self.cells, axis1=1, axis2=2)

    @property
    def total(self) -> np.ndarray:
        """(m,) number of objects, NaN for none."""
        return positive_or_nan(self.cells.sum(axis=2).sum(axis=1))

    @property
    def present(self) -> np.ndarray:
        """(3,) which classes occur."""
        return self.cells[0].sum(axis=1) > 0

    @property
    def precision(self) -> np.ndarray:
        """(m, 3) purity of each class."""
        predicted = self.cells.sum(axis=1)
        precision = np.where(predicted > 0, self.hits / positive_or_nan(predicted), 0.0)
        precision[:, ~self.present] = np.nan
        return precision

    @property
    def recall(self) -> np.ndarray:
        """(m, 3) completeness of each class."""
        return self.hits / positive_or_nan(self.cells.sum(axis=2))

    @property
    def f1(self) -> np.ndarray:
        """(m, 3) F1 of each class."""
        f1 = 2 * self.hits / positive_or_nan(self.cells.sum(axis=2) + self.cells.sum(axis=1))
        f1[:, ~self.present] = np.nan
        return f1

    @cached_property
    def area(self) -> np.ndarray:
        """(m, 3) area under the ROC curve of each class against the rest."""
        return np.column_stack(
            [
                ranking_area(self.probability[:, code], self.truth == code, self.weights)
                for code in range(len(CLASSES))
            ]
        )

    @property
    def loss(self) -> np.ndarray:
        """(m,) mean log-loss."""
        return self._sums[:, 0] / self.total

    @property
    def brier(self) -> np.ndarray:
        """(m,) mean Brier score."""
        return self._sums[:, 1] / self.total

    @property
    def calibration_error(self) -> np.ndarray:
        """(m,) expected calibration error of the most probable class."""
        return np.abs(self._sums[:, 2 : 2 + self.bins]).sum(axis=1) / self.total

    @property
    def chance_error(self) -> np.ndarray:
        """(m,) expected calibration error of these probabilities if they were calibrated.

        The sum of hit minus probability over a bin is then nearly Gaussian with mean 0; its mean
        absolute value is sqrt(2 / pi) times its standard deviation.
        """
        spread = np.sqrt(2 / np.pi * self._sums[:, 2 + self.bins :])
        return spread.sum(axis=1) / self.total

    def mean(self, of_classes: np.ndarray) -> np.ndarray:
        """Return the (m,) means over the classes that occur; NaN if none does."""
        if not self.present.any():
            return np.full(len(of_classes), np.nan)
        return of_classes[:, self.present].mean(axis=1)


# `value` takes `ClassSums` and returns (m,) values, (m, 3) of a metric `per_class`; the order is
# that of the rows of score tables
# fmt: off
METRICS = (
    Metric("accuracy", "fraction correct", "accuracy", "high", "correct / N",
        "Fraction of objects classified correctly.", value=lambda s: s.hits.sum(axis=1) / s.total,
        fraction=True, headline=1, drawn=1, compared=True, binned=True, subgroup=True,
        across_splits=True),
    Metric("balanced_accuracy", "mean over classes of recall", "balanced accuracy", "high",
        "mean of the classes' recalls", "Accuracy with equal weight for each class.",
        value=lambda s: s.mean(s.recall), binned=True, called="macro recall"),
    Metric("macro_precision", "mean over classes of precision", "macro precision", "high",
        "mean of the classes' precisions", "Purity with equal weight for each class.",
        value=lambda s: s.mean(s.precision), binned=True),
    Metric("macro_f1", "mean over classes of F1", "macro F1", "high", "mean of the classes' F1",
        "F1 with equal weight for each class.", value=lambda s: s.mean(s.f1), headline=2, drawn=2,
        compared=True, binned=True, subgroup=True, across_splits=True),
    Metric("precision", "purity; 0 if never predicted", "precision", "high",
        "true positives / predicted positives", "Purity of a class.",
        value=lambda s: s.precision, per_class=True, binned=True),
    Metric("recall", "completeness", "recall", "high", "true positives / actual positives",
        "Completeness of a class.", value=lambda s: s.recall, fraction=True, per_class=True,
        binned=True, subgroup=True),
    Metric("f1", "2TP / (2TP + FP + FN)", "F1", "high",
        "2 · precision · recall / (precision + recall)", "Harmonic mean of precision and recall.",
        value=lambda s: s.f1, per_class=True, binned=True),
    Metric("roc_auc", "mean over classes, one against the rest", "ROC AUC", "high",
        "P(p of a member > p of a non-member), mean over classes",
        "How well a class's probability ranks members above the rest; 0.5 is chance.",
        value=lambda s: s.mean(s.area), axis="ROC AUC (macro)", drawn=3),
    Metric("log_loss", "natural logarithm, clipped at 2.2e-16", "log-loss", "low",
        "−mean ln p(true class)", "Confident mistakes cost most.",
        value=lambda s: s.loss, drawn=4, compared=True, called="scikit-learn",
        across_splits=True),
    Metric("brier", "sum over classes, 0 to 2", "Brier score", "low",
        "mean Σ over classes (p − y)²", "Squared error of the probabilities, from 0 to 2.",
        value=lambda s: s.brier, source=BRIER, axis="Brier score (0 to 2)", drawn=5),
    Metric("ece", "top class, {bins} bins of equal width", "ECE", "low",
        "Σ over bins (n / N) · |accuracy − mean p|",
        "Expected calibration error of the predicted class's probability. Noise within the bins "
        "adds to it, more so in replicates: in small samples its interval may lie above its value.",
        value=lambda s: s.calibration_error, source=GUO, axis="calibration error (ECE)", drawn=6),
    Metric("ece_by_chance", "of right probabilities, as many objects", "ECE by chance", "low",
        "Σ over bins √(2/π · Σ p (1 − p)) / N",
        "The ECE of these probabilities if they were calibrated, from the noise within the bins "
        "alone. A model whose ECE is near it is calibrated.",
        value=lambda s: s.chance_error),
    Metric("roc_auc", "one against the rest", "ROC AUC", "high",
        "P(p of a member > p of a non-member)", "The same for one class.", value=lambda s: s.area,
        per_class=True),
)
# fmt: on


def class_scores(
    truth: np.ndarray,
    probability: np.ndarray,
    counts: np.ndarray,
    settings: ClassScores,
    metrics: tuple[Metric, ...] = METRICS,
) -> Scores:
    """Score (n, 3) float64 class probabilities, with bootstrap replicates.

    `truth` are (n,) int codes from `losses.class_codes`, `counts` (replicates, n) uint8 from
    `bootstrap.draw_counts`; `metrics` are from `METRICS`, all by default.
    """
    bins = settings.calibration_bins
    sums = ClassSums(truth, probability, with_point_estimate(counts), bins)
    found = tuple(
        replace(metric.bound(bins=bins), subset=subset)
        for metric in metrics
        for subset in (CLASSES if metric.per_class else (ALL,))
    )
    values = np.column_stack([metric.computed(sums) for metric in metrics])
    of_class = dict(zip(CLASSES, np.bincount(truth, minlength=len(CLASSES)), strict=True))
    n = np.array([of_class.get(metric.subset, len(truth)) for metric in found])
    return Scores(found, values[0], values[1:], n)


def confusion_summands(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return an (n, 9) array: 1 in the cell of the confusion matrix that an object is in."""
    return np.eye(len(CLASSES) ** 2)[truth * len(CLASSES) + probability.argmax(axis=1)]


def scorer(settings: ClassScores) -> Scorer:
    """Return the scorer of classifiers."""
    return Scorer(
        METRICS,
        _columns,
        lambda columns, counts, metrics: class_scores(
            **columns, counts=counts, settings=settings, metrics=metrics
        ),
        ("reference_mag",),
    )


def compare_classifiers(
    predictions: Sequence[Predictions],
    settings: ClassScores,
    bootstrap: Bootstrap,
    counts: Mapping[int, np.ndarray] | None = None,
) -> dict[str, pd.DataFrame]:
    """Score all models of one split, given by their predictions of the same objects.

    `counts` are from `tables.counts_by_seed`, if already drawn. Returns `scores`, `differences`,
    `scores_by_bin`, `confusion` and `reliability`, with the columns listed in docs/architecture.md.
    """
    counts = counts or counts_by_seed(predictions, bootstrap)
    bins = settings.magnitude_bins
    tables = compare_models(predictions, scorer(settings), bins, bootstrap, counts)
    bins = tables["scores_by_bin"]
    tables["scores_by_bin"] = bins[bins["seed"] == ALL].reset_index(drop=True)
    models = {one.model: {seed: _columns(one, seed) for seed in one.seeds} for one in predictions}
    return tables | {
        "confusion": _confusion(models),
        "reliability": _reliability(models, counts, settings, bootstrap.level),
    }


def _columns(predictions: Predictions, seed: int) -> Columns:
    frame = predictions.of_seed(seed)
    probability = frame[PROBABILITIES].to_numpy(dtype=np.float64)
    right = (probability >= 0).all(axis=1) & np.isclose(probability.sum(axis=1), 1, atol=1e-5)
    if not right.all():
        raise ValueError(
            f"class probabilities of row_id {frame['row_id'][~right].iloc[0]} are missing, "
            f"negative or do not sum to 1 in the predictions of {predictions.model}, seed {seed} "
            f"({np.sum(~right)} objects in all); remove such objects with a cut, or the model"
        )
    truth = class_codes(frame["spec_class"].to_numpy(dtype=str))
    return {"truth": truth, "probability": probability}


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


def _confusion(models: Mapping[str, Mapping[int, Columns]]) -> pd.DataFrame:
    tables = []
    for model, by_seed in models.items():
        pooled = {
            name: np.concatenate([columns[name] for columns in by_seed.values()])
            for name in ("truth", "probability")
        }
        for seed, each in [*by_seed.items(), (ALL, pooled)]:
            tables.append(confusion_table(**each).assign(model=model, seed=seed))
    columns = ["model", "seed", "truth", "predicted", "count", "fraction"]
    return pd.concat(tables, ignore_index=True)[columns]


def _reliability(
    models: Mapping[str, Mapping[int, Columns]],
    counts: Mapping[int, np.ndarray],
    settings: ClassScores,
    level: float,
) -> pd.DataFrame:
    """Return the calibration curves of each model, with columns `model` and `seed` (all)."""
    tables = []
    for model, by_seed in models.items():
        of_seeds = [*by_seed.values()], [counts[seed] for seed in by_seed]
        table = reliability_table(*of_seeds, settings, level)
        table.insert(0, "model", model)
        table.insert(1, "seed", ALL)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def reliability_table(
    seeds: Sequence[Columns], counts: Sequence[np.ndarray], settings: ClassScores, level: float
) -> pd.DataFrame:
    """Return the calibration curves, pooled over seeds: `truth` and `probability` of each.

    The columns are `subset` (a class, or ``all`` for the most probable class), `bin_low`,
    `bin_high`, `n` (predictions of all seeds), `mean_probability`, `fraction` correct, `lower`,
    `upper` (bootstrap) and `consistent_lower`, `consistent_upper`: where the fraction lies if the
    probabilities are calibrated (Bröcker & Smith 2007), binomial with the number of objects that
    one seed has in the bin. Empty bins are left out.
    """
    from scipy.stats import binom  # slow to import

    bins = settings.calibration_bins
    edges = np.linspace(0, 1, bins + 1)
    tables = []
    for subset in (ALL, *CLASSES):
        sums = np.zeros((1 + len(counts[0]), 3 * bins))
        for columns, count in zip(seeds, counts, strict=True):
            stated, right = _stated(**columns, subset=subset)
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
        table = table[table["n"] > 0]
        objects = np.ceil(table["n"] / len(seeds))
        ends = binom.interval(level, objects, np.clip(table["mean_probability"], 0, 1))
        names = ("consistent_lower", "consistent_upper")
        tables.append(
            table.assign(**{n: end / objects for n, end in zip(names, ends, strict=True)})
        )
    return pd.concat(tables, ignore_index=True)


def _stated(truth: np.ndarray, probability: np.ndarray, subset: str) -> tuple[np.ndarray, ...]:
    """Return the probability that is tested and, as 0 or 1, whether it was correct."""
    if subset == ALL:
        return probability.max(axis=1), (probability.argmax(axis=1) == truth).astype(float)
    code = CLASSES.index(subset)
    return probability[:, code], (truth == code).astype(float)
