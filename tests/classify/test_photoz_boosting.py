"""Boosted trees with a photometric redshift as a feature."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from sdssflow.classify.photoz_boosting import (
    PhotozClassifier,
    fit,
    out_of_fold,
    with_zphot,
)
from sdssflow.classify.training import train_classifier
from sdssflow.configuration.classifiers import PhotozBoosting
from sdssflow.prepare.parts import Part

SETTINGS = PhotozBoosting(kind="photoz_boosting", iterations=30, folds=3)


def objects(count, seed):
    """Galaxies and quasars whose redshifts show in the colours, their classes in the redshifts."""
    generator = np.random.default_rng(seed)
    zspec = generator.uniform(0, 2, count)
    colors = np.column_stack([zspec, np.sin(3 * zspec)]) + generator.normal(0, 0.05, (count, 2))
    return Part(
        features=colors,
        feature_names=("u_g", "g_r"),
        row_id=np.arange(count),
        group_key=pa.array(np.arange(count).astype(str)),
        reference_mag=np.full(count, 18, dtype=np.float32),
        spec_class=np.where(zspec % 0.5 < 0.25, "GALAXY", "QSO"),
        zspec=zspec,
        digest="0" * 12,
    )


TRAIN, VALIDATION, TEST = objects(600, 1), objects(100, 2), objects(300, 3)


def test_no_object_is_predicted_by_a_regressor_that_has_seen_it_or_its_twin():
    generator = np.random.default_rng(0)
    features = np.repeat(generator.normal(size=(50, 2)), 2, axis=0)
    zspec = np.repeat(generator.uniform(0, 1, 50), 2)
    memory = DecisionTreeRegressor(random_state=0)
    twins = np.repeat(np.arange(50), 2).astype(str)
    apart = out_of_fold(memory, features, zspec, twins, folds=5)
    assert np.all(apart != zspec)
    assert np.corrcoef(apart, zspec)[0, 1] < 0.5
    # were twins in groups of their own, the tree would know most of them
    leaked = out_of_fold(memory, features, zspec, np.arange(100).astype(str), folds=5)
    assert np.mean(leaked == zspec) > 0.5


def test_what_is_linear_is_predicted_out_of_fold_and_without_a_redshift():
    features = np.random.default_rng(1).normal(size=(60, 2))
    truth = 0.5 + features @ [0.1, -0.2]
    zspec = truth.copy()
    zspec[::6] = np.nan
    zphot = out_of_fold(LinearRegression(), features, zspec, np.arange(60), folds=4)
    np.testing.assert_allclose(zphot, truth, atol=1e-12)


def test_more_folds_than_groups_are_as_many_as_groups():
    features, zspec = np.arange(6.0)[:, None], np.arange(6.0)
    groups = np.array(["a", "a", "b", "b", "c", "c"])
    many = out_of_fold(DecisionTreeRegressor(), features, zspec, groups, folds=50)
    three = out_of_fold(DecisionTreeRegressor(), features, zspec, groups, folds=3)
    np.testing.assert_array_equal(many, three)
    with pytest.raises(ValueError, match="the training part has 1 group of objects"):
        out_of_fold(DecisionTreeRegressor(), features, zspec, np.zeros(6), folds=3)


def test_the_classifier_sees_the_features_and_then_zphot():
    regressor = LinearRegression().fit(TRAIN.features, TRAIN.zspec)
    columns = with_zphot(regressor, TEST.features)
    np.testing.assert_array_equal(columns[:, :2], TEST.features)
    np.testing.assert_array_equal(columns[:, 2], regressor.predict(TEST.features))
    assert with_zphot(regressor, TEST.features[:0]).shape == (0, 3)


def test_classes_that_show_in_the_redshift_are_learnt_and_zspec_is_not_needed():
    fitted = fit(SETTINGS, 1, TRAIN, VALIDATION)
    assert isinstance(fitted, PhotozClassifier)
    accuracy = np.mean(fitted.predict(TEST.features) == TEST.spec_class)
    assert accuracy > 0.75  # photometric noise blurs the borders
    probability = fitted.predict_proba(TEST.features)
    most_probable = fitted.classes_[probability.argmax(axis=1)]
    np.testing.assert_array_equal(most_probable, fitted.predict(TEST.features))
    zphot = fitted.regressor_.predict(TEST.features)
    assert np.std(zphot - TEST.zspec) < 0.1
    assert fitted.classifier_.n_features_in_ == 3


def test_without_redshifts_it_says_what_to_use():
    train = replace(TRAIN, zspec=None)
    parts = {"train": train, "validation": VALIDATION, "calibration": TEST}
    with pytest.raises(ValueError, match="no zspec, .* use gradient_boosting"):
        train_classifier(SETTINGS, parts, 1)
    unknown = replace(TRAIN, zspec=np.full(600, np.nan))
    with pytest.raises(ValueError, match="too few training objects have a redshift"):
        train_classifier(SETTINGS, {**parts, "train": unknown}, 1)
