"""Fast predictions against those of scikit-learn, trees looked up in tables and support vectors."""

import copy

import numpy as np
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sdssflow.classify.calibration import calibrate
from sdssflow.models.fast_predictions import _parts, quicken

CHANGED = ("_predict_iterations", "decision_function")


def sample(classes, n=600):
    generator = np.random.default_rng(classes)
    features = generator.normal(size=(n, 4)).round(1)  # values on the thresholds too
    score = features[:, 0] * features[:, 1] + features[:, 2] + 0.3 * generator.normal(size=n)
    features[generator.random((n, 4)) < 0.1] = np.nan
    return features, np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))


def both(classifier, features):
    before = classifier.predict_proba(features)
    quick = quicken(copy.deepcopy(classifier))
    return before, quick.predict_proba(features), quick


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("calibrated", [False, True])
def test_probabilities_are_those_of_the_trees(classes, calibrated):
    features, labels = sample(classes)
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=32, random_state=0)
    model.fit(features[:300], labels[:300])
    if calibrated:
        model = calibrate(model, "temperature", features[300:], labels[300:])
    features[:3] = [[np.nan] * 4, [1e300] * 4, [-1e300] * 4]
    before, after, quick = both(model, features)
    np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_array_equal(quick.predict(features), before.argmax(axis=1))
    alone = np.vstack([quick.predict_proba(row[None]) for row in features[:50]])
    np.testing.assert_array_equal(alone, after[:50])


def test_what_the_tables_cannot_hold_is_left_as_it_is():
    features, labels = sample(2)
    many = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=60, min_samples_leaf=2)
    codes = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0])
    coded = np.where(np.isnan(features), 0, features.round().clip(0, 3))
    for model, given in ((many, features), (codes, coded)):
        before, after, quick = both(model.fit(given, labels), given)
        np.testing.assert_array_equal(after, before)
        assert "_predict_iterations" not in vars(quick)
    forest = RandomForestClassifier(2).fit(coded, labels)
    assert quicken(forest) is forest


def test_support_vectors_within_a_calibrated_vote():
    features, labels = sample(3)
    features = np.nan_to_num(features)
    parts = (features[:300], labels[:300])
    machines = make_pipeline(StandardScaler(), OneVsRestClassifier(SVC(C=10))).fit(*parts)
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(*parts)
    voters = [
        (str(number), FrozenEstimator(calibrate(model, "sigmoid", features[300:], labels[300:])))
        for number, model in enumerate((machines, trees))
    ]
    vote = VotingClassifier(voters, voting="soft").fit(*parts)
    before, after, quick = both(vote, features)
    assert before.std(axis=0).min() > 0.1
    np.testing.assert_allclose(after, before, atol=1e-9)
    changed = [kind for part in _parts(quick) for kind in vars(part) if kind in CHANGED]
    assert sorted(changed) == ["_predict_iterations"] + 3 * ["decision_function"]
    machine = SVC(C=10).fit(features, labels == 0)
    expected = machine.decision_function(features)
    found = quicken(machine).decision_function(features)
    np.testing.assert_allclose(found, expected, atol=1e-9)
