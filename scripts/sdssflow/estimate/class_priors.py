"""Fractions of the classes among the objects of a target, from class probabilities.

Counts of the most probable classes, and mean probabilities, are biased towards the fractions in the
training part. The fractions of maximum likelihood, given the probabilities of the drawn objects,
are found by expectation maximisation (Saerens, Latinne & Decaestecker 2002, Neural Computation 14,
21). They are right if the probabilities are calibrated and the features of a class have the same
distribution in the target as in the training part.

The latter can be tested: nine in ten objects of each class then have it in their class set, so for
any fractions at most one object in ten has an empty set.
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
    """Return the most likely class fractions for m sets of weights of n objects.

    Parameters
    ----------
    probability : (n, c) float64 array
        Class probabilities, for the fractions of the training part.
    trained : (c,) float64 array
        Fractions of the training part. A class with fraction 0 keeps it.
    weights : (m, n) array
        How often each object counts.

    Returns
    -------
    (m, c) float64 array
        Rows sum to 1; NaN where all weights are 0.

    Raises
    ------
    ValueError
        If the fractions have not converged after `MOST_STEPS` steps.
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
        "the class fractions did not converge: the probabilities do not separate the classes"
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
        class sets: `empty_sets` is the fraction of empty ones.
    objects : int
        Number of objects of the target with class probabilities.
    trained : mapping, optional
        Fraction of each class in the training part. Without it no fractions can be estimated.
    assumed : mapping, optional
        The fractions that the probabilities in `drawn` are for; by default those of the training
        part.
    bootstrap : Bootstrap
        Over the drawn objects: the interval does not include errors of the probabilities.
    """
    names = [f"probability_{name}" for name in CLASSES]
    own, other = (
        np.array([fractions[name] for name in CLASSES]) if fractions else None
        for fractions in (trained, assumed)
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
