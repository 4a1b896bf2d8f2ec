import matplotlib.pyplot as plt
import numpy as np
import pytest

from sdssflow.explore import sky_map
from sdssflow.explore.objects import Objects
from sdssflow.explore.sky_map import draw_sky_map, signed_offset, sky_center, sky_density
from sdssflow.plotting import style


def objects_at(ra, dec):
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    return Objects("made", None, "", None, None, ra, dec)


@pytest.mark.parametrize("center", [0.0, 0.7, 180.0, 359.5])
@pytest.mark.parametrize("dec", [-60.0, 0.0, 45.0])
def test_center_and_radius_do_not_care_about_ra_zero(center, dec):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ra = (center + np.cos(angle) / np.cos(np.radians(dec))) % 360
    found_ra, found_dec, radius = sky_center(ra, dec + np.sin(angle))
    assert abs(float(signed_offset(found_ra, center))) < 1e-6
    assert found_dec == pytest.approx(dec, abs=0.02)
    assert radius == pytest.approx(1.0, abs=0.03)


def test_radius_of_one_point_is_zero_and_of_opposite_points_is_all():
    assert sky_center(np.array([10.0]), np.array([20.0]))[2] == pytest.approx(0, abs=1e-6)
    assert sky_center(np.array([0.0, 180.0]), np.array([0.0, 0.0]))[2] == 180


def test_density_counts_every_object_and_cells_have_equal_area():
    generator = np.random.default_rng(0)
    ra = generator.uniform(0, 360, 100_000)
    dec = np.degrees(np.arcsin(generator.uniform(-1, 1, len(ra))))
    density = sky_density(ra, dec)
    whole_sky = 4 * np.pi * np.degrees(1) ** 2
    assert density.mean() * whole_sky == pytest.approx(len(ra))
    assert density.std() / density.mean() < 1.2 / np.sqrt(len(ra) / len(density))  # Poisson noise


def test_small_field_is_flat_with_ra_to_the_left_and_true_shape():
    with style():
        axes = draw_sky_map(objects_at([359.5, 0.5, 0.0], [60.0, 60.5, 61.0])).axes[0]
        assert axes.name == "rectilinear"
        assert axes.get_xlim()[0] > axes.get_xlim()[1]
        assert axes.get_aspect() == pytest.approx(1 / np.cos(np.radians(60.5)), rel=0.02)
        axes.figure.canvas.draw()
        labels = [float(label.get_text()) for label in axes.get_xticklabels()]
        assert all(value < 1 or value > 359 for value in labels)


@pytest.mark.parametrize(
    "ra, dec", [([10.0, 100.0, 200.0], [0.0, 10.0, -20.0]), ([10.0, 200.0], [89.0, 88.0])]
)
def test_wide_or_polar_sample_is_drawn_on_the_whole_sky(ra, dec):
    with style():
        figure = draw_sky_map(objects_at(ra, dec))
        axes = figure.axes[0]
        assert axes.name == "mollweide"
        x, y = axes.collections[0].get_offsets().T
        # to the left is east: x falls where ra grows
        turns = np.diff(np.degrees(x)) + np.diff(ra)
        np.testing.assert_allclose(turns % 360 % 360, 0, atol=1e-9)
        np.testing.assert_allclose(np.degrees(y), dec)


def test_objects_without_position_are_counted(monkeypatch):
    monkeypatch.setattr(sky_map, "POINTS_LIMIT", 2)
    with style():
        figure = draw_sky_map(objects_at([10.0, 100.0, 200.0, np.nan], [0.0, 1.0, 2.0, 3.0]))
        assert "N = 3, 1 without" in figure.get_suptitle()
        assert any("square degree" in axes.get_ylabel() for axes in figure.axes)
        assert plt.fignum_exists(figure.number)
