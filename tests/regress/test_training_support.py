"""How far objects are from the training part."""

import numpy as np
import pytest

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.regress.training_support import color_names, fit_support

NAMES = ("psf_color_ug", "psf_color_gr", "psf_mag_r", "psf_color_err_ug")
SETTINGS = PdfCalibration(neighbours=5, outside_fraction=0.02)


def draw(n, seed, shift=0.0):
    """Return features: two correlated colours of unlike spread, a magnitude and an error."""
    generator = np.random.default_rng(seed)
    first = generator.normal(0, 1, n)
    second = 0.1 * (first + generator.normal(0, 1, n))
    return np.column_stack(
        [first + shift, second, generator.normal(17, 2, n), generator.uniform(0, 0.1, n)]
    )


@pytest.fixture(scope="module")
def support():
    return fit_support(draw(3000, 1), NAMES, SETTINGS, seed=1)


def test_objects_like_the_training_part_are_flagged_at_the_nominal_rate(support):
    distances = support.distances(draw(6000, 2), NAMES)
    assert support.outside(distances).mean() == pytest.approx(0.02, abs=0.008)


def test_shifted_objects_are_flagged(support):
    distances = support.distances(draw(500, 3, shift=12.0), NAMES)
    assert support.outside(distances).all()


def test_the_distance_is_that_to_the_kth_training_object_in_standardised_colors(support):
    train, other = draw(3000, 1), draw(20, 4)
    mean, scale = train[:, :2].mean(axis=0), train[:, :2].std(axis=0)
    pairs = ((other[:, None, :2] - mean) - (train[None, :, :2] - mean)) / scale
    expected = np.sort(np.sqrt((pairs**2).sum(axis=2)), axis=1)[:, 4]
    np.testing.assert_allclose(support.distances(other, NAMES), expected, atol=1e-9)


def test_training_objects_are_left_out_of_their_own_distances():
    train = draw(400, 1)
    settings = PdfCalibration(neighbours=1, outside_fraction=0.5)
    support = fit_support(train, NAMES, settings, seed=1)
    assert support.distances(train, NAMES) == pytest.approx(0)
    assert support.limit > 0  # the median distance to the nearest other one


def test_only_colors_count(support):
    other = draw(50, 5)
    moved = other + np.array([0, 0, 30, 2])
    np.testing.assert_array_equal(support.distances(moved, NAMES), support.distances(other, NAMES))
    assert color_names(["mag_u", "mag_g"]) == ("mag_u", "mag_g")


def test_columns_are_found_by_name(support):
    other, order = draw(50, 5), [3, 1, 2, 0]
    swapped = support.distances(other[:, order], [NAMES[place] for place in order])
    np.testing.assert_array_equal(swapped, support.distances(other, NAMES))


def test_rows_and_chunks_do_not_matter(support):
    other = draw(300, 6)
    other[::5, 0] = np.nan
    whole = support.distances(other, NAMES)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(support.distances(other[order], NAMES), whole[order])
    chunks = [support.distances(rows, NAMES) for rows in np.array_split(other, 7)]
    np.testing.assert_array_equal(np.concatenate(chunks), whole)
    assert support.distances(other[:0], NAMES).shape == (0,)


def test_missing_colors_are_left_out_and_made_up_for(support):
    other = draw(40, 7)
    lacking = other.copy()
    lacking[:, 0] = np.nan
    train = draw(3000, 1)
    one = np.abs(other[:, None, 1] - train[None, :, 1]) / train[:, 1].std()
    expected = np.sort(one, axis=1)[:, 4] * np.sqrt(2)
    np.testing.assert_allclose(support.distances(lacking, NAMES), expected, atol=1e-9)


def test_an_object_without_any_color_is_outside(support):
    lacking = draw(3, 7)
    lacking[1, :2] = np.nan
    distances = support.distances(lacking, NAMES)
    assert np.isinf(distances[1])
    assert support.outside(distances)[1]


def test_training_objects_may_lack_colors():
    train = draw(1000, 1)
    train[::3, 0] = np.nan
    support = fit_support(train, NAMES, SETTINGS, seed=1)
    distances = support.distances(draw(2000, 2), NAMES)
    assert np.isfinite(distances).all()
    assert support.outside(distances).mean() < 0.06
    train[:, 0] = np.nan  # a colour that nobody has
    without = fit_support(train, NAMES, SETTINGS, seed=1)
    assert np.isfinite(without.distances(train, NAMES)).all()
    train[:, 1] = np.nan
    with pytest.raises(ValueError, match="no two training objects have one of the features"):
        fit_support(train, NAMES, SETTINGS, seed=1)


def test_a_seeded_draw_bounds_the_reference_objects():
    settings = PdfCalibration(neighbours=5, outside_fraction=0.02, reference_objects=500)
    first, again, other = (fit_support(draw(3000, 1), NAMES, settings, s) for s in (1, 1, 2))
    assert len(first.points) == 500
    np.testing.assert_array_equal(first.points, again.points)
    assert (first.points != other.points).any()
    distances = first.distances(draw(6000, 2), NAMES)
    assert first.outside(distances).mean() == pytest.approx(0.02, abs=0.015)


def test_fewer_training_objects_than_neighbours():
    support = fit_support(draw(3, 1), NAMES, SETTINGS, seed=1)
    assert np.isfinite(support.distances(draw(5, 2), NAMES)).all()


def test_with_more_features_than_an_integer_has_bits_a_missing_one_is_left_out():
    generator = np.random.default_rng(5)
    names = tuple(f"extra{number}" for number in range(70))
    train, other = generator.normal(size=(200, 70)), generator.normal(size=(3, 70))
    train[:50, 68], other[1, 69] = np.nan, np.nan
    support = fit_support(train, names, SETTINGS, seed=1)
    distances = support.distances(other, names)
    kept = [column for column in range(70) if column != 69]
    alone = fit_support(train[:, kept], [names[column] for column in kept], SETTINGS, seed=1)
    expected = alone.distances(other[:, kept], alone.colors)[1] * np.sqrt(70 / 69)
    assert np.isfinite(distances).all() and distances[1] == pytest.approx(expected)
    assert len(support.distances(np.empty((0, 70)), names)) == 0
