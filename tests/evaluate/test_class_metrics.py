"""Class scores against scikit-learn's functions, replicates against plain resampling."""

import warnings

import numpy as np
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
    confusion_table,
    reliability_table,
)
from sdssflow.evaluate.tables import (
    score_rows,
)

SETTINGS = ClassScores(calibration_bins=10)
BINNED = tuple(metric for metric in METRICS if metric.binned)


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
