"""Scores of decisions made from class probabilities: class sets and thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import (
    CLASS_SET,
    CLASS_SET_LEVEL,
    completeness_threshold,
    purity_threshold,
)
from sdssflow.classify.losses import class_codes
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.bootstrap import (
    interval,
    positive_or_nan,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.class_metrics import PROBABILITIES
from sdssflow.evaluate.metrics import ALL, Metric, Source
from sdssflow.evaluate.tables import (
    BINNED_COLUMNS,
    Columns,
    Predictions,
    Scorer,
    Scores,
    combined_digest,
    compare_models,
    mean_over_seeds,
)

SADINLE = Source("Sadinle, Lei & Wasserman 2019", "https://arxiv.org/abs/1609.00451")
OF_EACH_CLASS = f"class-conditional, {CLASS_SET_LEVEL:g} of each class"
# `term` takes a dict of `truth` (n,) and `sets` (n, 3) bool
# fmt: off
SET_METRICS = (
    Metric(CLASS_SET, OF_EACH_CLASS, "coverage", "",
        "fraction of objects whose class is in the set",
        f"Should be {CLASS_SET_LEVEL:g} for each class.",
        term=lambda c: np.take_along_axis(c["sets"], c["truth"][:, None], axis=1)[:, 0],
        fraction=True, nominal=CLASS_SET_LEVEL, source=SADINLE, binned=True),
    Metric(f"{CLASS_SET}_size", "classes in the set", "classes in the set", "",
        "mean number of classes in the set", "Below 1 where many sets are empty.",
        term=lambda c: c["sets"].sum(axis=1), binned=True),
    Metric(f"{CLASS_SET}_empty", "no class in the set", "empty sets", "",
        "fraction of objects without a class in the set",
        "Objects between classes: unlike 90 % of the objects of every class.",
        term=lambda c: ~c["sets"].any(axis=1), fraction=True, binned=True),
)
# fmt: on
SET_COLUMNS = [*BINNED_COLUMNS, "binomial_lower", "binomial_upper"]
POINT_COLUMNS = [
    "model", "subset", "aim", "wanted", "threshold", "seeds", "chosen",
    *(f"{of}{end}" for of in ("purity", "completeness") for end in ("", "_lower", "_upper")),
    "n", "data_digest",
]  # fmt: skip
Thresholds = dict[int, dict[int, float]]  # by seed and fold


def set_scores(
    columns: Columns, counts: np.ndarray, metrics: Sequence[Metric] = SET_METRICS
) -> Scores:
    """Score class sets for all objects and for each true class, with bootstrap replicates.

    `columns` are `truth` (n,) int, from `class_codes`, and `sets` (n, 3) bool, the classes in each
    set; `counts` are (replicates, n) uint8, from `bootstrap.draw_counts`.
    """
    truth = columns["truth"]
    of = {ALL: np.ones(len(truth), bool)}
    of |= {name: truth == code for code, name in enumerate(CLASSES)}
    found = [replace(metric, subset=subset) for metric in metrics for subset in of]
    terms = [metric.terms(columns) * of[metric.subset] for metric in found]
    inside = [of[metric.subset] for metric in found]
    summands = np.column_stack([*terms, *inside]).astype(np.float64)
    sums, total = np.split(weighted_sums(with_point_estimate(counts), summands), 2, axis=1)
    values = sums / positive_or_nan(total)
    return Scores(tuple(found), values[0], values[1:], total[0].astype(int))


def class_sets(
    predictions: Sequence[Predictions],
    settings: ClassScores,
    bootstrap: Bootstrap,
    counts: Mapping[int, np.ndarray],
) -> pd.DataFrame:
    """Return ``class_sets.csv``: `SET_COLUMNS`, mean over seeds.

    `variable` is ``all`` or ``reference_mag``. In addition to the bootstrap interval over groups,
    fractions have the exact binomial interval for the number of objects in one test part. Models
    without class sets have no rows.
    """
    known = [
        one for one in predictions if CLASS_SET in one.frame and one.frame[CLASS_SET].notna().all()
    ]
    if not known:
        return pd.DataFrame(columns=SET_COLUMNS)
    scorer = Scorer(SET_METRICS, _sets_of, set_scores, ("reference_mag",))
    tables = compare_models(known, scorer, settings.magnitude_bins, bootstrap, dict(counts))
    whole = tables["scores"].assign(variable=ALL, bin_low=np.nan, bin_high=np.nan)
    both = pd.concat(
        [whole, tables["scores_by_bin"].astype(whole.dtypes.to_dict() | {"seed": object})]
    )
    both = both[both["seed"].astype(str) == ALL].reset_index(drop=True)
    low, high = binomial_interval(both["value"] * both["n"], both["n"], bootstrap.level)
    fraction = both["metric"].isin([metric.name for metric in SET_METRICS if metric.fraction])
    both["binomial_lower"] = np.where(fraction, low, np.nan)
    both["binomial_upper"] = np.where(fraction, high, np.nan)
    return both[SET_COLUMNS]


def _sets_of(predictions: Predictions, seed: int) -> Columns:
    frame = predictions.of_seed(seed)
    sets = [frame[CLASS_SET].str.contains(name, regex=False).to_numpy(bool) for name in CLASSES]
    return {
        "truth": class_codes(frame["spec_class"].to_numpy(dtype=str)),
        "sets": np.column_stack(sets),
    }


def binomial_interval(
    hits: np.ndarray, n: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of a fraction (Clopper & Pearson 1934) at a two-sided level.

    `hits` may be fractional: those of several seeds are averaged.

    >>> low, high = binomial_interval(np.array([0.0, 9.0]), np.array([5000, 10]), 0.95)
    >>> low.round(3), high.round(4)
    (array([0.   , 0.555]), array([7.000e-04, 9.975e-01]))
    """
    hits, n = np.asarray(hits, float), np.asarray(n, float)
    tail = (1 - level) / 2
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-9), n - hits + 1, tail), 0.0)
    high = np.where(hits < n, betaincinv(hits + 1, np.maximum(n - hits, 1e-9), 1 - tail), 1.0)
    return low, high


