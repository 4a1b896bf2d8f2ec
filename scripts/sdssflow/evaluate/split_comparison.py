"""Comparison of the splits of one sample: scores of each model on each split, and differences.

The test parts of two splits are different but may share objects. The bootstrap of a difference
draws the coarser groups of the two splits for both: the objects of a plate that are in both test
parts enter both scores in the same replicates, so the interval accounts for the overlap. It does
not include the variation between trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.splits import Split
from sdssflow.evaluate.bootstrap import interval
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.tables import (
    Predictions,
    Scorer,
    Scores,
    combined_digest,
    counts_by_seed,
    mean_score,
)
from sdssflow.prepare.splits import group_keys

USUAL_BASE = "random"
COLUMNS = [
    *("task", "model", "metric", "convention", "split", "value", "lower", "upper", "n"),
    *("data_digest", "base", "difference", "difference_lower", "difference_upper", "drawn_over"),
]


def group_of(split: Split) -> str:
    """Return what a split keeps together in one part: object, plate or sky_cell."""
    return getattr(split, "group", "object")


def base_of(splits: Mapping[str, Split]) -> str:
    """Return the split that the others are compared with.

    This is `random`, else the first by name that draws single objects, else the first by name.

    >>> from sdssflow.configuration.splits import HoldoutSplit
    >>> plate = HoldoutSplit(kind="holdout", group="plate")
    >>> base_of({"a": plate, "b": HoldoutSplit(kind="holdout")})
    'b'
    """
    if USUAL_BASE in splits:
        return USUAL_BASE
    names = sorted(splits)
    return next((name for name in names if group_of(splits[name]) == "object"), names[0])


def coarser(base: Split, other: Split) -> Split:
    """Return the split with the coarser groups: `other`, unless it draws single objects.

    >>> from sdssflow.configuration.splits import HoldoutSplit
    >>> random, plate = (HoldoutSplit(kind="holdout", group=g) for g in ("object", "plate"))
    >>> coarser(random, plate).group, coarser(plate, random).group
    ('plate', 'plate')
    """
    return base if group_of(other) == "object" else other


def compare_splits(
    features: pa.Table,
    splits: Mapping[str, Split],
    predictions: Mapping[str, Sequence[Predictions]],
    scores: Mapping[str, pd.DataFrame],
    scorer: Scorer,
    bootstrap: Bootstrap,
    task: str,
) -> pd.DataFrame:
    """Tabulate the scores of every model on all splits, with differences from the base split.

    Parameters
    ----------
    features : pyarrow.Table
        The sample's feature table, which has the groups of each split.
    splits, predictions, scores : mapping of str to Split, sequence of Predictions, pandas.DataFrame
        By name of the split: its definition, the predictions of the same models, and the score
        table, whose values and intervals are copied.
    scorer : Scorer
        The scorer of these models; its metrics with `across_splits` are used.
    task : str
        Value of the column ``task``.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row for each model, metric and split, mean over seeds. The differences, split
        minus base, are missing in the rows of the base.

    Raises
    ------
    ValueError
        If the scores and the predictions of a split have different test objects.
    """
    metrics = tuple(m for m in scorer.metrics if m.across_splits and m.subset == ALL)
    scorer = scorer._replace(metrics=metrics)
    base = base_of(splits)
    rows = []
    for name in (base, *sorted(set(splits) - {base})):
        over = coarser(splits[base], splits[name])
        groups = _groups_by_row(features, over) if name != base else None
        known = _known_scores(scores[name], predictions[name], name)
        for one, reference in zip(predictions[name], predictions[base], strict=True):
            apart = None
            if groups is not None:
                ours, theirs = (
                    _mean_score(of, scorer, groups, bootstrap) for of in (one, reference)
                )
                apart = _difference(ours, theirs, bootstrap.level)
            for place, metric in enumerate(metrics):
                about = {"task": task, "model": one.model, "split": name, "base": base}
                if apart is not None:
                    ends = ("difference", "difference_lower", "difference_upper")
                    about |= dict(zip(ends, apart[:, place], strict=True))
                    about["drawn_over"] = group_of(over)
                rows.append({**known[one.model, metric.name, metric.convention], **about})
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = {metric.name: place for place, metric in enumerate(metrics)}
    models = {one.model: place for place, one in enumerate(predictions[base])}
    places = [table["model"].map(models), table["metric"].map(order)]
    return table.iloc[np.lexsort(places[::-1])].reset_index(drop=True)


def _groups_by_row(features: pa.Table, split: Split) -> pd.Series:
    """Return the group of each row_id."""
    keys = group_keys(features, split).cast(pa.string())
    return pd.Series(keys.to_pylist(), index=features.column("row_id").to_numpy())


def _mean_score(
    one: Predictions, scorer: Scorer, groups: pd.Series, bootstrap: Bootstrap
) -> Scores:
    """Score a model on its test objects, with a bootstrap over these groups; mean over seeds."""
    regrouped = replace(one, frame=one.frame.assign(group=groups.loc[one.frame["row_id"]].array))
    return mean_score(one, scorer, counts_by_seed([regrouped], bootstrap))


def _difference(score: Scores, base: Scores, level: float) -> np.ndarray:
    """Return (3, k) value, lower and upper end of the differences of k metrics."""
    ends = interval(score.replicates - base.replicates, level)
    return np.stack([score.values - base.values, *ends])


def _known_scores(
    scores: pd.DataFrame, predictions: Sequence[Predictions], split: str
) -> dict[tuple[str, str, str], dict]:
    """Return the score of each model, metric and convention, after checking the data digest."""
    rows = scores[(scores["seed"].astype(str) == ALL) & (scores["subset"] == ALL)]
    digest = combined_digest(predictions[0].test_digests)
    for found in rows["data_digest"].unique():
        if found != digest:
            raise ValueError(
                f"split {split!r}: its scores belong to test objects {found}, its predictions to "
                f"{digest}; delete the scores and score again"
            )
    kept = ["metric", "convention", "value", "lower", "upper", "n", "data_digest"]
    return {
        (row["model"], row["metric"], row["convention"]): row[kept].to_dict()
        for _, row in rows.iterrows()
    }
