"""Every kind of classifier: what it learns, what it must not, and how it is kept."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.calibration import METHODS
from sdssflow.classify.training import train_classifier
from sdssflow.models.estimators import load_estimator, save_estimator
from sdssflow.models.folders import class_probabilities, read_settings
from sdssflow.prepare.parts import Part

SMALL = {
    "dummy": {},
    "logistic_regression": {"degree": 2},
    "nearest_neighbours": {},
    "support_vectors": {},
    "random_forest": {"trees": 20},
    "gradient_boosting": {"iterations": 20},
    "photoz_boosting": {"iterations": 20, "folds": 3},
    "neural_network": {"hidden": [16], "members": 2, "max_epochs": 40, "learning_rate": 0.01},
    "network_ensemble": {"hidden": [16], "members": 2, "max_epochs": 40, "blocks": 4},
}
VOTERS = ["support_vectors", "random_forest", "neural_network"]
KINDS = [*SMALL, "soft_vote"]
LEARNERS = [kind for kind in KINDS if kind != "dummy"]


def settings_of(kind, **more):
    entries = {"members": VOTERS} if kind == "soft_vote" else SMALL[kind]
    return read_settings("classify", json.dumps({"kind": kind, **entries, **more}))


def train(kind, parts, seed=7, threads=1, **more):
    """Train a classifier, and before it those that vote."""
    settings = settings_of(kind, **more)
    voters = {name: train(name, parts, seed).estimator for name in settings.voters}
    return train_classifier(settings, parts, seed, voters, threads)


def part(features, classes):
    count = len(classes)
    redshift = {"GALAXY": 0.2, "QSO": 1.5, "STAR": 0.0}
    return Part(
        features=np.asarray(features, dtype=float).reshape(count, 3),
        feature_names=("u_g", "g_r", "mag_r"),
        row_id=np.arange(1000, 1000 + count),
        group_key=pa.array(np.arange(count).astype(str)),
        reference_mag=np.full(count, 18, dtype=np.float32),
        spec_class=np.asarray(classes, dtype="<U6"),
        zspec=np.array([redshift.get(name, np.nan) for name in classes]),
        digest="0" * 12,
    )


def clouds(count, seed, classes=CLASSES):
    """Three overlapping clouds of different scale in (u-g, g-r, r)."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(classes, count)
    centres = {"GALAXY": (1.5, 0.8, 17.0), "QSO": (0.2, 0.2, 18.5), "STAR": (1.2, 0.4, 16.0)}
    middle = np.array([centres[name] for name in labels])
    return part(middle + generator.normal(size=(count, 3)) * (0.25, 0.15, 1.0), labels)


@pytest.fixture(scope="module")
def parts():
    return {
        "train": clouds(300, 1),
        "validation": clouds(60, 2),
        "calibration": clouds(120, 3),
    }


@pytest.fixture(scope="module")
def trained(parts):
    return {kind: train(kind, parts).estimator for kind in KINDS}


TEST = clouds(200, 4)


@pytest.mark.parametrize("kind", LEARNERS)
def test_learns_the_clouds(trained, kind):
    predicted = np.array(CLASSES)[class_probabilities(trained[kind], TEST.features).argmax(1)]
    assert accuracy_score(TEST.spec_class, predicted) > 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_classes_teach_nothing_about_unseen_objects(parts, kind):
    generator = np.random.default_rng(0)
    shuffled = {
        name: part(one.features, generator.permutation(one.spec_class))
        for name, one in {**parts, "test": TEST}.items()
    }
    test = shuffled.pop("test")
    estimator = train(kind, shuffled).estimator

    def accuracy(one):
        predicted = class_probabilities(estimator, one.features).argmax(1)
        return accuracy_score(one.spec_class, np.array(CLASSES)[predicted])

    # chance is 1/3; 0.14 is four standard errors of 200 objects
    assert abs(accuracy(test) - 1 / 3) < 0.14


def test_the_line_above_would_see_test_rows_that_were_trained_on(parts):
    classes = np.random.default_rng(0).permutation(parts["train"].spec_class)
    leaked = part(parts["train"].features, classes)
    settings = settings_of("random_forest", calibration="none")
    estimator = train_classifier(settings, {**parts, "train": leaked}, 7).estimator
    predicted = np.array(CLASSES)[class_probabilities(estimator, leaked.features).argmax(1)]
    assert accuracy_score(classes, predicted) > 0.8


