"""The scikit-learn regressors and local linear regression."""

import numpy as np
import pytest
import torch

from sdssflow.configuration import regressors
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.standardisation import FEATURE_BOUND, mean_and_scale
from sdssflow.models.estimators import load_estimator, save_estimator
from sdssflow.models.folders import fit_regressor
from sdssflow.regress.regressors import BoundedScaler
from tests.regress import galaxies

SETTINGS = [
    regressors.MeanRegressor(kind="mean"),
    regressors.LinearRegression(kind="linear"),
    regressors.PolynomialRegression(kind="polynomial"),
    regressors.DecisionTree(kind="decision_tree"),
    regressors.RandomForestRegressor(kind="random_forest", trees=20),
    regressors.GradientBoostingRegressor(kind="gradient_boosting", iterations=40),
    regressors.NeighbourMean(kind="nearest_neighbours"),
    regressors.LocalLinear(kind="local_linear", neighbours=30),
    regressors.LocalLinear(kind="local_linear", neighbours=30, clip_sigma=3.0),
]
every_kind = pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.kind)
TRAIN, VALIDATION, TEST = (galaxies.part(n, seed) for n, seed in ((400, 1), (80, 2), (150, 3)))


def predict(model, features):
    return model.predict(features)


def rms(estimator, part=TEST):
    return np.sqrt(np.mean((predict(estimator, part.features) - part.zspec) ** 2))


@every_kind
def test_learns_more_than_the_mean(settings):
    estimator = fit_regressor(settings, 1, TRAIN, VALIDATION)
    if settings.kind == "mean":
        assert predict(estimator, TEST.features) == pytest.approx(TRAIN.zspec.mean())
    else:
        assert rms(estimator) < 0.4 * np.std(TEST.zspec)


@every_kind
def test_a_row_has_one_prediction_alone_in_a_chunk_and_in_the_table(settings):
    estimator = fit_regressor(settings, 1, TRAIN, VALIDATION)
    whole = predict(estimator, TEST.features)
    alone = np.concatenate([predict(estimator, row[None]) for row in TEST.features])
    chunks = [predict(estimator, rows) for rows in np.array_split(TEST.features, 7)]
    tolerance = 1e-12 if settings.kind in ("linear", "polynomial") else 0
    np.testing.assert_allclose(alone, whole, rtol=0, atol=tolerance)
    np.testing.assert_allclose(np.concatenate(chunks), whole, rtol=0, atol=tolerance)


@every_kind
def test_the_saved_model_predicts_the_same(settings, tmp_path):
    estimator = fit_regressor(settings, 1, TRAIN, VALIDATION)
    save_estimator(estimator, tmp_path / "fold_0.skops")
    loaded = load_estimator(tmp_path / "fold_0.skops")
    np.testing.assert_array_equal(predict(loaded, TEST.features), predict(estimator, TEST.features))


@pytest.mark.parametrize("kind", ["decision_tree", "random_forest", "gradient_boosting"])
def test_the_seed_decides_and_threads_do_not(kind):
    settings = next(settings for settings in SETTINGS if settings.kind == kind)
    first, again, threaded = (
        predict(fit_regressor(settings, 5, TRAIN, VALIDATION, threads=threads), TEST.features)
        for threads in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, threaded)
    if kind == "random_forest":
        other = predict(fit_regressor(settings, 6, TRAIN, VALIDATION), TEST.features)
        assert np.any(other != first)


def test_colours_beside_magnitudes_do_not_change_least_squares():
    magnitudes = np.cumsum(TRAIN.features[:, ::-1], axis=1)  # r, then sums of colours onto it
    test_magnitudes = np.cumsum(TEST.features[:, ::-1], axis=1)
    settings = regressors.LinearRegression(kind="linear")

    def zphot(columns):
        train = galaxies.with_features(TRAIN, columns(magnitudes), ("f",) * 9)
        estimator = fit_regressor(settings, 1, train, VALIDATION)
        return predict(estimator, columns(test_magnitudes))

    plain = zphot(lambda m: m)
    both = zphot(lambda m: np.hstack([m, -np.diff(m, axis=1)]))
    np.testing.assert_allclose(both, plain, rtol=0, atol=1e-10)


