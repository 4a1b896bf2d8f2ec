"""The width factor of p(z), and how far PIT are from uniform."""

import numpy as np
import pytest
from scipy.stats import cramervonmises

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.pit import pit_ks
from sdssflow.regress.recalibration import central_distance, fit_width, shrunk_width


def densities(n, claimed, seed=0, outliers=0.0):
    """Return two-component p(z) with `claimed` times their true width, and zspec drawn truly."""
    generator = np.random.default_rng(seed)
    center = generator.uniform(0.3, 0.7, n)
    width = 0.01 * np.exp(generator.normal(0, 0.4, n))
    truth = Mixture(
        np.tile([1.0, 1.0], (n, 1)),
        center[:, None] + width[:, None] * [-1.5, 1.5],
        width[:, None] * np.ones((1, 2)),
        0.0,
        1.0,
    )
    component = generator.integers(0, 2, n)
    zspec = truth.means[np.arange(n), component] + width * generator.normal(0, 1, n)
    failed = generator.random(n) < outliers
    zspec[failed] = generator.uniform(0, 1, failed.sum())
    return truth.rescaled(claimed), zspec


@pytest.mark.parametrize("claimed", [0.6, 1.0, 1.6])
def test_the_true_width_is_found(claimed):
    pdf, zspec = densities(4000, claimed)
    width = fit_width(pdf, zspec)
    assert width == pytest.approx(1 / claimed, rel=0.04)
    assert pit_ks(pdf.rescaled(width).cdf(zspec)) < 1.6 / np.sqrt(4000)


def test_outliers_pull_it_little():
    widths = [fit_width(*densities(500, 1.0, seed, outliers=0.02)) for seed in range(8)]
    assert np.mean(widths) == pytest.approx(1, abs=0.06)  # the log density would take 2


def test_a_factor_within_its_scatter_is_left_at_one():
    factors = [fit_width(*densities(250, 1.0, seed)) for seed in range(12)]
    kept = [shrunk_width(factor, 250) for factor in factors]
    assert np.mean(np.array(kept) == 1) > 0.4
    assert np.std(kept) < 0.7 * np.std(factors)
    assert shrunk_width(1.5, 4000) == pytest.approx(1.5, abs=0.01)
    assert 0.6 < shrunk_width(0.6, 250) < 0.62


def test_few_objects_leave_p_z_as_it_is():
    assert fit_width(*densities(49, 0.6)) == 1
    assert fit_width(*densities(50, 0.6)) > 1.2


def test_the_factor_stays_within_its_bounds():
    assert fit_width(*densities(300, 0.1)) == pytest.approx(2, rel=1e-3)
    assert fit_width(*densities(300, 5.0)) == pytest.approx(0.5, rel=1e-3)


def test_the_order_of_objects_does_not_matter():
    pdf, zspec = densities(200, 0.8)
    order = np.random.default_rng(1).permutation(200)
    assert fit_width(pdf[order], zspec[order]) == pytest.approx(fit_width(pdf, zspec), abs=1e-12)


def test_distances_agree_with_scipy():
    pit = np.random.default_rng(0).beta(2, 1, 80)
    coverage = np.abs(2 * pit - 1)
    expected = cramervonmises(coverage, "uniform").statistic / 80
    assert central_distance(pit) == pytest.approx(expected, abs=1e-12)
