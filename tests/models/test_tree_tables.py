"""Boosted trees looked up in tables against scikit-learn's walk down each tree."""

import copy

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from sdssflow.classify.calibration import calibrate
from sdssflow.models.tree_tables import look_up_trees


def sample(classes, n=600):
    generator = np.random.default_rng(classes)
    features = generator.normal(size=(n, 4)).round(1)  # values on the thresholds too
    score = features[:, 0] * features[:, 1] + features[:, 2] + 0.3 * generator.normal(size=n)
    features[generator.random((n, 4)) < 0.1] = np.nan
    return features, np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))


def both(classifier, features):
    before = classifier.predict_proba(features)
    looked_up = look_up_trees(copy.deepcopy(classifier))
    return before, looked_up.predict_proba(features), looked_up


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("calibrated", [False, True])
def test_probabilities_are_those_of_the_trees(classes, calibrated):
    features, labels = sample(classes)
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=32, random_state=0)
    model.fit(features[:300], labels[:300])
    if calibrated:
        model = calibrate(model, "temperature", features[300:], labels[300:])
    features[:3] = [[np.nan] * 4, [1e300] * 4, [-1e300] * 4]
    before, after, looked_up = both(model, features)
    np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_array_equal(looked_up.predict(features), before.argmax(axis=1))
    alone = np.vstack([looked_up.predict_proba(row[None]) for row in features[:50]])
    np.testing.assert_array_equal(alone, after[:50])


def test_what_the_tables_cannot_hold_is_left_as_it_is():
    features, labels = sample(2)
    many = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=60, min_samples_leaf=2)
    codes = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0])
    coded = np.where(np.isnan(features), 0, features.round().clip(0, 3))
    for model, given in ((many, features), (codes, coded)):
        before, after, looked_up = both(model.fit(given, labels), given)
        np.testing.assert_array_equal(after, before)
        assert "_predict_iterations" not in vars(looked_up)
    forest = RandomForestClassifier(2).fit(coded, labels)
    assert look_up_trees(forest) is forest
