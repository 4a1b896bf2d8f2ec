"""p(z) of local linear regression and of the random forest."""

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from sdssflow.configuration import regressors
from sdssflow.models.estimators import load_estimator, save_estimator
from sdssflow.models.folders import ModelFolder, fit_regressor, model_path
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress import forests
from sdssflow.regress.neighbours import LocalLinearRegression
from tests.regress import galaxies

SETTINGS = [
    regressors.LocalLinear(kind="local_linear", neighbours=40),
    regressors.RandomForestRegressor(kind="random_forest", trees=40),
]
every_kind = pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.kind)
TRAIN, TEST = galaxies.part(1500, 1), galaxies.part(400, 2)


def fit(settings, train=TRAIN):
    return fit_regressor(settings, 1, train, galaxies.part(0))


def arrays(pdf):
    return np.stack([pdf.weights, pdf.means, pdf.scales])


@every_kind
def test_pit_is_nearly_uniform(settings):
    pit = fit(settings).predict_pdf(TEST.features).cdf(TEST.zspec)
    # before calibration: half of the objects within the inner half, give or take
    assert 0.4 < np.mean(np.abs(pit - 0.5) < 0.25) < 0.75
    assert abs(pit.mean() - 0.5) < 0.06
    assert np.mean((pit < 0.005) | (pit > 0.995)) < 0.05


@every_kind
def test_p_z_belongs_to_the_point_estimate_and_stays_in_its_range(settings):
    estimator = fit(settings)
    pdf = estimator.predict_pdf(TEST.features)
    mean = np.sum(pdf.weights * pdf.means, axis=1)
    np.testing.assert_allclose(mean, estimator.predict(TEST.features), atol=1e-9)
    assert (pdf.lower, pdf.upper) == (0, pytest.approx(1.2 * TRAIN.zspec.max()))


@every_kind
def test_an_object_has_one_p_z_alone_in_a_chunk_and_in_the_table(settings):
    estimator = fit(settings)
    whole = arrays(estimator.predict_pdf(TEST.features))
    chunks = [arrays(estimator.predict_pdf(rows)) for rows in np.array_split(TEST.features[:50], 9)]
    alone = [arrays(estimator.predict_pdf(row[None])) for row in TEST.features[:20]]
    np.testing.assert_allclose(np.concatenate(chunks, axis=1), whole[:, :50], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.concatenate(alone, axis=1), whole[:, :20], rtol=0, atol=1e-12)


@every_kind
def test_the_saved_model_gives_the_same(settings, tmp_path):
    estimator = fit(settings)
    save_estimator(estimator, model_path(tmp_path, settings, 0))
    card = {"folds": [0], "features": list(galaxies.NAMES)}
    folder = ModelFolder(tmp_path, json.loads(json.dumps(card)), settings)
    expected = arrays(estimator.predict_pdf(TEST.features))
    np.testing.assert_array_equal(arrays(folder.load_pdf(0)(TEST.features)), expected)
    loaded = load_estimator(tmp_path / "fold_0.skops")
    np.testing.assert_array_equal(loaded.predict(TEST.features), estimator.predict(TEST.features))
    with pytest.raises(ValueError, match="no model of fold 3"):
        folder.load_pdf(3)


def test_a_kind_without_p_z_is_named(tmp_path):
    folder = ModelFolder(tmp_path, {"folds": [0]}, regressors.LinearRegression(kind="linear"))
    with pytest.raises(ValueError, match="a linear model has no p.z."):
        folder.load_pdf(0)


@every_kind
def test_negative_training_redshifts_are_taken_and_p_z_begins_at_0(settings):
    train = galaxies.part(400, 3)
    train.zspec[:] -= train.zspec.mean()
    estimator = fit(settings, train)
    pdf = estimator.predict_pdf(train.features)
    assert isinstance(pdf, Mixture)
    assert estimator.predict(train.features).min() < 0
    assert pdf.quantiles([0.01]).min() >= 0
    all_negative = galaxies.part(400, 3)
    all_negative.zspec[:] = -1e-4
    assert fit(settings, all_negative).predict_pdf(train.features).upper > 0


def test_the_forest_predicts_as_scikit_learns():
    settings = SETTINGS[1]
    plain = RandomForestRegressor(
        n_estimators=settings.trees,
        min_samples_leaf=settings.min_samples_leaf,
        max_features=settings.max_features,
        random_state=1,
    ).fit(TRAIN.features, TRAIN.zspec)
    np.testing.assert_array_equal(
        fit(settings).predict(TEST.features), plain.predict(TEST.features)
    )


def test_leaf_scales_are_shrunk_towards_the_forests():
    # one feature without information: leaves differ by chance alone
    generator = np.random.default_rng(0)
    features, zspec = np.ones((300, 1)), generator.normal(0.3, 0.02, 300)
    pdf = fit(SETTINGS[1], galaxies.with_features(_with_zspec(zspec), features)).predict_pdf(
        features[:1]
    )
    assert pdf.scales == pytest.approx(np.std(zspec), rel=0.15)
    leafy = RandomForestRegressor(n_estimators=40, min_samples_leaf=3, random_state=1)
    settings = regressors.RandomForestRegressor(kind="random_forest", trees=40, min_samples_leaf=2)
    noise = generator.normal(size=(300, 1))
    part = galaxies.with_features(_with_zspec(zspec), noise)
    scales = fit(settings, part).predict_pdf(noise).scales
    raw = leafy.set_params(min_samples_leaf=2).fit(noise, zspec)
    spread = [np.sqrt(tree.tree_.impurity[tree.apply(noise)]) for tree in raw.estimators_]
    assert scales.min() > 0.005
    assert np.min(spread) < 0.001


def _with_zspec(zspec):
    part = galaxies.part(len(zspec), 4)
    part.zspec[:] = zspec
    return part


def test_local_scale_is_the_scatter_about_the_plane():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, 2))
    zspec = 0.5 + features @ [0.02, 0.01] + generator.normal(0, 0.01, 40)
    model = LocalLinearRegression(neighbours=100).fit(features, zspec)
    design = np.column_stack([np.ones(40), features])
    left = zspec - design @ np.linalg.lstsq(design, zspec)[0]
    expected = np.sqrt(np.sum(left**2) / (40 - 3))
    assert model.predict_pdf(features).scales == pytest.approx(expected, rel=1e-6)


def test_neighbours_on_a_plane_have_the_smallest_scale():
    features = np.linspace(0, 1, 200)[:, None]
    model = LocalLinearRegression(neighbours=20).fit(features, features[:, 0])
    assert model.predict_pdf(features).scales == pytest.approx(1e-4)


def test_merging_neighbouring_gaussians_keeps_moments_and_shape():
    generator = np.random.default_rng(0)
    means, scales = generator.gamma(4, 0.02, (50, 300)), generator.uniform(0.005, 0.02, (50, 300))
    weights, fewer, widths = forests.merged(means, scales, 30)
    assert fewer.shape == (50, 30)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose((weights * fewer).sum(axis=1), means.mean(axis=1))
    second = (weights * (widths**2 + fewer**2)).sum(axis=1)
    np.testing.assert_allclose(second, (scales**2 + means**2).mean(axis=1))
    z = np.tile(np.linspace(0, 0.4, 81), (50, 1))
    full = Mixture(np.ones((50, 300)), means, scales, 0.0, 1.0).cdf(z)
    assert np.abs(Mixture(weights, fewer, widths, 0.0, 1.0).cdf(z) - full).max() < 0.01
