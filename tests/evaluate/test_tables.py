"""Bins of scores: the same for all models, open where they must be, without rows of nothing."""

import numpy as np
import pandas as pd
import pytest

from sdssflow.evaluate.metrics import Metric
from sdssflow.evaluate.tables import (
    BINNED_COLUMNS,
    Predictions,
    Scorer,
    Scores,
    bin_numbers,
    equal_count_edges,
    scores_by_bin,
)  # fmt: skip


def predictions(model, shift=0.0):
    """Eight objects a seed; those of seed 2 are nearer and brighter."""
    frame = pd.DataFrame(
        {
            "row_id": range(16),
            "seed": [1] * 8 + [2] * 8,
            "zspec": [*np.linspace(0.1, 0.8, 8), *np.linspace(0.1, 0.2, 8)],
            "reference_mag": [*np.linspace(15, 18, 8), *[np.nan] * 8],
        }
    )
    frame["zphot"] = frame["zspec"] + shift
    return Predictions(model, frame, {1: "a" * 12, 2: "b" * 12})


def in_four_bins(*models):
    """Count the objects of each bin; none is empty."""

    def score(columns, counts, metrics):
        n = len(columns["zspec"])
        assert n
        assert counts.shape == (3, n)
        return Scores(metrics, np.array([n], float), np.full((3, 1), n, float), np.array([n]))

    metrics = (Metric("count", "objects", "N", binned=True), Metric("other", "", "other"))
    scorer = Scorer(metrics, lambda one, seed: {"zspec": one.of_seed(seed)["zspec"]}, score)
    counts = {seed: np.ones((3, 8), dtype=np.uint8) for seed in (1, 2)}
    return scores_by_bin(models, scorer, 4, counts, 0.95)


def rows(table, model, variable, seed):
    wanted = (table["model"] == model) & (table["variable"] == variable)
    return table[wanted & (table["seed"].astype(str) == str(seed))]


def test_a_seed_without_objects_in_a_bin_has_no_row_and_does_not_enter_the_mean():
    table = in_four_bins(predictions("m"))
    assert list(table.columns) == BINNED_COLUMNS
    assert rows(table, "m", "zspec", 1)["value"].sum() == 8
    assert rows(table, "m", "zspec", 2)["value"].sum() == 8
    last = table[(table["variable"] == "zspec") & (table["bin_high"] == 0.8)]
    assert last["seed"].astype(str).tolist() == ["1", "all"]
    assert last["value"].nunique() == 1
    assert set(rows(table, "m", "reference_mag", 2)["value"]) == set()


def test_models_share_the_bins_and_those_of_zphot_take_in_what_lies_beyond():
    table = in_four_bins(predictions("m"), predictions("far", shift=5.0))
    edges = {
        (model, variable): set(rows(table, model, variable, "all")["bin_high"])
        for model in ("m", "far")
        for variable in ("zspec", "reference_mag")
    }
    assert edges["m", "zspec"] == edges["far", "zspec"]
    assert edges["m", "reference_mag"] == edges["far", "reference_mag"]
    beyond = rows(table, "far", "zphot", 1)
    assert beyond["value"].tolist() == [8]
    assert beyond["bin_high"].tolist() == [0.8]


@pytest.mark.parametrize(
    ("values", "bins", "edges"),
    [
        ([1, 2, 3, 4], 2, [1, 2.5, 4]),
        ([1, 1, 1, 1, 9], 4, [1, 9]),
        ([np.nan, 5, 6], 1, [5, 6]),
        ([np.nan], 3, []),
        ([7, 7, np.nan], 3, [7, 7]),
    ],
)
def test_edges(values, bins, edges):
    assert equal_count_edges(np.array(values), bins).tolist() == edges


def test_bin_numbers_hold_both_ends():
    edges = np.array([0.0, 1.0, 2.0])
    values = np.array([-0.1, 0, 0.99, 1, 2, 2.1, np.nan])
    assert bin_numbers(values, edges).tolist() == [-1, 0, 0, 1, 1, -1, -1]
    assert bin_numbers(np.array([6, 7, 8]), np.array([7, 7])).tolist() == [-1, 0, -1]