def operating_points(
    predictions: Sequence[Predictions],
    held_out: Mapping[str, Mapping[int, Mapping[int, tuple[np.ndarray, np.ndarray]]]],
    settings: ClassScores,
    bootstrap: Bootstrap,
    counts: Mapping[int, np.ndarray],
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Choose thresholds on the calibration part and measure them on the test part.

    `predictions` and `counts` are for the test part; `held_out` (`classify.held_out`) has, by
    model, seed and fold, (n, 3) probabilities and (n,) true classes of the calibration part. The
    settings list the purities and completenesses to reach.

    Returns
    -------
    pandas.DataFrame
        ``operating_points.csv``: `POINT_COLUMNS`, means over the `seeds` with a threshold in every
        fold.
    list of dict
        The same with the threshold of each seed and fold, NaN as None: ``operating_points.json``.
    """
    choose = {"purity": purity_threshold, "completeness": completeness_threshold}
    aims = [(aim, wanted) for aim in choose for wanted in getattr(settings, aim)]
    rows, records = [], []
    for one in predictions:
        digest = combined_digest(one.test_digests)
        for code, name in enumerate(CLASSES):
            for aim, wanted in aims:
                thresholds: Thresholds = {
                    seed: {
                        fold: choose[aim](probability[:, code], truth == code, wanted)
                        for fold, (probability, truth) in held_out[one.model][seed].items()
                    }
                    for seed in one.seeds
                }
                about = {"model": one.model, "subset": name, "aim": aim, "wanted": wanted}
                row = about | _point(one, code, thresholds, bootstrap.level, counts)
                rows.append(row | {"data_digest": digest})
                of_folds = [
                    {"seed": seed, "fold": fold, "threshold": value}
                    for seed, by_fold in thresholds.items()
                    for fold, value in by_fold.items()
                ]
                record = {**rows[-1], "thresholds": of_folds}
                records.append(_without_nan(record))
    return pd.DataFrame(rows, columns=POINT_COLUMNS), records


def _point(
    one: Predictions,
    code: int,
    thresholds: Thresholds,
    level: float,
    counts: Mapping[int, np.ndarray],
) -> dict[str, Any]:
    """Return the columns that are measured on the test part."""
    metrics = (Metric("purity", "", ""), Metric("completeness", "", ""))
    found, chosen = [], []
    used: list[float] = []
    for seed, by_fold in thresholds.items():
        if not np.isfinite([*by_fold.values()]).all():
            continue
        frame = one.of_seed(seed)
        own = (frame["spec_class"] == CLASSES[code]).to_numpy()
        reached = frame[PROBABILITIES[code]].to_numpy() >= frame["fold"].map(by_fold).to_numpy()
        summands = np.column_stack([reached & own, reached, own]).astype(np.float64)
        hits, kept, members = weighted_sums(with_point_estimate(counts[seed]), summands).T
        values = np.column_stack([hits / positive_or_nan(kept), hits / positive_or_nan(members)])
        found.append(Scores(metrics, values[0], values[1:], np.full(2, own.sum())))
        chosen.append(kept[0])
        used += by_fold.values()
    row: dict[str, Any] = {"threshold": np.nan, "seeds": len(found), "chosen": np.nan, "n": np.nan}
    if not found:
        nothing = [f"{metric.name}{end}" for metric in metrics for end in ("", "_lower", "_upper")]
        return row | dict.fromkeys(nothing, np.nan)
    mean = mean_over_seeds(found)
    row |= {"threshold": np.mean(used), "chosen": np.mean(chosen), "n": mean.n[0]}
    ends = interval(mean.replicates, level)
    for metric, value, lower, upper in zip(metrics, mean.values, *ends, strict=True):
        # no resampling changes 0 and 1: the exact interval
        of = {"purity": row["chosen"], "completeness": row["n"]}[metric.name]
        if value in (0.0, 1.0):
            (lower,), (upper,) = binomial_interval(np.array([value * of]), np.array([of]), level)
        row |= {metric.name: value, f"{metric.name}_lower": lower, f"{metric.name}_upper": upper}
    return row


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.integer):
        return int(value)
    return None if isinstance(value, float) and np.isnan(value) else value
