"""Long score tables with intervals: what the scores of classes and of redshifts have in common."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate.bootstrap import bound_certain_fraction, draw_counts, interval
from sdssflow.tables import DIGEST_LENGTH, metadata, read_parquet

ALL = "all"
ABOUT_COLUMNS = ["model", "seed", "metric", "convention", "subset"]
SCORE_COLUMNS = ["value", "lower", "upper", "n", "data_digest"]
FRACTIONS = (  # of all n objects
    "accuracy", "outlier_0.05", "outlier_0.15", "outlier_2sigma", "outlier_3sigma", "outlier_iqr",
    "within_0.1", "within_0.2", "within_0.3", "within_normalised_0.1", "pit_outliers",
    "coverage_68", "coverage_95", "conformal_68", "conformal_95",
)  # fmt: skip
BINNED_COLUMNS = [*ABOUT_COLUMNS, "variable", "bin_low", "bin_high", *SCORE_COLUMNS]


class Metric(NamedTuple):
    """What one row of a score table is about.

    Attributes
    ----------
    metric : str
        Name, such as ``macro_f1``.
    convention : str
        How it is defined where definitions differ.
    subset : str
        ``all`` or the name of a class.
    """

    metric: str
    convention: str
    subset: str = ALL


@dataclass(frozen=True)
class Scores:
    """Several metrics of one model on one set of objects, with their bootstrap replicates.

    Attributes
    ----------
    metrics : tuple of Metric
        The k metrics.
    values : (k,) float64 array
        Their values; NaN where undefined.
    replicates : (r, k) float64 array
        Their values on the replicates; NaN where undefined.
    n : (k,) int array
        Number of objects that each metric is about.
    """

    metrics: tuple[Metric, ...]
    values: np.ndarray
    replicates: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """The test predictions of one model, all seeds.

    Attributes
    ----------
    model : str
        Name of the model.
    frame : pandas.DataFrame
        Columns as docs/architecture.md lists them for predictions.parquet.
    test_digests : dict of int to str
        Digest of the test table of each seed.
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
    """Read the predictions of several models and see that they are about the same objects.

    Raises
    ------
    ValueError
        If a file belongs to another model than its place in `models` says, or two models were
        tested on other objects: their scores could not be compared.
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
            f"{path}: {other.model} was tested on other objects than {first.model}; "
            "remove the older predictions and run again"
        )


def counts_by_seed(
    predictions: Sequence[Predictions], bootstrap: Bootstrap
) -> dict[int, np.ndarray]:
    """Draw the bootstrap once per seed, for all models: they were tested on the same objects."""
    first = predictions[0]
    return {
        seed: draw_counts(first.of_seed(seed)["group"].to_numpy(dtype=str), bootstrap)
        for seed in first.seeds
    }


def equal_count_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the edges of bins that hold equal numbers of `values`.

    Parameters
    ----------
    values : (n,) array
        NaN are left out.
    bins : int
        Number of bins wanted.

    Returns
    -------
    (m + 1,) float64 array
        Ascending; m < `bins` where values repeat too often, empty if there are no values.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1))) if len(finite) else finite


def bin_numbers(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each value: low <= value < high, the last bin with its upper end.

    Values outside the edges and NaN get -1.
    """
    values = np.asarray(values, dtype=float)
    numbers = np.searchsorted(edges, values, side="right") - 1
    numbers[values == edges[-1]] = len(edges) - 2
    outside = ~((values >= edges[0]) & (values <= edges[-1]))
    return np.where(outside, -1, numbers)


def mean_over_seeds(scores: Sequence[Scores]) -> Scores:
    """Average scores over seeds, replicate by replicate, leaving out seeds where undefined.

    Replicates of different seeds drew the same groups, so the spread of the mean's replicates is
    the sampling error of the mean. `n` becomes the mean number of objects per seed, rounded.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return Scores(
            scores[0].metrics,
            np.nanmean([score.values for score in scores], axis=0),
            np.nanmean([score.replicates for score in scores], axis=0),
            np.rint(np.mean([score.n for score in scores], axis=0)).astype(int),
        )


def scores_table(
    scores: Mapping[str, Mapping[int, Scores]], level: float, test_digests: Mapping[int, str]
) -> pd.DataFrame:
    """Return ``scores.csv``: each model, seed and metric, and the means over seeds.

    Parameters
    ----------
    scores : mapping of model to mapping of seed to Scores
        All scores.
    level : float
        Confidence level of the intervals.
    test_digests : mapping of seed to str
        Digest of each seed's test table.
    """
    rows: list[dict[str, Any]] = []
    for model, by_seed in scores.items():
        for seed, score in sorted(by_seed.items()):
            rows += score_rows(score, level, model=model, seed=seed, digest=test_digests[seed])
        mean = mean_over_seeds(list(by_seed.values()))
        digest = combined_digest(test_digests)
        rows += score_rows(mean, level, model=model, seed=ALL, digest=digest)
    return pd.DataFrame(rows, columns=[*ABOUT_COLUMNS, *SCORE_COLUMNS])


def score_rows(
    score: Scores, level: float, *, model: str, seed: int | str, digest: str, **more: Any
) -> list[dict[str, Any]]:
    """Return one dict per metric, with interval; `more` columns stand before the value.

    A fraction of none or all of n objects is the same in every replicate; its interval is the exact
    binomial one instead (`bootstrap.bound_certain_fraction`).
    """
    lower, upper = interval(score.replicates, level)
    for place, metric in enumerate(score.metrics):
        if metric.metric in FRACTIONS:
            lower[place], upper[place] = bound_certain_fraction(
                score.values[place], lower[place], upper[place], score.n[place], level
            )
    return [
        {
            "model": model,
            "seed": seed,
            **metric._asdict(),
            **more,
            "value": value,
            "lower": low,
            "upper": high,
            "n": n,
            "data_digest": digest,
        }
        for metric, value, low, high, n in zip(
            score.metrics, score.values, lower, upper, score.n, strict=True
        )
    ]


def differences_table(
    scores: Mapping[str, Mapping[int, Scores]], metrics: Sequence[str], level: float
) -> pd.DataFrame:
    """Return ``differences.csv``: `model` minus `other` for every pair, on the same objects.

    Parameters
    ----------
    scores : mapping of model to mapping of seed to Scores
        All scores; replicates drew the same groups for all models.
    metrics : sequence of str
        Names of metrics; those of subset ``all`` are compared.
    level : float
        Confidence level of the intervals.
    """
    means = {model: mean_over_seeds(list(by_seed.values())) for model, by_seed in scores.items()}
    rows = []
    for model, other in itertools.combinations(means, 2):
        replicates = means[model].replicates - means[other].replicates
        values = means[model].values - means[other].values
        lower, upper = interval(replicates, level)
        for place, metric in enumerate(means[model].metrics):
            if metric.metric in metrics and metric.subset == ALL:
                rows.append(
                    {
                        "model": model,
                        "other": other,
                        "metric": metric.metric,
                        "value": values[place],
                        "lower": lower[place],
                        "upper": upper[place],
                    }
                )
    columns = ["model", "other", "metric", "value", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def combined_digest(test_digests: Mapping[int, str]) -> str:
    """Digest the test tables of all seeds together; that of the only seed is itself."""
    if len(test_digests) == 1:
        return next(iter(test_digests.values()))
    text = "".join(f"{seed}:{digest};" for seed, digest in sorted(test_digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