def test_balanced_classes_find_more_of_a_rare_one(parts):
    common = np.random.default_rng(5).permutation(np.repeat(["GALAXY", "QSO"], [570, 30]))
    generator = np.random.default_rng(6)
    middle = np.where(common == "QSO", 1.0, 0.0)[:, None]
    train = part(middle + generator.normal(size=(600, 3)), common)
    found = {}
    for weight in ("none", "balanced"):
        settings = settings_of(
            "random_forest", class_weight=weight, calibration="none", min_samples_leaf=10
        )
        estimator = train_classifier(settings, {**parts, "train": train}, 7).estimator
        features = 1.0 + np.random.default_rng(8).normal(size=(300, 3))
        found[weight] = np.mean(estimator.predict(features) == "QSO")
    assert found["balanced"] > found["none"] + 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one(trained, kind):
    probability = class_probabilities(trained[kind], TEST.features)
    assert probability.shape == (200, 3)
    assert (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_predicted_the_same_alone_in_a_chunk_and_in_the_table(trained, kind):
    whole = class_probabilities(trained[kind], TEST.features)
    chunks = class_probabilities(trained[kind], TEST.features, chunk=7)
    alone = np.vstack([class_probabilities(trained[kind], row[None]) for row in TEST.features[:30]])
    backwards = class_probabilities(trained[kind], TEST.features[::-1])[::-1]
    threaded = class_probabilities(trained[kind], TEST.features, chunk=7, threads=3)
    np.testing.assert_array_equal(threaded, chunks)
    for other, expected in ((chunks, whole), (alone, whole[:30]), (backwards, whole)):
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_predicts_bit_for_bit(trained, kind, tmp_path):
    save_estimator(trained[kind], tmp_path / "fold_0.skops")
    loaded = load_estimator(tmp_path / "fold_0.skops")
    np.testing.assert_array_equal(
        class_probabilities(loaded, TEST.features),
        class_probabilities(trained[kind], TEST.features),
    )


@pytest.mark.parametrize("calibration", METHODS)
def test_calibrations_are_saved_and_loaded_too(parts, calibration, tmp_path):
    estimator = train("logistic_regression", parts, calibration=calibration).estimator
    save_estimator(estimator, tmp_path / "fold_0.skops")
    np.testing.assert_array_equal(
        class_probabilities(load_estimator(tmp_path / "fold_0.skops"), TEST.features),
        class_probabilities(estimator, TEST.features),
    )


def test_the_card_says_what_was_tried_and_what_each_scored(parts):
    trained = [train("gradient_boosting", parts, calibration=how) for how in ("auto", "isotonic")]
    about = [one.about for one in trained]
    assert about[0]["calibration"] == trained[0].calibration in METHODS
    assert [*about[0]["calibrations_tried"]] == [*METHODS]
    assert about[1]["calibrations_tried"].keys() == {"isotonic"}
    scores = about[0]["calibrations_tried"]
    assert scores[about[0]["calibration"]]["log_loss"] <= scores["temperature"]["log_loss"]
    held_out = trained[0].held_out
    assert held_out["row_id"].to_pylist() == parts["calibration"].row_id.tolist()
    assert held_out["spec_class"].to_pylist() == parts["calibration"].spec_class.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_model_whatever_the_threads(parts, trained, kind):
    again = train(kind, parts, threads=2).estimator
    np.testing.assert_array_equal(
        class_probabilities(again, TEST.features), class_probabilities(trained[kind], TEST.features)
    )


@pytest.mark.parametrize("kind", ["random_forest", "neural_network"])
def test_other_seed_other_model(parts, trained, kind):
    other = train(kind, parts, 8).estimator
    assert not np.array_equal(
        class_probabilities(other, TEST.features), class_probabilities(trained[kind], TEST.features)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_training_lacks_gets_probability_zero(parts, kind):
    two = ("GALAXY", "STAR")
    without = {"train": clouds(150, 5, two), "validation": parts["validation"]}
    without["calibration"] = parts["calibration"]  # it has quasars: they can't calibrate this model
    estimator = train(kind, without).estimator
    probability = class_probabilities(estimator, TEST.features)
    assert (probability[:, CLASSES.index("QSO")] == 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)


def test_a_vote_is_the_mean_of_its_members(parts, trained):
    vote = train("soft_vote", parts, calibration="none")
    mean = np.mean([class_probabilities(trained[kind], TEST.features) for kind in VOTERS], axis=0)
    np.testing.assert_allclose(class_probabilities(vote.estimator, TEST.features), mean, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_without_calibration_part_there_are_probabilities_all_the_same(parts, kind):
    bare = {**parts, "calibration": part([], [])}
    result = train(kind, bare)
    probability = class_probabilities(result.estimator, TEST.features)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    if kind == "support_vectors":
        expected = "sigmoid, cross-validated on the training part (the calibration part is empty)"
    else:
        expected = "none" if kind == "dummy" else "none (the calibration part is empty)"
    assert result.calibration == expected


def test_boosting_stops_on_the_validation_part(parts):
    settings = settings_of("gradient_boosting", iterations=150, calibration="none")
    stopped = train_classifier(settings, parts, 7).estimator
    endless = train_classifier(settings, {**parts, "validation": part([], [])}, 7).estimator
    assert stopped.n_iter_ < endless.n_iter_ == 150


@pytest.mark.parametrize("kind", ["random_forest", "gradient_boosting", "photoz_boosting"])
def test_trees_take_missing_values(parts, kind):
    features = parts["train"].features.copy()
    features[::7, 0] = np.nan
    holes = {**parts, "train": part(features, parts["train"].spec_class)}
    estimator = train(kind, holes).estimator
    row = np.array([[np.nan, 0.2, 18.5]])
    assert np.isfinite(class_probabilities(estimator, row)).all()


def test_a_missing_value_is_refused_by_row_and_name(parts):
    features = parts["calibration"].features.copy()
    features[3, 1] = np.nan
    holes = {**parts, "calibration": part(features, parts["calibration"].spec_class)}
    with pytest.raises(ValueError, match=r"'g_r' is missing for 1 .* 1003, .*complete_photometry"):
        train("logistic_regression", holes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "0 objects and no class"),
        (["STAR"] * 9, "only the class STAR"),
        (["STAR", "GALAXY", ""] * 3, "row_id 1002 of the train part has class ''"),
    ],
)
def test_unusable_training_parts_are_refused(parts, labels, message):
    bad = {**parts, "train": part(np.ones((len(labels), 3)), labels)}
    with pytest.raises(ValueError, match=message):
        train_classifier(settings_of("logistic_regression"), bad, 7)


def test_no_rows_give_no_probabilities(trained):
    assert class_probabilities(trained["random_forest"], np.empty((0, 3))).shape == (0, 3)
