"""Paired scores of two models of different runs, on the test objects that both predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.bootstrap import interval
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.tables import Predictions, Scorer, counts_by_seed, mean_score

COLUMNS = ["metric", "convention", "first", "second", "difference", "lower", "upper", "n"]
SAME = ("seed", "row_id", "group", "reference_mag", "zspec", "spec_class")


def common_objects(
    first: Predictions, second: Predictions
) -> tuple[Predictions, Predictions] | None:
    """Restrict both to the objects and seeds they share, in the same order; None if there are none.

    An object is the same if seed, row_id, group, reference magnitude and truth agree: in another
    catalogue its row_id may belong to another object. The fold may differ.
    """
    keys = [name for name in SAME if name in first.frame and name in second.frame]
    frames = [one.frame.assign(place=np.arange(len(one.frame))) for one in (first, second)]
    pairs = frames[0][[*keys, "place"]].merge(
        frames[1][[*keys, "place"]], on=keys, suffixes=("_first", "_second"), validate="1:1"
    )
    if pairs.empty:
        return None
    seeds = set(pairs["seed"])

    def shared(one: Predictions, name: str) -> Predictions:
        frame = one.frame.iloc[pairs[f"place_{name}"]].reset_index(drop=True)
        digests = {s: digest for s, digest in one.test_digests.items() if s in seeds}
        return replace(one, frame=frame, test_digests=digests)

    return shared(first, "first"), shared(second, "second")


def paired_differences(
    first: Predictions, second: Predictions, scorer: Scorer, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Score two sets of predictions of the same objects, from `common_objects`.

    Returns `COLUMNS`, one row for each headline metric: the scores of both, second minus first with
    the interval of a paired bootstrap over groups of objects, and the number of objects; all are
    means over seeds.
    """
    metrics = tuple(m for m in scorer.metrics if m.headline and m.subset == ALL and not m.per_class)
    scorer, counts = scorer._replace(metrics=metrics), counts_by_seed([first], bootstrap)
    before, after = (mean_score(one, scorer, counts) for one in (first, second))
    ends = interval(after.replicates - before.replicates, bootstrap.level)
    differences = after.values - before.values
    numbers = zip(before.values, after.values, differences, *ends, before.n, strict=True)
    rows = [(m.name, m.convention, *its) for m, its in zip(metrics, numbers, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)
