"""Tables of class scores: intervals, differences, bins, and predictions that are refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_metrics import (
    compare_classifiers,
)
from sdssflow.evaluate.tables import (
    Predictions,
    combined_digest,
    read_predictions,
)
from sdssflow.tables import with_metadata, write_parquet

FEW_BINS = ClassScores(calibration_bins=5, magnitude_bins=3)
BOOTSTRAP = Bootstrap(replicates=100, seed=3)
DIGESTS = {1: "a" * 12, 2: "b" * 12}
COUNT = 300


def made(model, skill, seeds=(1, 2), noise=0):
    """Predictions of a made-up model; the objects depend on the seed alone."""
    frames = []
    for seed in seeds:
        objects = np.random.default_rng(seed)
        truth = objects.choice(3, COUNT, p=[0.6, 0.15, 0.25])
        model_noise = np.random.default_rng(100 * seed + noise)
        strength = model_noise.dirichlet((1, 1, 1), COUNT) + skill * np.eye(3)[truth]
        probability = strength / strength.sum(axis=1, keepdims=True)
        frame = pd.DataFrame(
            {
                "row_id": np.arange(COUNT),
                "seed": np.int32(seed),
                "fold": np.int32(0),
                "group": np.arange(COUNT).astype(str),
                "reference_mag": objects.uniform(15, 21, COUNT).astype(np.float32),
                "spec_class": np.array(CLASSES)[truth],
            }
        )
        for code, name in enumerate(CLASSES):
            frame[f"probability_{name}"] = probability[:, code]
        frames.append(frame)
    digests = {seed: DIGESTS[seed] for seed in seeds}
    return Predictions(model, pd.concat(frames, ignore_index=True), digests)


@pytest.fixture(scope="module")
def tables():
    models = [made("good", 1.0), made("twin", 1.0), made("poor", 0.1, noise=9)]
    return compare_classifiers(models, FEW_BINS, BOOTSTRAP)


def pick(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_intervals_hold_the_value(tables):
    scores = tables["scores"]
    unknown = scores["lower"].isna()
    assert (scores.loc[unknown, "value"] == 1).all()
    scores = scores[~unknown]
    assert (scores["lower"] <= scores["upper"]).all()
    # the ECE of a replicate is biased upwards; all other scores scatter about their value
    others = scores[scores["metric"] != "ece"]
    assert (others["lower"] <= others["value"]).all()
    assert (others["value"] <= others["upper"]).all()


def test_scores_quote_the_digest_of_their_data(tables):
    digests = tables["scores"].groupby("seed")["data_digest"].unique().map(list).to_dict()
    assert digests == {**{s: [d] for s, d in DIGESTS.items()}, "all": [combined_digest(DIGESTS)]}
    assert combined_digest({5: "abc"}) == "abc"


def test_equal_models_differ_by_nothing_on_every_replicate(tables):
    """Unpaired draws would give two equal models an interval of difference."""
    twins = pick(tables["differences"], model="good", other="twin")
    assert sorted(twins["metric"]) == ["accuracy", "log_loss", "macro_f1"]
    assert (twins[["value", "lower", "upper"]] == 0).all(axis=None)


def test_every_pair_is_compared_in_the_order_of_the_models(tables):
    pairs = set(zip(tables["differences"]["model"], tables["differences"]["other"], strict=True))
    assert pairs == {("good", "twin"), ("good", "poor"), ("twin", "poor")}
    better = pick(tables["differences"], model="good", other="poor")
    assert pick(better, metric="accuracy")["lower"].item() > 0
    assert pick(better, metric="log_loss")["upper"].item() < 0


def test_a_model_scores_the_same_in_other_company(tables):
    alone = compare_classifiers([made("good", 1.0)], FEW_BINS, BOOTSTRAP)
    together = pick(tables["scores"], model="good").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone["scores"], together)
    assert alone["differences"].empty


def test_bins_share_the_objects_equally_and_have_the_same_edges(tables):
    bins = tables["scores_by_bin"]
    edges = bins.groupby("model")[["bin_low", "bin_high"]].agg(lambda x: tuple(x.unique()))
    assert edges.nunique().tolist() == [1, 1]
    accuracy = pick(bins, model="good", metric="accuracy")
    assert accuracy["n"].tolist() == [100, 100, 100]
    whole = pick(tables["scores"], model="good", metric="accuracy", seed="all")["value"].item()
    assert accuracy["value"].mean() == pytest.approx(whole, abs=0.01)


def test_confusion_counts_every_prediction(tables):
    counts = tables["confusion"].groupby(["model", "seed"])["count"].sum()
    assert counts["good", "all"] == 2 * COUNT
    assert counts["good", 1] == COUNT


def test_missing_magnitudes_are_in_no_bin():
    one = made("good", 1.0)
    one.frame.loc[::3, "reference_mag"] = np.nan
    bins = compare_classifiers([one], FEW_BINS, BOOTSTRAP)["scores_by_bin"]
    assert pick(bins, metric="accuracy")["n"].sum() == pytest.approx(200, abs=2)
    one.frame["reference_mag"] = np.nan
    empty = compare_classifiers([one], FEW_BINS, BOOTSTRAP)["scores_by_bin"]
    assert empty.empty
    assert list(empty.columns) == list(bins.columns)


@pytest.mark.parametrize("values", [(np.nan, np.nan, np.nan), (1.2, -0.2, 0.0), (0.5, 0.5, 0.5)])
def test_what_is_no_probability_is_refused_with_its_row(values):
    one = made("good", 1.0)
    one.frame.loc[7, [f"probability_{name}" for name in CLASSES]] = values
    with pytest.raises(ValueError, match=r"row_id 7 .* of good, seed 1 \(1 objects in all\)"):
        compare_classifiers([one], FEW_BINS, BOOTSTRAP)


def save(one, path, **entries):
    about = {"model": one.model, "test_digests": {str(s): d for s, d in one.test_digests.items()}}
    write_parquet(with_metadata(pa.Table.from_pandas(one.frame), **{**about, **entries}), path)
    return path


def test_models_tested_on_other_objects_are_not_compared(tmp_path):
    first, second = made("good", 1.0), made("poor", 0.1)
    paths = [
        save(first, tmp_path / "first.parquet"),
        save(second, tmp_path / "second.parquet", test_digests={"1": "x" * 12, "2": "b" * 12}),
    ]
    with pytest.raises(ValueError, match=r"second\.parquet: poor and good were tested on"):
        read_predictions(paths, ["good", "poor"])
    with pytest.raises(ValueError, match=r"first\.parquet: predictions of 'good', not of 'poor'"):
        read_predictions(paths[:1], ["poor"])
