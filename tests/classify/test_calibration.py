"""Calibration makes probabilities honest and, by temperature, changes no decision."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from sdssflow.classify.calibration import (
    METHODS,
    calibrate,
    calibrate_by_cross_validation,
    choose,
    obstacle,
)
from sdssflow.classify.dirichlet import DirichletCalibration


def correlated(count, seed):
    """Classes in ten copies of two noisy features: naive Bayes is far too sure of itself."""
    generator = np.random.default_rng(seed)
    classes = generator.choice(["GALAXY", "QSO", "STAR"], count, p=[0.6, 0.1, 0.3])
    centre = {"GALAXY": (0, 0), "QSO": (1.5, 0), "STAR": (0, 1.5)}
    two = np.array([centre[name] for name in classes]) + generator.normal(size=(count, 2))
    return np.tile(two, 10), classes


@pytest.fixture(scope="module")
def overconfident():
    return GaussianNB().fit(*correlated(500, 1))


@pytest.mark.parametrize("method", METHODS[1:])
def test_calibration_lowers_the_log_loss_on_unseen_objects(overconfident, method):
    features, classes = correlated(2000, 3)
    calibrated = calibrate(overconfident, method, *correlated(500, 2))
    before = log_loss(classes, overconfident.predict_proba(features))
    after = log_loss(classes, calibrated.predict_proba(features))
    assert after < 0.7 * before


def test_temperature_changes_no_decision(overconfident):
    features, _ = correlated(2000, 3)
    calibrated = calibrate(overconfident, "temperature", *correlated(500, 2))
    np.testing.assert_array_equal(
        calibrated.predict_proba(features).argmax(axis=1),
        overconfident.predict_proba(features).argmax(axis=1),
    )


def test_temperature_changes_no_decision_of_decision_values():
    machine = SVC(break_ties=True).fit(*correlated(300, 1))
    features, _ = correlated(1000, 3)
    calibrated = calibrate(machine, "temperature", *correlated(300, 2))
    np.testing.assert_array_equal(
        calibrated.classes_[calibrated.predict_proba(features).argmax(axis=1)],
        machine.predict(features),
    )


def test_calibration_does_not_fit_the_model_again(overconfident):
    before = overconfident.theta_.copy()
    calibrate(overconfident, "sigmoid", *correlated(500, 2))
    np.testing.assert_array_equal(overconfident.theta_, before)


def test_a_single_object_of_a_class_is_enough_for_a_temperature(overconfident):
    features, classes = correlated(60, 2)
    keep = np.flatnonzero(classes != "QSO")
    rows = np.append(keep, np.flatnonzero(classes == "QSO")[0])
    calibrated = calibrate(overconfident, "temperature", features[rows], classes[rows])
    assert np.isfinite(calibrated.predict_proba(features)).all()


def test_what_can_not_be_calibrated_is_said(overconfident):
    features, classes = correlated(200, 2)
    right = overconfident.predict(features) == classes

    def reason(method, rows):
        return obstacle(overconfident, method, features[rows], classes[rows])

    assert reason("sigmoid", []) == "the calibration part is empty"
    assert reason("sigmoid", classes != "QSO") == "the calibration part has no QSO"
    assert reason("temperature", right).startswith("no object of the calibration part is miscl")
    assert reason("sigmoid", right) is None
    assert reason("temperature", classes != "") is None


def test_a_part_without_a_class_is_refused(overconfident):
    features, classes = correlated(100, 2)
    with pytest.raises(ValueError, match="has no QSO"):
        calibrate(
            overconfident, "temperature", features[classes != "QSO"], classes[classes != "QSO"]
        )


def test_cross_validation_stands_in_for_a_calibration_part():
    features, classes = correlated(400, 1)
    calibrated = calibrate_by_cross_validation(SVC(), features, classes)
    unseen, truth = correlated(1000, 3)
    guess = np.full((len(truth), 3), [0.6, 0.1, 0.3])
    assert log_loss(truth, calibrated.predict_proba(unseen)) < 0.8 * log_loss(truth, guess)


def test_cross_validation_needs_two_objects_of_each_class():
    features, classes = correlated(40, 1)
    rows = np.append(np.flatnonzero(classes != "QSO"), np.flatnonzero(classes == "QSO")[0])
    with pytest.raises(ValueError, match="only 1 object of class QSO"):
        calibrate_by_cross_validation(SVC(), features[rows], classes[rows])


@pytest.mark.parametrize("usual", ["temperature", "sigmoid"])
def test_auto_never_takes_a_method_that_scores_worse_than_the_usual_one(usual):
    taken = set()
    for seed in range(6):
        model = GaussianNB().fit(*correlated(200, seed))
        features, classes = correlated((60, 150, 600)[seed % 3], 100 + seed)
        chosen = choose(model, "auto", usual, features, classes, seed)
        if chosen.scores.keys() == {usual}:  # too few quasars to compare
            assert np.unique(classes, return_counts=True)[1].min() < 10
            assert chosen.method == usual
            continue
        assert chosen.scores.keys() == {*METHODS}
        assert chosen.scores[chosen.method][0] <= chosen.scores[usual][0]
        taken.add(chosen.method)
    assert len(taken) > 1  # it is a choice


def test_objects_are_held_out_of_what_says_their_probability(overconfident):
    features, classes = correlated(300, 2)
    held_out = choose(overconfident, "isotonic", "temperature", features, classes, 1).held_out
    np.testing.assert_allclose(held_out.sum(axis=1), 1)
    fitted = calibrate(overconfident, "isotonic", features, classes).predict_proba(features)
    names = overconfident.classes_
    assert log_loss(classes, held_out, labels=names) > log_loss(classes, fitted, labels=names)


def test_votes_of_zero_are_left_to_no_temperature():
    features, classes = correlated(600, 1)
    votes = KNeighborsClassifier(5).fit(features, classes)
    chosen = choose(votes, "auto", "sigmoid", *correlated(600, 2), 1)
    assert chosen.method in ("sigmoid", "dirichlet_diagonal", "dirichlet")
    assert (chosen.held_out > 0).all()
    mapped = DirichletCalibration(votes).fit(*correlated(600, 2)).predict_proba(features)
    assert ((mapped > 0) & (mapped < 1)).all()


def test_dirichlet_calibration_leaves_right_probabilities_alone():
    features, classes = correlated(20_000, 1)
    right = LogisticRegression().fit(features[:, :2], classes)
    unseen = correlated(20_000, 2)
    for diagonal in (True, False):
        mapped = DirichletCalibration(right, diagonal).fit(unseen[0][:, :2], unseen[1])
        np.testing.assert_allclose(mapped.weights_, np.eye(3), atol=0.1)
        np.testing.assert_allclose(mapped.offsets_, 0, atol=0.15)


def test_dirichlet_calibration_undoes_a_linear_map():
    """Probabilities that were spoilt by a linear map of their logarithms come back."""
    generator = np.random.default_rng(1)
    right = generator.dirichlet([2, 1, 1], 20_000)
    classes = np.array(["GALAXY", "QSO", "STAR"])[
        (right.cumsum(1) < generator.random((20_000, 1))).sum(1)
    ]
    spoilt = np.log(right) @ np.array([[1.5, 0.3, 0], [0, 0.7, 0], [0.2, 0, 2.0]]) + [0.5, 0, -0.5]

    class Spoilt:
        classes_ = np.array(["GALAXY", "QSO", "STAR"])

        def decision_function(self, features):
            return features

    mapped = DirichletCalibration(Spoilt()).fit(spoilt, classes).predict_proba(spoilt)
    assert np.abs(mapped - right).mean() < 0.01
