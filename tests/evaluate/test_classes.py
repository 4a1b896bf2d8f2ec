"""The score tables of several classifiers: pairing, seeds, bins, and refusals."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.scores import Bootstrap, ClassScores
from sdssflow.evaluate.classes import compare_classifiers
from sdssflow.evaluate.tables import (
    Predictions,
    bin_numbers,
    combined_digest,
    equal_count_edges,
    read_predictions,
)
from sdssflow.tables import with_metadata, write_parquet

SETTINGS = ClassScores(calibration_bins=5, magnitude_bins=3)
BOOTSTRAP = Bootstrap(replicates=100, seed=3)
DIGESTS = {1: "a" * 12, 2: "b" * 12}
COUNT = 300


def predictions(model, skill, seeds=(1, 2), noise=0):
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
    models = [predictions("good", 1.0), predictions("twin", 1.0), predictions("poor", 0.1, noise=9)]
    return compare_classifiers(models, SETTINGS, BOOTSTRAP)


def pick(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_columns_are_those_of_the_architecture(tables):
    def header(name):
        return " ".join(tables[name].columns)

    assert header("scores") == (
        "model seed metric convention subset value lower upper n data_digest"
    )
    assert header("differences") == "model other metric value lower upper"
    added = {"variable", "bin_low", "bin_high"}
    assert set(tables["scores_by_bin"].columns) == set(tables["scores"].columns) | added


def test_intervals_hold_the_value(tables):
    scores = tables["scores"]
    assert (scores["lower"] <= scores["upper"]).all()
    # the ECE of a replicate is biased upwards; all other scores scatter about their value
    others = scores[scores["metric"] != "ece"]
    assert (others["lower"] <= others["value"]).all()
    assert (others["value"] <= others["upper"]).all()


def test_seed_all_is_the_mean_over_seeds(tables):
    scores = pick(tables["scores"], model="poor", metric="accuracy")
    mean = pick(scores, seed="all")["value"].item()
    each = [pick(scores, seed=seed)["value"].item() for seed in (1, 2)]
    assert mean == pytest.approx(np.mean(each))
    assert set(pick(scores, seed="all")["n"]) == {COUNT}


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
    alone = compare_classifiers([predictions("good", 1.0)], SETTINGS, BOOTSTRAP)
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
    one = predictions("good", 1.0)
    one.frame.loc[::3, "reference_mag"] = np.nan
    bins = compare_classifiers([one], SETTINGS, BOOTSTRAP)["scores_by_bin"]
    assert pick(bins, metric="accuracy")["n"].sum() == pytest.approx(200, abs=2)
    one.frame["reference_mag"] = np.nan
    empty = compare_classifiers([one], SETTINGS, BOOTSTRAP)["scores_by_bin"]
    assert empty.empty
    assert list(empty.columns) == list(bins.columns)


@pytest.mark.parametrize(
    ("values", "bins", "edges"),
    [
        ([1, 2, 3, 4], 2, [1, 2.5, 4]),
        ([1, 1, 1, 1, 9], 4, [1, 9]),
        ([np.nan, 5, 6], 1, [5, 6]),
        ([np.nan], 3, []),
    ],
)
def test_edges(values, bins, edges):
    assert equal_count_edges(np.array(values), bins).tolist() == edges


def test_bin_numbers_hold_both_ends():
    edges = np.array([0.0, 1.0, 2.0])
    values = np.array([-0.1, 0, 0.99, 1, 2, 2.1, np.nan])
    assert bin_numbers(values, edges).tolist() == [-1, 0, 0, 1, 1, -1, -1]


def save(one, path, **entries):
    about = {"model": one.model, "test_digests": {str(s): d for s, d in one.test_digests.items()}}
    write_parquet(with_metadata(pa.Table.from_pandas(one.frame), **{**about, **entries}), path)
    return path


def test_models_tested_on_other_objects_are_not_compared(tmp_path):
    first, second = predictions("good", 1.0), predictions("poor", 0.1)
    paths = [
        save(first, tmp_path / "first.parquet"),
        save(second, tmp_path / "second.parquet", test_digests={"1": "x" * 12, "2": "b" * 12}),
    ]
    with pytest.raises(ValueError, match=r"second\.parquet: poor was tested on other objects"):
        read_predictions(paths, ["good", "poor"])
    with pytest.raises(ValueError, match=r"first\.parquet: predictions of 'good', not of 'poor'"):
        read_predictions(paths[:1], ["poor"])


def test_predictions_survive_the_file(tmp_path):
    one = predictions("good", 1.0)
    (back,) = read_predictions([save(one, tmp_path / "good.parquet")], ["good"])
    assert back.seeds == [1, 2]
    np.testing.assert_array_equal(
        back.of_seed(2)["probability_QSO"], one.of_seed(2)["probability_QSO"]
    )
