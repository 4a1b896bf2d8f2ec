"""Distances of PIT from uniform against scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import cramervonmises, kstest

from sdssflow.redshift_pdf import pit as pit_module
from sdssflow.redshift_pdf.pit import PIT_EDGE, pit_distances, pit_ks

pits = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(np.array)


def anderson_darling(pit):
    """A^2 as textbooks write it."""
    u = np.sort(np.clip(pit, PIT_EDGE, 1 - PIT_EDGE))
    n = len(u)
    i = np.arange(1, n + 1)
    return -n - np.sum((2 * i - 1) * (np.log(u) + np.log(1 - u[::-1]))) / n


@given(pits)
def test_distances_are_those_of_scipy(pit):
    ks, cvm, ad = pit_distances(pit, np.ones((1, len(pit))))[0]
    assert ks == pytest.approx(kstest(pit, "uniform").statistic, abs=1e-12)
    if len(pit) > 1:  # scipy wants two
        expected = cramervonmises(pit, "uniform").statistic / len(pit)
        assert cvm == pytest.approx(expected, abs=1e-12)
    assert ad == pytest.approx(anderson_darling(pit), abs=1e-9)


@given(pits, st.integers(0, 2**32 - 1))
def test_a_weight_is_that_many_objects(pit, seed):
    weights = np.random.default_rng(seed).integers(0, 4, (5, len(pit))).astype(np.uint8)
    found = pit_distances(pit, weights)
    for row, weight in zip(found, weights, strict=True):
        repeated = np.repeat(pit, weight)
        if not len(repeated):
            assert np.isnan(row).all()
            continue
        expected = pit_distances(repeated, np.ones((1, len(repeated))))[0]
        np.testing.assert_allclose(row, expected, atol=1e-9)


def test_blocks_of_weights_change_nothing(monkeypatch):
    generator = np.random.default_rng(3)
    pit, weights = generator.random(50), generator.poisson(1, (20, 50))
    expected = pit_distances(pit, weights)
    monkeypatch.setattr(pit_module, "BLOCK", 120)
    np.testing.assert_allclose(pit_distances(pit, weights), expected, rtol=1e-12)


def test_no_object_has_no_distance():
    assert np.isnan(pit_ks(np.empty(0)))