def test_boosting_stops_on_the_validation_part_only_if_there_is_one():
    settings = regressors.GradientBoostingRegressor(
        kind="gradient_boosting", iterations=150, learning_rate=0.3
    )
    stopped = fit_regressor(settings, 1, TRAIN, VALIDATION)
    full = fit_regressor(settings, 1, TRAIN, galaxies.part(0))
    assert stopped.n_iter_ < 150
    assert full.n_iter_ == 150


@every_kind
def test_missing_features_are_taken_or_named(settings):
    features = TRAIN.features.copy()
    features[[7, 9], 2] = np.nan
    train = galaxies.with_features(TRAIN, features)
    if settings.takes_missing:
        assert np.isfinite(predict(fit_regressor(settings, 1, train, VALIDATION), features)).all()
    else:
        message = f"'color_r_i' is missing for 2 of 400 objects, first row_id {TRAIN.row_id[7]}"
        with pytest.raises(ValueError, match=message):
            fit_regressor(settings, 1, train, VALIDATION)


def test_missing_redshifts_and_empty_parts_are_refused():
    settings = regressors.LinearRegression(kind="linear")
    train = galaxies.part(50, 4)
    train.zspec[3] = np.nan
    with pytest.raises(ValueError, match="zspec is missing for 1 of 50 .* row_id 4003"):
        fit_regressor(settings, 1, train, VALIDATION)
    with pytest.raises(ValueError, match="train part has no objects"):
        fit_regressor(settings, 1, galaxies.part(0), VALIDATION)


@every_kind
def test_a_constant_feature_changes_nothing_wildly(settings):
    train = galaxies.with_features(TRAIN, np.column_stack([TRAIN.features, np.full(400, 0.1)]))
    test = galaxies.with_features(TEST, np.column_stack([TEST.features, np.full(150, 0.1)]))
    validation = galaxies.with_features(
        VALIDATION, np.column_stack([VALIDATION.features, np.full(80, 0.1)])
    )
    estimator = fit_regressor(settings, 1, train, validation)
    if settings.kind != "mean":
        assert rms(estimator, test) < 0.4 * np.std(TEST.zspec)


def test_a_tree_grown_to_the_end_knows_the_training_redshifts_and_a_stump_two():
    whole = fit_regressor(regressors.DecisionTree(kind="decision_tree"), 1, TRAIN, VALIDATION)
    np.testing.assert_array_equal(predict(whole, TRAIN.features), TRAIN.zspec)
    stump = regressors.DecisionTree(kind="decision_tree", max_depth=1)
    values = predict(fit_regressor(stump, 1, TRAIN, VALIDATION), TRAIN.features)
    halves = [values == value for value in np.unique(values)]
    assert [values[half][0] for half in halves] == pytest.approx(
        [TRAIN.zspec[half].mean() for half in halves]
    )
    assert len(halves) == 2


def test_leaves_hold_no_fewer_objects_than_asked():
    settings = regressors.DecisionTree(kind="decision_tree", min_samples_leaf=25)
    values = predict(fit_regressor(settings, 1, TRAIN, VALIDATION), TRAIN.features)
    assert np.unique(values, return_counts=True)[1].min() >= 25


def test_scaler_statistics_are_the_train_parts_and_bounded():
    scaler = BoundedScaler().fit(TRAIN.features)
    before = scaler.transform(TEST.features)
    assert scaler.transform(TEST.features[:1]) == pytest.approx(before[:1])
    failed = TEST.features[:1] + 1e6
    assert scaler.transform(failed) == pytest.approx(FEATURE_BOUND)


def test_a_constant_column_has_scale_one():
    mean, scale = mean_and_scale(np.column_stack([np.full(1000, 0.1), np.arange(1000.0)]))
    assert mean[0] == pytest.approx(0.1)
    assert scale[0] == 1
    assert scale[1] == pytest.approx(288.675, rel=1e-5)


def test_units_do_not_make_a_column_constant():
    magnitudes = np.random.default_rng(1).normal(20, 1, (500, 2))
    fluxes = 1e-6 * 10 ** (-0.4 * magnitudes)  # about 1e-14, as in erg / s / cm2
    mean, scale = mean_and_scale(fluxes)
    np.testing.assert_allclose(((fluxes - mean) / scale).std(axis=0), 1)
    inputs = PhotometricInputs.fit(fluxes, ["first", "second"], hide_bands=False)
    assert inputs.transform(torch.tensor(fluxes)).std(dim=0).min() > 0.5
