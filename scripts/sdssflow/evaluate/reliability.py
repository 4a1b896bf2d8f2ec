"""How often class probabilities come true: calibration curves with their bands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binom

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.bootstrap import (
    interval,
    positive_or_nan,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.tables import Columns, bin_numbers


def reliability(
    models: Mapping[str, Mapping[int, Columns]],
    counts: Mapping[int, np.ndarray],
    settings: ClassScores,
    level: float,
) -> pd.DataFrame:
    """Return the calibration curves of all models: `model`, `seed` and as `reliability_table`."""
    tables = []
    for model, by_seed in models.items():
        table = reliability_table(
            [columns["truth"] for columns in by_seed.values()],
            [columns["probability"] for columns in by_seed.values()],
            [counts[seed] for seed in by_seed],
            settings,
            level,
        )
        table.insert(0, "model", model)
        table.insert(1, "seed", ALL)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def reliability_table(
    truths: list[np.ndarray],
    probabilities: list[np.ndarray],
    counts: list[np.ndarray],
    settings: ClassScores,
    level: float,
) -> pd.DataFrame:
    """Return the calibration curves, pooled over seeds; each list has one entry per seed.

    The columns are `subset` (``all``: the most probable class, else the probability of that class),
    `bin_low`, `bin_high`, `n` (predictions of all seeds), `mean_probability`, `fraction` of them
    that are right, `lower`, `upper` (of the bootstrap), `consistent_lower`, `consistent_upper`:
    where the fraction of right probabilities lies (Bröcker & Smith 2007), by the binomial
    distribution of as many objects as one seed has there. Empty bins are left out.
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
        table = table[table["n"] > 0]
        objects = np.ceil(table["n"] / len(truths))
        ends = binom.interval(level, objects, np.clip(table["mean_probability"], 0, 1))
        names = ("consistent_lower", "consistent_upper")
        tables.append(
            table.assign(**{n: end / objects for n, end in zip(names, ends, strict=True)})
        )
    return pd.concat(tables, ignore_index=True)


def _stated(truth: np.ndarray, probability: np.ndarray, subset: str) -> tuple[np.ndarray, ...]:
    """Return the probability that is tested and, as numbers, whether it was right."""
    if subset == ALL:
        return probability.max(axis=1), (probability.argmax(axis=1) == truth).astype(float)
    code = CLASSES.index(subset)
    return probability[:, code], (truth == code).astype(float)


def per_bin(probability: np.ndarray, bins: int, values: np.ndarray) -> np.ndarray:
    """Spread `values` over columns, one for each bin of equal width that `probability` is in."""
    numbers = bin_numbers(np.clip(probability, 0, 1), np.linspace(0, 1, bins + 1))
    return np.eye(bins)[numbers] * values[:, None]
