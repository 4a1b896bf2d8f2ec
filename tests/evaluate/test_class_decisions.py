"""Tables of class sets and of thresholds, on predictions whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET, SETS, class_set_thresholds, set_codes
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_decisions import (
    POINT_COLUMNS,
    SET_COLUMNS,
    binomial_interval,
    class_sets,
    operating_points,
)
from sdssflow.evaluate.class_metrics import PROBABILITIES
from sdssflow.evaluate.tables import Predictions, counts_by_seed
from tests.classify.test_decisions import exchangeable

BOOTSTRAP = Bootstrap(replicates=50)
SETTINGS = ClassScores(magnitude_bins=2, purity=[0.9, 0.9999], completeness=[0.9])


@pytest.fixture(scope="module")
def tested():
    """Predictions of two seeds, and what the model says of the calibration part of each."""
    frames, held_out = [], {}
    for seed in (1, 2):
        calibration = exchangeable(1500, seed)
        probability, truth = exchangeable(1000, 10 + seed)
        codes = set_codes(probability, class_set_thresholds(*calibration))
        frame = pd.DataFrame(probability, columns=PROBABILITIES)
        frame["row_id"] = np.arange(1000)
        frame["seed"], frame["fold"] = seed, 0
        frame["group"] = frame["row_id"].astype(str)
        frame["reference_mag"] = np.linspace(15, 20, 1000)
        frame["spec_class"] = np.array(CLASSES)[truth]
        frame[CLASS_SET] = np.array(SETS)[codes]
        frames.append(frame)
        held_out[seed] = {0: calibration}
    return Predictions("m", pd.concat(frames), {1: "a", 2: "b"}), {"m": held_out}


def counts(one):
    return counts_by_seed([one], BOOTSTRAP)


def test_sets_are_counted_by_class_and_by_magnitude(tested):
    one, _ = tested
    table = class_sets([one], SETTINGS, BOOTSTRAP, counts(one))
    assert list(table) == SET_COLUMNS
    whole = table[(table["variable"] == "all") & (table["metric"] == CLASS_SET)].set_index("subset")
    frame = one.frame
    for name in CLASSES:
        its = frame[frame["spec_class"] == name]
        inside = [name in words.split("|") for words in its[CLASS_SET]]
        shares = pd.Series(inside, its.index).groupby(its["seed"].to_numpy()).mean()
        assert whole.loc[name, "value"] == pytest.approx(shares.mean())
        assert whole.loc[name, "binomial_lower"] < 0.9 < whole.loc[name, "binomial_upper"]
    size = table[(table["metric"] == f"{CLASS_SET}_size") & (table["subset"] == "all")]
    expected = frame[CLASS_SET].map(lambda words: 0 if words == "none" else words.count("|") + 1)
    assert size.loc[size["variable"] == "all", "value"].item() == pytest.approx(expected.mean())
    assert size["binomial_lower"].isna().all()
    assert (table["variable"] == "reference_mag").sum() == 2 * 3 * 4  # bins, metrics, subsets
    empty = table[(table["metric"] == f"{CLASS_SET}_empty") & (table["variable"] == "all")]
    assert (empty["lower"] <= empty["value"]).all()


def test_models_without_sets_have_no_rows(tested):
    one, _ = tested
    without = Predictions("m", one.frame.assign(**{CLASS_SET: None}), one.test_digests)
    assert class_sets([without], SETTINGS, BOOTSTRAP, counts(one)).empty


def test_thresholds_of_the_calibration_part_are_measured_on_the_test_part(tested):
    one, held_out = tested
    table, records = operating_points([one], held_out, SETTINGS, BOOTSTRAP, counts(one))
    assert list(table) == POINT_COLUMNS
    assert len(table) == len(records) == 3 * 3
    kept = table[table["wanted"] == 0.9]
    assert (kept["seeds"] == 2).all()
    for row in kept.itertuples():
        assert getattr(row, f"{row.aim}_upper") > 0.9
        assert row.purity_lower <= row.purity <= row.purity_upper
    none = table[table["wanted"] == 0.9999]  # 1500 objects can't show that
    assert none["threshold"].isna().all()
    assert none["purity"].isna().all()
    star = next(r for r in records if (r["subset"], r["aim"]) == ("STAR", "completeness"))
    by_seed = {entry["seed"]: entry["threshold"] for entry in star["thresholds"]}
    shares = [
        (frame[PROBABILITIES[2]] >= by_seed[seed])[frame["spec_class"] == "STAR"].mean()
        for seed, frame in one.frame.groupby("seed")
    ]
    assert star["completeness"] == pytest.approx(np.mean(shares))
    assert next(r for r in records if r["wanted"] == 0.9999)["threshold"] is None


def test_a_seed_without_a_threshold_in_every_fold_is_left_out(tested):
    one, held_out = tested
    nothing = np.empty((0, 3)), np.empty(0, int)
    folds = {1: held_out["m"][1], 2: {0: held_out["m"][2][0], 1: nothing}}
    _, records = operating_points([one], {"m": folds}, SETTINGS, BOOTSTRAP, counts(one))
    alone = next(r for r in records if (r["subset"], r["aim"]) == ("STAR", "completeness"))
    assert alone["seeds"] == 1
    assert alone["threshold"] == alone["thresholds"][0]["threshold"]


def test_the_binomial_interval_is_that_of_scipy():
    hits, n = np.array([0, 3, 10]), np.array([10, 10, 10])
    low, high = binomial_interval(hits, n, 0.95)
    for k in range(3):
        expected = binomtest(int(hits[k]), 10).proportion_ci(0.95, "exact")
        assert (low[k], high[k]) == pytest.approx((expected.low, expected.high))
