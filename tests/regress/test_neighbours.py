"""Redshifts from the nearest training objects."""

import numpy as np
import pytest

from sdssflow.files import file_digest
from sdssflow.models.estimators import save_estimator
from sdssflow.regress import neighbours
from sdssflow.regress.neighbours import LocalLinearRegression, NeighbourMean, plane_at
from tests.regress import galaxies

TRAIN, TEST = galaxies.part(400, 1), galaxies.part(150, 3)
LINE = np.array([[0.0], [1.0], [3.0], [7.0]])  # standardised, they keep the ratios of distances


def test_a_neighbour_weighs_its_inverse_distance():
    zspec = np.array([0.1, 0.2, 0.4, 0.9])
    model = NeighbourMean(neighbours=3, distance_power=1.0).fit(LINE, zspec)
    # at 2 the distances are 2, 1, 1: weights 1/2, 1, 1
    assert model.predict(np.array([[2.0]])) == pytest.approx((0.05 + 0.2 + 0.4) / 2.5)
    square = NeighbourMean(neighbours=3, distance_power=2.0).fit(LINE, zspec)
    assert square.predict(np.array([[2.0]])) == pytest.approx((0.025 + 0.2 + 0.4) / 2.25)
    alike = NeighbourMean(neighbours=3, distance_power=0.0).fit(LINE, zspec)
    assert alike.predict(np.array([[2.0]])) == pytest.approx(0.7 / 3)


def test_one_neighbour_gives_its_own_redshift_and_so_does_a_twin():
    single = NeighbourMean(neighbours=1).fit(TRAIN.features, TRAIN.zspec)
    np.testing.assert_array_equal(single.predict(TRAIN.features), TRAIN.zspec)
    weighted = NeighbourMean(neighbours=20).fit(TRAIN.features, TRAIN.zspec)
    np.testing.assert_array_equal(weighted.predict(TRAIN.features), TRAIN.zspec)
    twins = NeighbourMean(neighbours=3).fit(np.array([[0.0], [0.0], [1.0]]), np.arange(3.0))
    assert twins.predict(np.array([[0.0]])) == pytest.approx(0.5)


def test_with_all_alike_and_all_neighbours_it_is_the_mean():
    model = NeighbourMean(neighbours=1000, distance_power=0.0).fit(TRAIN.features, TRAIN.zspec)
    assert model.predict(TEST.features) == pytest.approx(TRAIN.zspec.mean())


def test_a_mean_of_neighbours_does_not_depend_on_units_or_block_size(monkeypatch):
    whole = NeighbourMean().fit(TRAIN.features, TRAIN.zspec).predict(TEST.features)
    units = np.array([1.0, 1000.0, 0.01, 2.0, 5.0])
    other = NeighbourMean().fit(TRAIN.features * units, TRAIN.zspec).predict(TEST.features * units)
    np.testing.assert_allclose(other, whole, rtol=0, atol=1e-9)
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    again = NeighbourMean().fit(TRAIN.features, TRAIN.zspec).predict(TEST.features)
    np.testing.assert_array_equal(again, whole)


def test_local_linear_is_exact_where_redshift_is_linear():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 3)) * [1, 10, 0.1] + [0, 20, 5]
    zspec = 0.2 + features @ [0.01, 0.002, -0.03]
    model = LocalLinearRegression(neighbours=30).fit(features[:250], zspec[:250])
    inside = np.abs(model.predict(features[250:]) - zspec[250:]) < 1e-8
    assert inside.mean() > 0.7  # the others lie outside their neighbours' redshifts


def test_local_linear_stays_within_the_neighbours_redshifts():
    features = np.linspace(0, 1, 200)[:, None]
    model = LocalLinearRegression(neighbours=20).fit(features, features[:, 0])
    zphot = model.predict(np.array([[-5.0], [7.0]]))
    assert zphot == pytest.approx([0, 1])


def test_local_linear_with_fewer_objects_than_neighbours_fits_them_all():
    features, zspec = galaxies.draw(40, 5)
    few = LocalLinearRegression(neighbours=100).fit(features, zspec).predict(features)
    design = np.column_stack([np.ones(40), features])
    plane = design @ np.linalg.lstsq(design, zspec)[0]
    np.testing.assert_allclose(few, np.clip(plane, zspec.min(), zspec.max()), atol=1e-7)


