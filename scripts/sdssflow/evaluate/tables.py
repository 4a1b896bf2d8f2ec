"""Long score tables with confidence intervals, for all tasks."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.bootstrap import bound_certain_fraction, draw_counts, interval
from sdssflow.evaluate.metrics import ALL, Metric
from sdssflow.logs import progress
from sdssflow.tables import DIGEST_LENGTH, metadata, read_parquet

ABOUT_COLUMNS = ["model", "seed", "metric", "convention", "subset"]
SCORE_COLUMNS = ["value", "lower", "upper", "n", "data_digest"]
BIN_COLUMNS = ["variable", "bin_low", "bin_high"]
BINNED_COLUMNS = [*ABOUT_COLUMNS, *BIN_COLUMNS, *SCORE_COLUMNS]
DIFFERENCE_COLUMNS = ["model", "other", "metric", "value", "lower", "upper"]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Metrics of one model on one set of objects, with bootstrap replicates.

    For k metrics: (k,) float64 `values`, NaN where undefined, (r, k) `replicates`, and (k,) numbers
    of objects `n`.
    """

    metrics: tuple[Metric, ...]
    values: np.ndarray
    replicates: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """The test predictions of one model for all seeds, with the digest of each seed's test table.

    docs/architecture.md lists the columns of `frame` (predictions.parquet).
    """

    model: str
    frame: pd.DataFrame
    test_digests: dict[int, str]

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted(self.test_digests)

    def of_seed(self, seed: int) -> pd.DataFrame:
        """Return the rows of one seed; the folds of a cross-validation are pooled."""
        return self.frame[self.frame["seed"] == seed].reset_index(drop=True)


def read_predictions(paths: Iterable[str | Path], models: Sequence[str]) -> list[Predictions]:
    """Read the predictions of several models for the same objects.

    ValueError if a file belongs to another model than the one in `models`, or two models were
    tested on different objects.
    """
    read: list[Predictions] = []
    for path, model in zip(paths, models, strict=True):
        table = read_parquet(path)
        about = metadata(table.schema)
        if about.get("model") != model:
            raise ValueError(f"{path}: predictions of {about.get('model')!r}, not of {model!r}")
        digests = {int(seed): digest for seed, digest in about["test_digests"].items()}
        read.append(Predictions(model, table.to_pandas(), digests))
        _check_same_objects(read[0], read[-1], path)
    return read


def _check_same_objects(first: Predictions, other: Predictions, path: str | Path) -> None:
    keys = ["row_id", "seed", "fold"]
    same = first.test_digests == other.test_digests and first.frame[keys].equals(other.frame[keys])
    if not same:
        raise ValueError(
            f"{path}: {other.model} and {first.model} were tested on different objects; "
            "remove the older predictions and run again"
        )


def counts_by_seed(
    predictions: Sequence[Predictions], bootstrap: Bootstrap
) -> dict[int, np.ndarray]:
    """Draw the bootstrap counts once per seed, for all models of the same objects."""
    first = predictions[0]
    return {
        seed: draw_counts(first.of_seed(seed)["group"].to_numpy(dtype=str), bootstrap)
        for seed in first.seeds
    }


def equal_count_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the ascending edges of `bins` bins with equal numbers of `values`, ignoring NaN.

    Repeated values may give fewer bins, equal values give one, and no values give no edges.

    >>> equal_count_edges(np.array([1.0, 2.0, 3.0, 5.0]), 2), equal_count_edges(np.ones(4), 2)
    (array([1. , 2.5, 5. ]), array([1., 1.]))
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1))) if len(finite) else finite
    return edges.repeat(2) if len(edges) == 1 else edges


