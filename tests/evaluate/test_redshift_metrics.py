"""Redshift metrics against hand-made numbers, scikit-learn and their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from sdssflow.evaluate.redshift_metrics import (
    MAD_TO_SIGMA,
    METRICS,
    Residuals,
    mape,
    outlier_fraction,
    r2,
    sigma68,
    sigma_clipped,
    sigma_nmad,
    value,
)

# d = -0.1, 0, 0, 0.02, 0.2 by construction
ZSPEC = np.array([0.0, 0.25, 0.5, 1.0, 1.0])
ZPHOT = np.array([-0.1, 0.25, 0.5, 1.04, 1.4])
residuals = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=40).map(np.array)


def by_name(zspec=ZSPEC, zphot=ZPHOT, epsilon=1e-3, weights=None):
    residuals = Residuals(zspec, zphot, epsilon, weights)
    return {metric.name: value(metric, residuals) for metric in METRICS}


def test_every_metric_on_five_objects_done_by_hand():
    found = by_name(epsilon=0.01)
    # dz = -0.1, 0, 0, 0.04, 0.4: squares 0.01, 0, 0, 0.0016, 0.16
    squares = 0.1716
    expected = {
        "mse": squares / 5,
        "rmse": np.sqrt(squares / 5),
        "r2": 1 - squares / 0.8,  # zspec - 0.55: squares .3025 .09 .0025 .2025 .2025
        "mape": (0.1 / 0.01 + 0 + 0 + 0.04 + 0.4) / 5,
        "mape_floored": 1,
        "zspec_min": 0,
        "bias": 0.12 / 5,
        "bias_median": 0,
        "rms": np.sqrt((0.01 + 0.0004 + 0.04) / 5),
        "sigma": np.sqrt((0.01 + 0.0004 + 0.04) / 5 - 0.024**2),
        "sigma_nmad": MAD_TO_SIGMA * 0.02,  # |d|: 0, 0, 0.02, 0.1, 0.2
        # 16th percentile at 0.64 from -0.1 to 0, 84th at 0.36 from 0.02 to 0.2
        "sigma68": (0.02 + 0.36 * 0.18 - (-0.1 + 0.64 * 0.1)) / 2,
        "outlier_0.05": 2 / 5,
        "outlier_0.15": 1 / 5,
        "sigma_clipped": np.sqrt((0.01 + 0.0004 + 0.04) / 5 - 0.024**2),  # none beyond 3 x 0.097
        "outlier_3sigma": 0,
    }
    assert set(found) == set(expected)
    for name, number in expected.items():
        assert found[name] == pytest.approx(number, abs=1e-12), name


def test_a_weight_is_that_many_objects():
    weights = np.array([2, 0, 1, 3, 1])
    found = by_name(weights=weights)
    repeated = by_name(np.repeat(ZSPEC, weights), np.repeat(ZPHOT, weights))
    for metric in METRICS:
        if metric.term:
            assert found[metric.name] == pytest.approx(repeated[metric.name]), metric.name


def test_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    zspec = generator.uniform(0.01, 1, 200)
    zphot = zspec + generator.normal(0, 0.1, 200)
    assert by_name(zspec, zphot)["mse"] == pytest.approx(
        sklearn_metrics.mean_squared_error(zspec, zphot)
    )
    assert r2(zspec, zphot) == pytest.approx(sklearn_metrics.r2_score(zspec, zphot))
    expected = sklearn_metrics.mean_absolute_percentage_error(zspec, zphot)
    assert mape(zspec, zphot, 1e-15) == pytest.approx(expected)


@given(residuals, st.floats(-0.3, 0.3))
def test_a_shift_moves_no_scatter(residual, shift):
    assert sigma_nmad(residual + shift) == pytest.approx(sigma_nmad(residual), abs=1e-12)
    assert sigma68(residual + shift) == pytest.approx(sigma68(residual), abs=1e-12)


@given(residuals, st.floats(0.01, 10))
def test_scatter_scales_with_the_residual(residual, factor):
    assert sigma_nmad(factor * residual) == pytest.approx(factor * sigma_nmad(residual), abs=1e-12)
    assert sigma68(-factor * residual) == pytest.approx(factor * sigma68(residual), abs=1e-12)


@given(residuals)
def test_outliers_and_clipping_stay_in_their_bounds(residual):
    assert outlier_fraction(residual, 0.15) <= outlier_fraction(residual, 0.05) <= 1
    assert 0 <= sigma_clipped(residual) <= np.abs(residual).max() + 1e-12


def test_all_scatters_agree_on_a_gaussian():
    residual = np.random.default_rng(1).normal(0.01, 0.02, 200_000)
    for scatter in (np.std, sigma_nmad, sigma68):
        assert scatter(residual) == pytest.approx(0.02, rel=0.01)
    # the clipped one lacks the tails beyond 3 sigma, which hold 3 % of the variance
    assert sigma_clipped(residual - 0.01) == pytest.approx(0.02, rel=0.03)
    beyond = outlier_fraction(residual - 0.01, 3 * 0.02)
    assert beyond == pytest.approx(0.0027, abs=0.0005)


def test_outliers_move_sigma_but_not_the_robust_scatters():
    core = np.random.default_rng(2).normal(0, 0.02, 10_000)
    spoiled = np.append(core, np.full(100, 3.0))
    assert np.std(spoiled) > 10 * np.std(core)
    for scatter in (sigma_nmad, sigma68, sigma_clipped):
        assert scatter(spoiled) == pytest.approx(0.02, rel=0.06)


def test_clipping_ends_with_what_is_left_alone():
    assert sigma_clipped(np.zeros(5)) == 0
    assert sigma_clipped(np.array([0.4])) == 0
    # all far from 0 and alike: all would be cut, so none is
    assert sigma_clipped(np.full(7, 0.2)) == pytest.approx(0, abs=1e-12)


def test_r2_of_one_redshift_is_undefined():
    assert np.isnan(r2(np.full(3, 0.1), np.array([0.1, 0.2, 0.3])))


def test_mape_near_zero_is_the_floors_doing():
    zspec, zphot = np.array([0.0, 0.1]), np.array([0.02, 0.1])
    assert mape(zspec, zphot, 1e-3) == pytest.approx(10)
    assert mape(zspec, zphot, 1e-6) == pytest.approx(1e4)
    assert by_name(zspec, zphot, epsilon=1e-3)["mape_floored"] == 1
