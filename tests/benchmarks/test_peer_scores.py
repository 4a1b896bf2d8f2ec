"""Densities on a grid, ours and the peers', are scored alike and rightly."""

import math

import numpy as np
import pytest
from scipy import stats

from sdssflow.evaluate import redshift_metrics
from tests.benchmarks.loading import load

score_grid = load("peers/score_grid")
GRID = np.linspace(0.0, 0.4, 2001)


def gaussians(means, scale):
    return stats.norm.pdf(GRID, np.asarray(means)[:, None], scale)


def test_crps_of_gaussians_is_the_closed_form():
    zspec = np.array([0.2, 0.21, 0.15, 0.2300517])
    density, _ = score_grid.normalised(GRID, gaussians([0.2] * 4, 0.02))
    found = score_grid.crps(GRID, score_grid.cumulative(GRID, density), zspec)
    w = (zspec - 0.2) / 0.02
    expected = 0.02 * (
        w * (2 * stats.norm.cdf(w) - 1) + 2 * stats.norm.pdf(w) - 1 / math.sqrt(math.pi)
    )
    np.testing.assert_allclose(found, expected, atol=2e-7)


def test_crps_of_a_density_that_is_nearly_a_point_is_its_distance():
    density, _ = score_grid.normalised(GRID, gaussians([0.1], 0.0005))
    found = score_grid.crps(GRID, score_grid.cumulative(GRID, density), np.array([0.3]))
    assert found[0] == pytest.approx(0.2 - 0.0005 / math.sqrt(math.pi), abs=1e-5)


def test_cde_term_of_a_gaussian_is_the_closed_form():
    zspec = np.array([0.2, 0.23])
    found = score_grid.cde_terms(GRID, gaussians([0.2, 0.2], 0.02), zspec)
    expected = 1 / (2 * 0.02 * math.sqrt(math.pi)) - 2 * stats.norm.pdf(zspec, 0.2, 0.02)
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_cde_term_of_a_triangle_is_exact_on_a_coarse_grid():
    # height 5 over a base of 0.4: integral of the square is 5^2 0.4 / 3
    found = score_grid.cde_terms(
        np.array([0.0, 0.2, 0.4]), np.array([[0.0, 5.0, 0.0]]), np.array([0.1])
    )
    assert found[0] == pytest.approx(25 * 0.4 / 3 - 2 * 2.5)


def test_points_of_a_triangle():
    grid = np.array([0.0, 0.1, 0.4])
    density = np.array([[0.0, 5.0, 0.0]])
    found = score_grid.density_points(grid, density, score_grid.cumulative(grid, density))
    assert found["mean"][0] == pytest.approx((0.0 + 0.1 + 0.4) / 3)
    assert found["mode"][0] == 0.1


def test_coverage_and_pit_of_uniform_densities_with_evenly_spread_redshifts():
    zspec = 0.4 * (np.arange(200) + 0.5) / 200
    scores = score_grid.grid_scores(GRID, np.ones((200, 2001)), zspec, {})
    assert scores["pit_ks"] == pytest.approx(0.5 / 200)
    assert scores["cov_68"] == pytest.approx(0.68)
    assert scores["cov_95"] == pytest.approx(0.95)
    assert scores["cde_loss"] == pytest.approx(-2.5)


def test_densities_half_as_wide_as_they_should_be_cover_too_little():
    rng = np.random.default_rng(1)
    means = rng.uniform(0.1, 0.3, 2000)
    zspec = means + 0.02 * rng.normal(size=2000)
    right = score_grid.grid_scores(GRID, gaussians(means, 0.02), zspec, {})
    narrow = score_grid.grid_scores(GRID, gaussians(means, 0.01), zspec, {})
    assert right["cov_68"] == pytest.approx(0.683, abs=0.03)
    assert right["cov_95"] == pytest.approx(0.95, abs=0.015)
    assert narrow["cov_68"] == pytest.approx(math.erf(0.4972 / math.sqrt(2)), abs=0.03)
    for score in ("crps", "cde_loss", "pit_ks"):
        assert right[score] < narrow[score]


@pytest.mark.parametrize("pit", [[0.5, 0.9], [0.1, 0.5]])
def test_pit_distance_sees_both_sides(pit):
    assert score_grid.pit_distance(np.array(pit)) == pytest.approx(0.5)


def test_the_unit_of_a_density_does_not_matter_and_negative_values_are_zero():
    density = gaussians([0.1, 0.2], 0.02)
    zspec = np.array([0.11, 0.19])
    first = score_grid.grid_scores(GRID, density, zspec, {})
    below = np.where(density < 1e-6, -3.0, 7 * density)
    second = score_grid.grid_scores(GRID, below, zspec, {})
    for score in ("crps", "cde_loss"):
        assert first[score] == pytest.approx(second[score], rel=1e-5)


def test_what_is_no_density_becomes_uniform_and_is_counted():
    density = gaussians([0.1, 0.2, 0.3], 0.02)
    density[0], density[2, 5] = 0, np.nan
    scores = score_grid.grid_scores(GRID, density, np.array([0.2, 0.2, 0.3]), {})
    assert scores["without_density"] == 2


def test_the_better_of_mean_and_own_point_estimate_is_taken():
    zspec = np.array([0.1, 0.15, 0.2, 0.25])
    density = gaussians(zspec + np.array([0.01, -0.01, 0.02, 0.0]), 0.02)
    scores = score_grid.grid_scores(GRID, density, zspec, {"zmode": zspec + 0.003})
    assert scores["point"] == "zmode"
    assert scores["points"]["zmode"]["sigma_nmad"] == scores["sigma_nmad"]
    assert score_grid.grid_scores(GRID, density, zspec, {})["point"] == "mean"
    assert score_grid.grid_scores(GRID, density, zspec, {"x": zspec * np.nan})["point"] == "mean"


def test_point_scores_are_the_project_s_metrics():
    rng = np.random.default_rng(2)
    zspec = rng.uniform(0.02, 0.3, 101)
    zphot = zspec + rng.normal(0.005, 0.02, 101)
    d = redshift_metrics.normalised_residual(zspec, zphot)
    found = score_grid.point_scores(zphot, zspec)
    nmad, r2 = redshift_metrics.sigma_nmad(d), redshift_metrics.r2(zspec, zphot)
    expected = {"sigma_nmad": nmad, "rms": np.mean(d**2) ** 0.5, "r2": r2, "bias": d.mean()}
    assert found == pytest.approx(expected)


def test_a_redshift_outside_the_grid_or_another_shape_is_refused():
    with pytest.raises(ValueError, match="outside the grid"):
        score_grid.grid_scores(GRID, np.ones((1, 2001)), np.array([0.41]), {})
    with pytest.raises(ValueError, match="density is"):
        score_grid.grid_scores(GRID, np.ones((2, 2001)), np.array([0.1]), {})
