"""Class scores against scikit-learn's functions, replicates against plain resampling."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.losses import class_codes
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.bootstrap import (
    draw_counts,
    ranking_area,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.class_metrics import (
    METRICS,
    class_scores,
    compare_classifiers,
    confusion_table,
    reliability_table,
)
from sdssflow.evaluate.tables import (
    Predictions,
    combined_digest,
    read_predictions,
    score_rows,
)
from sdssflow.tables import with_metadata, write_parquet

SETTINGS = ClassScores(calibration_bins=10)
BINNED = tuple(metric for metric in METRICS if metric.binned)
FEW_BINS = ClassScores(calibration_bins=5, magnitude_bins=3)
BOOTSTRAP = Bootstrap(replicates=100, seed=3)
DIGESTS = {1: "a" * 12, 2: "b" * 12}
COUNT = 300


def seen(truth, probability):
    return {"truth": truth, "probability": probability}


def random_predictions(count=400, seed=0, classes=3):
    generator = np.random.default_rng(seed)
    truth = generator.choice(classes, count, p=[0.6, 0.1, 0.3][:classes] if classes == 3 else None)
    # rounded, so that scores tie and a probability of 0 happens
    strength = generator.dirichlet((1, 1, 1), count) + 0.8 * np.eye(3)[truth]
    probability = np.round(strength / strength.sum(axis=1, keepdims=True), 2)
    probability[:, 2] = 1 - probability[:, 0] - probability[:, 1]
    return truth, np.clip(probability, 0, 1)


def draws(count, replicates=60, seed=1):
    return draw_counts(np.arange(count).astype(str), Bootstrap(replicates=replicates, seed=seed))


def as_dict(scores, row=None):
    values = scores.values if row is None else scores.replicates[row]
    return {(m.name, m.subset): v for m, v in zip(scores.metrics, values, strict=True)}


def from_scikit_learn(truth, probability):
    predicted = probability.argmax(axis=1)
    labels = [0, 1, 2]
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )
    top = probability.max(axis=1)
    edges = np.linspace(0, 1, 11)
    places = np.clip(np.searchsorted(edges, top, side="right") - 1, 0, 9)
    ece = sum(
        np.mean(places == b)
        * abs(np.mean((predicted == truth)[places == b]) - top[places == b].mean())
        for b in np.unique(places)
    )
    one_hot = np.eye(3)[truth]
    expected = {
        ("accuracy", "all"): sk.accuracy_score(truth, predicted),
        ("balanced_accuracy", "all"): sk.balanced_accuracy_score(truth, predicted),
        ("macro_precision", "all"): precision.mean(),
        ("macro_f1", "all"): sk.f1_score(truth, predicted, average="macro"),
        ("log_loss", "all"): sk.log_loss(truth, probability, labels=labels),
        ("brier", "all"): np.mean(((probability - one_hot) ** 2).sum(axis=1)),
        ("ece", "all"): ece,
        ("ece_by_chance", "all"): sum(
            np.sqrt(2 / np.pi * np.sum((top * (1 - top))[places == b])) for b in np.unique(places)
        )
        / len(top),
    }
    areas = [sk.roc_auc_score(truth == c, probability[:, c]) for c in labels]
    expected["roc_auc", "all"] = np.mean(areas)
    for code, name in enumerate(CLASSES):
        expected["precision", name] = precision[code]
        expected["recall", name] = recall[code]
        expected["f1", name] = f1[code]
        expected["roc_auc", name] = areas[code]
    return expected


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    truth, probability = random_predictions(seed=seed)
    scores = as_dict(class_scores(truth, probability, draws(len(truth)), SETTINGS))
    expected = from_scikit_learn(truth, probability)
    assert scores.keys() == expected.keys()
    for key, value in expected.items():
        assert scores[key] == pytest.approx(value, abs=1e-12), key


def test_right_probabilities_have_the_calibration_error_of_chance():
    generator = np.random.default_rng(3)
    probability = generator.dirichlet([3, 1, 0.5], 500)
    scores = []
    for _ in range(300):
        truth = (generator.random((500, 1)) > probability.cumsum(axis=1)[:, :2]).sum(axis=1)
        scores.append(as_dict(class_scores(truth, probability, draws(500)[:0], SETTINGS)))
    mean = np.mean([score["ece", "all"] for score in scores])
    assert scores[0]["ece_by_chance", "all"] == pytest.approx(mean, rel=0.1)


def test_replicates_are_the_scores_of_resampled_objects():
    truth, probability = random_predictions(200)
    counts = draws(200)
    scores = class_scores(truth, probability, counts, SETTINGS)
    for row in (0, 17, 59):
        rows = np.repeat(np.arange(200), counts[row])
        for key, value in from_scikit_learn(truth[rows], probability[rows]).items():
            assert as_dict(scores, row)[key] == pytest.approx(value, abs=1e-12), key


def test_in_a_bin_the_same_as_over_all():
    truth, probability = random_predictions()
    counts = draws(len(truth))
    whole = as_dict(class_scores(truth, probability, counts, SETTINGS))
    some = as_dict(class_scores(truth, probability, counts, SETTINGS, BINNED))
    assert some == {key: pytest.approx(whole[key], abs=1e-15) for key in some}
    assert ("accuracy", "all") in some


def test_perfect_and_hopeless_predictions():
    truth = np.repeat([0, 1, 2], 20)
    perfect = as_dict(class_scores(truth, np.eye(3)[truth], draws(60), SETTINGS))
    assert perfect["accuracy", "all"] == perfect["roc_auc", "all"] == 1
    assert perfect["brier", "all"] == perfect["ece", "all"] == 0
    assert perfect["log_loss", "all"] == pytest.approx(0, abs=1e-12)
    wrong = as_dict(class_scores(truth, np.eye(3)[(truth + 1) % 3], draws(60), SETTINGS))
    assert wrong["brier", "all"] == 2
    assert wrong["ece", "all"] == 1
    assert wrong["log_loss", "all"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_class_that_never_occurs_is_undefined_and_left_out_of_means():
    truth, probability = random_predictions(classes=2)
    scores = as_dict(class_scores(truth, probability, draws(len(truth)), SETTINGS))
    for metric in ("precision", "recall", "f1", "roc_auc"):
        assert np.isnan(scores[metric, "STAR"])
    two = [scores["recall", name] for name in ("GALAXY", "QSO")]
    assert scores["balanced_accuracy", "all"] == pytest.approx(np.mean(two))
    assert scores["roc_auc", "all"] == pytest.approx(
        np.mean([scores["roc_auc", name] for name in ("GALAXY", "QSO")])
    )


def test_class_that_is_never_predicted_has_purity_zero():
    truth, _ = random_predictions()
    constant = np.tile([0.6, 0.1, 0.3], (len(truth), 1))
    scores = as_dict(class_scores(truth, constant, draws(len(truth)), SETTINGS))
    assert scores["precision", "QSO"] == scores["f1", "QSO"] == scores["recall", "QSO"] == 0
    assert scores["roc_auc", "QSO"] == 0.5


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing_warns_of_nothing(count):
    truth, probability = random_predictions(1)
    counts = draws(max(count, 1))[:, :count]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = class_scores(truth[:count], probability[:count], counts, SETTINGS)
        class_scores(truth[:count], probability[:count], counts, SETTINGS, BINNED)
    assert np.isnan(as_dict(scores)["roc_auc", "all"])
    assert np.isnan(as_dict(scores)["accuracy", "all"]) == (count == 0)


def test_number_of_objects_is_that_of_the_class():
    truth, probability = random_predictions()
    scores = class_scores(truth, probability, draws(len(truth)), SETTINGS)
    numbers = dict(zip([(m.name, m.subset) for m in scores.metrics], scores.n, strict=True))
    assert numbers["accuracy", "all"] == 400
    assert numbers["recall", "QSO"] == (truth == 1).sum()


def test_scores_that_no_replicate_changes_have_no_interval():
    truth = np.repeat([0, 1], [40, 3])
    scores = class_scores(truth, np.eye(3)[truth], draws(len(truth)), SETTINGS)
    rows = {(row["metric"], row["subset"]): row for row in score_rows(scores, 0.95, {}, {}, "")}
    for key in (("macro_f1", "all"), ("f1", "QSO"), ("precision", "GALAXY")):
        assert rows[key]["value"] == 1
        assert np.isnan([rows[key]["lower"], rows[key]["upper"]]).all()


def test_a_class_that_is_always_found_is_no_more_certain_than_its_number():
    truth = np.repeat([0, 1], [40, 3])
    scores = class_scores(truth, np.eye(3)[truth], draws(len(truth)), SETTINGS)
    rows = {(row["metric"], row["subset"]): row for row in score_rows(scores, 0.95, {}, {}, "")}
    for name, n in (("GALAXY", 40), ("QSO", 3)):
        recall = rows["recall", name]
        assert recall["upper"] == 1
        assert recall["lower"] == pytest.approx(0.025 ** (1 / n))


def test_sums_do_not_depend_on_blocks(monkeypatch):
    truth, probability = random_predictions(100)
    weights = with_point_estimate(draws(100))
    whole = (
        ranking_area(probability[:, 0], truth == 0, weights),
        weighted_sums(weights, probability),
    )
    monkeypatch.setattr("sdssflow.evaluate.bootstrap.BLOCK", 250)
    parts = (
        ranking_area(probability[:, 0], truth == 0, weights),
        weighted_sums(weights, probability),
    )
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_unknown_class_is_refused():
    with pytest.raises(ValueError, match="unknown class 'GALAXIE'; known: GALAXY, QSO, STAR"):
        class_codes(np.array(["STAR", "GALAXIE"]))


def test_confusion_counts_and_rows():
    truth, probability = random_predictions()
    table = confusion_table(truth, probability)
    expected = sk.confusion_matrix(truth, probability.argmax(axis=1))
    np.testing.assert_array_equal(table["count"].to_numpy().reshape(3, 3), expected)
    np.testing.assert_allclose(table.groupby("truth")["fraction"].sum(), 1)


def test_reliability_of_honest_probabilities_lies_on_the_diagonal():
    generator = np.random.default_rng(0)
    probability = generator.dirichlet((0.5, 0.3, 0.4), 20_000)
    truth = (generator.random(20_000)[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    table = reliability_table([seen(truth, probability)], [draws(20_000)], SETTINGS, 0.999)
    gap = (table["fraction"] - table["mean_probability"]).abs()
    allowed = 4 * np.sqrt(table["mean_probability"] * (1 - table["mean_probability"]) / table["n"])
    assert (gap <= allowed + 1e-3).all()
    assert (table["lower"] <= table["fraction"]).all()
    assert (table["fraction"] <= table["upper"]).all()
    assert table.groupby("subset")["n"].sum().to_dict() == dict.fromkeys(["all", *CLASSES], 20_000)


def test_fractions_lie_in_the_band_of_right_probabilities_and_leave_it_if_they_are_wrong():
    generator = np.random.default_rng(0)
    probability = generator.dirichlet((0.5, 0.3, 0.4), 20_000)
    truth = (generator.random(20_000)[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    too_sure = probability**2 / (probability**2).sum(axis=1, keepdims=True)

    def inside(stated):
        table = reliability_table([seen(truth, stated)], [draws(20_000)], SETTINGS, 0.95)
        low, high = table["consistent_lower"], table["consistent_upper"]
        assert (low <= high).all()
        return ((low <= table["fraction"]) & (table["fraction"] <= high)).mean()

    assert inside(probability) > 0.85
    assert inside(too_sure) < 0.3


def test_reliability_weighs_up_to_the_calibration_error():
    truth, probability = random_predictions()
    counts = draws(len(truth))
    table = reliability_table([seen(truth, probability)], [counts], SETTINGS, 0.9)
    top = table[table["subset"] == "all"]
    gap = (top["n"] * (top["fraction"] - top["mean_probability"]).abs()).sum() / top["n"].sum()
    scores = as_dict(class_scores(truth, probability, counts, SETTINGS))
    assert gap == pytest.approx(scores["ece", "all"])


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