def bin_numbers(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each value: low <= value < high, the last bin including its upper edge.

    Values outside the edges and NaN get -1.
    """
    values = np.asarray(values, dtype=float)
    numbers = np.searchsorted(edges, values, side="right") - 1
    numbers[values == edges[-1]] = len(edges) - 2
    outside = ~((values >= edges[0]) & (values <= edges[-1]))
    return np.where(outside, -1, numbers)


def mean_over_seeds(scores: Sequence[Scores]) -> Scores:
    """Average scores over seeds, replicate by replicate, ignoring seeds where undefined.

    Seeds share the draws of groups, so the spread of the averaged replicates is the sampling error
    of the mean. `n` becomes the mean number of objects per seed, rounded.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return Scores(
            scores[0].metrics,
            np.nanmean([score.values for score in scores], axis=0),
            np.nanmean([score.replicates for score in scores], axis=0),
            np.rint(np.mean([score.n for score in scores], axis=0)).astype(int),
        )


def _seed_rows(
    model: str,
    by_seed: Mapping[int, Scores],
    level: float,
    test_digests: Mapping[int, str],
    **more: Any,
) -> list[dict[str, Any]]:
    """Return the rows of a score table of one model: each seed and the mean over seeds."""
    labelled: list[tuple[int | str, Scores, str]] = [
        (seed, by_seed[seed], test_digests[seed]) for seed in sorted(by_seed)
    ]
    labelled.append((ALL, mean_over_seeds(list(by_seed.values())), combined_digest(test_digests)))
    return [
        row
        for seed, score, digest in labelled
        for row in score_rows(score, level, {"model": model, "seed": seed}, more, digest)
    ]


def score_rows(
    score: Scores, level: float, about: dict[str, Any], more: dict[str, Any], digest: str
) -> list[dict[str, Any]]:
    """Return one row per metric, with interval; the columns `more` precede the value.

    A fraction of 0 or 1 is the same in every replicate; it has the exact binomial interval instead
    (`bootstrap.bound_certain_fraction`). Other scores that no replicate changes, such as those of a
    single object, have no interval.
    """
    lower, upper = interval(score.replicates, level)
    drawn = score.replicates
    unmoved = (np.isclose(drawn, score.values, rtol=1e-9, atol=0) | np.isnan(drawn)).all(axis=0)
    lower[unmoved] = upper[unmoved] = np.nan
    rows = []
    for metric, value, low, high, n in zip(
        score.metrics, score.values, lower, upper, score.n, strict=True
    ):
        if metric.fraction:
            low, high = bound_certain_fraction(value, low, high, n, level)
        values = {"value": value, "lower": low, "upper": high, "n": n, "data_digest": digest}
        rows.append({**about, **metric.key, **more, **values})
    return rows


def _differences(scores: Mapping[str, Mapping[int, Scores]], level: float) -> pd.DataFrame:
    """Return ``differences.csv``: `model` minus `other` for every pair, for `compared` metrics.

    All models share the draws of groups.
    """
    means = {model: mean_over_seeds(list(by_seed.values())) for model, by_seed in scores.items()}
    rows = []
    for model, other in itertools.combinations(means, 2):
        replicates = means[model].replicates - means[other].replicates
        values = means[model].values - means[other].values
        ends = interval(replicates, level)
        for metric, *numbers in zip(means[model].metrics, values, *ends, strict=True):
            if metric.compared:
                rows.append((model, other, metric.name, *numbers))
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def combined_digest(test_digests: Mapping[int, str]) -> str:
    """Combine the digests of the test tables of all seeds; a single digest is unchanged."""
    if len(test_digests) == 1:
        return next(iter(test_digests.values()))
    text = "".join(f"{seed}:{digest};" for seed, digest in sorted(test_digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


class Scorer(NamedTuple):
    """How the models of a task are scored, and in bins of which variables.

    `columns` takes predictions and a seed and returns arrays of n objects; `score` takes these,
    (replicates, n) counts and metrics, and returns Scores.
    """

    metrics: tuple[Metric, ...]
    columns: Callable[[Predictions, int], Columns]
    score: Callable[[Columns, np.ndarray, tuple[Metric, ...]], Scores]
    variables: tuple[str, ...] = ("zspec", "zphot", "reference_mag")


def compare_models(
    predictions: Sequence[Predictions],
    scorer: Scorer,
    bins: int,
    bootstrap: Bootstrap,
    counts: Mapping[int, np.ndarray] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables `scores`, `differences` and `scores_by_bin` of models of the same objects.

    In `bins` bins of each variable, only metrics with `binned` are scored. `counts` are from
    `counts_by_seed`, if already drawn.
    """
    counts = counts or counts_by_seed(predictions, bootstrap)
    return {
        **score_models(predictions, scorer, bootstrap, counts),
        "scores_by_bin": scores_by_bin(predictions, scorer, bins, counts, bootstrap.level),
    }


def score_models(
    predictions: Sequence[Predictions],
    scorer: Scorer,
    bootstrap: Bootstrap,
    counts: Mapping[int, np.ndarray] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return only `scores` and `differences`; parameters as in `compare_models`."""
    counts = counts or counts_by_seed(predictions, bootstrap)
    scores = {
        one.model: {
            seed: scorer.score(scorer.columns(one, seed), counts[seed], scorer.metrics)
            for seed in one.seeds
        }
        for one in progress(predictions, len(predictions), "scoring")
    }
    digests, level = predictions[0].test_digests, bootstrap.level
    rows = [
        row
        for model, by_seed in scores.items()
        for row in _seed_rows(model, by_seed, level, digests)
    ]
    return {
        "scores": pd.DataFrame(rows, columns=[*ABOUT_COLUMNS, *SCORE_COLUMNS]),
        "differences": _differences(scores, level),
    }


def mean_score(one: Predictions, scorer: Scorer, counts: Mapping[int, np.ndarray]) -> Scores:
    """Score one model, mean over its seeds, with counts from `counts_by_seed`."""
    return mean_over_seeds(
        [scorer.score(scorer.columns(one, s), counts[s], scorer.metrics) for s in one.seeds]
    )


def scores_by_bin(
    predictions: Sequence[Predictions],
    scorer: Scorer,
    bins: int,
    counts: Mapping[int, np.ndarray],
    level: float,
) -> pd.DataFrame:
    """Score models in bins of the scorer's variables: `BINNED_COLUMNS`.

    Bins have equal numbers of objects, all seeds together, and are the same for all models. Bins of
    zphot have the edges of those of zspec, so that the set of models doesn't change them; the first
    and last include all beyond. Objects without a reference magnitude are in none of its bins. A
    seed without objects in a bin has no row there and is ignored in the mean over seeds.
    """
    metrics = tuple(metric for metric in scorer.metrics if metric.binned)
    rows: list[dict[str, Any]] = []
    for variable in scorer.variables:
        edges = equal_count_edges(
            predictions[0].frame["zspec" if variable == "zphot" else variable].to_numpy(), bins
        )
        for one in predictions:
            columns = {seed: scorer.columns(one, seed) for seed in one.seeds}
            for low, high, inside in _bins(one, variable, edges):
                by_seed = {}
                for seed, chosen in inside.items():
                    some = {name: values[chosen] for name, values in columns[seed].items()}
                    by_seed[seed] = scorer.score(some, counts[seed][:, chosen], metrics)
                if by_seed:
                    where = {"variable": variable, "bin_low": low, "bin_high": high}
                    rows += _seed_rows(one.model, by_seed, level, one.test_digests, **where)
    return pd.DataFrame(rows, columns=BINNED_COLUMNS)


def _bins(
    prediction: Predictions, variable: str, edges: np.ndarray
) -> Iterator[tuple[float, float, dict[int, np.ndarray]]]:
    """Yield the edges of each bin and a mask of its objects for each seed that has any."""
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
