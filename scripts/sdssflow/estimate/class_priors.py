"""How many objects of a target are of each class, by what a classifier says of them.

Not by counting the most probable classes, nor by the mean probability: both lean towards the mix of
the training part. The mix that makes the probabilities of the drawn objects most likely is found by
expectation maximisation (Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21). It is
the right one if the probabilities are calibrated and an object of a class looks the same in the
target as in the training part.

The latter can be refuted: nine in ten objects of each class then have it in their class set, so in
any mix at most one object in ten has an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET, SETS
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.estimate.classes import with_priors
from sdssflow.estimate.drawn import columns
from sdssflow.evaluate.bootstrap import draw_counts, interval, with_point_estimate

MOST_STEPS = 2000
SMALLEST_STEP = 1e-7  # of a fraction
TABLE_COLUMNS = [
    "class", "training", "assumed", "estimated", "lower", "upper", "most_probable", "drawn",
    "objects", "empty_sets",
]  # fmt: skip


def estimate_priors(
    probability: np.ndarray, trained: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the most likely mix of classes, for m weightings of n objects.

    Parameters
    ----------
    probability : (n, c) float64 array
        Of each class, for the mix of the training part.
    trained : (c,) float64 array
        That mix. A class that it lacks stays at 0.
    weights : (m, n) array
        How often each object counts.

    Returns
    -------
    (m, c) float64 array
        Rows sum to 1; NaN where no object counts.

    Raises
    ------
    ValueError
        If the fractions still move after `MOST_STEPS` steps.
    """
    relative = probability / np.where(trained > 0, trained, 1.0)
    weights = weights.astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    weights = weights / np.where(total > 0, total, np.nan)
    found = np.tile(np.asarray(trained, float), (len(weights), 1))
    for _ in range(MOST_STEPS):
        before = found
        evidence = np.maximum(before @ relative.T, np.finfo(float).tiny)
        found = before * ((weights / evidence) @ relative)
        if not np.nanmax(np.abs(found - before), initial=0.0) > SMALLEST_STEP:
            return found
    raise ValueError(
        "the mix of classes did not settle: the probabilities don't tell classes apart"
    )


def priors_table(
    drawn: pa.Table,
    objects: int,
    trained: Mapping[str, float] | None,
    assumed: Mapping[str, float] | None,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Return ``class_priors.csv``: `TABLE_COLUMNS`, one row per class.

    Parameters
    ----------
    drawn : pyarrow.Table
        `drawn.read_drawn` with `partition`, `row_id`, the probabilities and, if the model has them,
        class sets: `empty_sets` is the share of those without a class.
    objects : int
        How many objects of the target have class probabilities.
    trained : mapping, optional
        Fraction of each class in the training part. Without, the probabilities are for no known
        mix, and no other can be estimated.
    assumed : mapping, optional
        The mix that the probabilities in `drawn` are for; by default that of the training part.
    bootstrap : Bootstrap
        Over the drawn objects: the interval knows their number, and nothing of errors of the
        probabilities themselves.
    """
    names = [f"probability_{name}" for name in CLASSES]
    own, other = (
        np.array([mix[name] for name in CLASSES]) if mix else None for mix in (trained, assumed)
    )
    probability = np.empty((0, len(CLASSES)))
    if names[0] in drawn.column_names:
        drawn = drawn.filter(drawn[names[0]].is_valid())
        probability = columns(drawn, names)
    found = {"class": list(CLASSES), "training": np.nan, "assumed": np.nan}
    if own is not None:
        found["training"] = own
        if other is not None:
            found["assumed"] = other
            probability = with_priors(probability, other, own)
    estimated, ends, counted = (np.full(len(CLASSES), np.nan) for _ in range(3))
    lower = upper = ends
    if len(probability):
        counted = np.bincount(probability.argmax(axis=1), minlength=len(CLASSES)) / len(probability)
    if len(probability) and own is not None:
        keys = zip(drawn["partition"].to_pylist(), drawn["row_id"].to_pylist(), strict=True)
        counts = draw_counts(np.array([f"{part}:{row}" for part, row in keys]), bootstrap)
        every = estimate_priors(probability, own, with_point_estimate(counts))
        estimated, (lower, upper) = every[0], interval(every[1:], bootstrap.level)
    found |= {"estimated": estimated, "lower": lower, "upper": upper, "most_probable": counted}
    found |= {"drawn": len(probability), "objects": objects, "empty_sets": np.nan}
    if len(probability) and CLASS_SET in drawn.column_names:
        found["empty_sets"] = pc.mean(pc.equal(drawn[CLASS_SET], SETS[0])).as_py()
    return pd.DataFrame(found, columns=TABLE_COLUMNS)