def test_local_linear_takes_neighbours_that_are_all_alike():
    features = np.repeat([[1.0, 2.0], [3.0, 4.0]], 30, axis=0)
    zspec = np.repeat([0.1, 0.3], 30)
    model = LocalLinearRegression(neighbours=10).fit(features, zspec)
    assert model.predict(np.array([[1.0, 2.0], [3.0, 4.0]])) == pytest.approx([0.1, 0.3])


def test_local_linear_does_not_depend_on_its_block_size(monkeypatch):
    model = LocalLinearRegression(neighbours=30).fit(TRAIN.features, TRAIN.zspec)
    whole = model.predict(TEST.features)
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    np.testing.assert_array_equal(model.predict(TEST.features), whole)


@pytest.fixture
def spoilt():
    """Redshifts on a plane, some with a redshift of something else."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=(300, 2))
    plane = 0.5 + features @ [0.02, -0.01]
    zspec = plane + generator.normal(0, 1e-3, 300)
    zspec[::25] += 0.3
    return features, zspec, plane


def test_clipping_leaves_outliers_out_and_fits_the_others_once_more(spoilt):
    features, zspec, plane = spoilt
    errors, scales = {}, {}
    for clip in (None, 3.0):
        model = LocalLinearRegression(neighbours=100, clip_sigma=clip).fit(features, zspec)
        inner = np.linalg.norm(features, axis=1) < 1
        errors[clip] = np.abs(model.predict(features) - plane)[inner].max()
        scales[clip] = model.predict_pdf(features[inner]).scales.max()
    assert errors[None] > 5e-3
    assert errors[3.0] < 1e-3
    assert scales[None] > 0.03
    assert scales[3.0] == pytest.approx(1e-3, rel=0.3)


def test_what_is_left_out_is_what_a_fit_without_it_never_saw(spoilt):
    features, zspec, _ = spoilt
    points, query = features[None], features[:1]
    kept = zspec < 0.65
    zphot, scale, residual = plane_at(query, points, zspec[None], kept[None])
    alone = plane_at(query, points[:, kept], zspec[None, kept])
    assert zphot == pytest.approx(alone[0])
    assert scale == pytest.approx(alone[1])
    assert residual[:, kept] == pytest.approx(alone[2], abs=1e-12)
    assert np.all(residual[:, ~kept] > 0.2)


def test_nothing_to_clip_changes_nothing():
    plain = LocalLinearRegression(neighbours=30).fit(TRAIN.features, TRAIN.zspec)
    loose = LocalLinearRegression(neighbours=30, clip_sigma=50.0).fit(TRAIN.features, TRAIN.zspec)
    np.testing.assert_array_equal(plain.predict(TEST.features), loose.predict(TEST.features))


def test_the_scale_is_the_rms_of_residuals_over_the_degrees_of_freedom():
    zspec = np.array([[0.0, 1.0, 0.0, 1.0]])  # of no slope in the feature
    points = np.array([[[-1.0], [-1.0], [1.0], [1.0]]])
    zphot, scale, residual = plane_at(np.array([[0.3]]), points, zspec)
    assert zphot == pytest.approx(0.5)
    assert residual == pytest.approx(np.array([[-0.5, 0.5, -0.5, 0.5]]))
    assert scale == pytest.approx(np.sqrt(4 * 0.25 / 2))  # four neighbours, two parameters


def test_the_tree_is_built_once_and_not_saved(tmp_path, monkeypatch):
    built = []
    tree = neighbours.KDTree
    monkeypatch.setattr(neighbours, "KDTree", lambda points: built.append(1) or tree(points))
    train, test = galaxies.part(200, 1), galaxies.part(30, 2)
    model = LocalLinearRegression(neighbours=20).fit(train.features, train.zspec)
    save_estimator(model, tmp_path / "before.skops")
    before = model.predict(test.features)
    np.testing.assert_array_equal(model.predict(test.features), before)
    assert len(built) == 1
    save_estimator(model, tmp_path / "after.skops")
    assert file_digest(tmp_path / "after.skops") == file_digest(tmp_path / "before.skops")
    model.fit(train.features[:50], train.zspec[:50])
    assert (model.predict(test.features) != before).any()
