"""Mixtures against scipy's truncated normal, brute force and themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from sdssflow.redshift_pdf.mixture import Mixture
from tests.redshift_pdf import mixtures

LEVELS = [0.0, 1e-5, 0.025, 0.16, 0.5, 0.84, 0.975, 1 - 1e-5, 1.0]
SOME = {
    "galaxies": mixtures.galaxies(150),
    "quasars": mixtures.quasars(150),
    "forest": mixtures.galaxies(20, components=100),
    "awkward": mixtures.awkward(),
}
every = pytest.mark.parametrize("pdf", SOME.values(), ids=SOME)


def scipys(pdf, method, z):
    """The same by scipy: each component cut off, its weight what it has within the range."""
    low, high = (pdf.lower - pdf.means) / pdf.scales, (pdf.upper - pdf.means) / pdf.scales
    inside = pdf.weights * (norm.cdf(high) - norm.cdf(low))
    share = inside / inside.sum(axis=1, keepdims=True)
    each = getattr(truncnorm(low, high, pdf.means, pdf.scales), method)
    return np.stack([np.sum(share * each(*column), axis=1) for column in z], axis=1)


@every
def test_cdf_density_and_mean_are_scipys(pdf):
    z = np.random.default_rng(0).uniform(-0.2, pdf.upper * 1.1, (len(pdf), 40))
    columns = [(column[:, None],) for column in z.T]
    np.testing.assert_allclose(pdf.cdf(z), scipys(pdf, "cdf", columns), atol=1e-12)
    np.testing.assert_allclose(pdf.density(z), scipys(pdf, "pdf", columns), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pdf.mean(), scipys(pdf, "mean", [()])[:, 0], atol=1e-9)
    np.testing.assert_array_equal(pdf.cdf(z[:, 3]), pdf.cdf(z)[:, 3])


@every
def test_nothing_is_outside_the_range(pdf):
    z = np.tile([-np.inf, -1e-9, pdf.upper + 1e-9, np.inf], (len(pdf), 1))
    np.testing.assert_array_equal(pdf.density(z), 0)
    np.testing.assert_array_equal(pdf.cdf(z), np.tile([0, 0, 1, 1], (len(pdf), 1)))


@every
def test_the_cdf_at_a_quantile_is_its_level(pdf):
    quantiles = pdf.quantiles(LEVELS)
    assert np.all(np.diff(quantiles, axis=1) >= 0)
    assert np.all(quantiles[:, 0] == pdf.lower)
    assert np.all(quantiles[:, -1] == pdf.upper)
    np.testing.assert_allclose(pdf.cdf(quantiles), np.tile(LEVELS, (len(pdf), 1)), atol=1e-9)


@every
def test_the_mode_is_the_highest_point(pdf):
    mode = pdf.mode()
    grid = np.concatenate(
        [np.linspace(pdf.lower, pdf.upper, 4001)[None].repeat(len(pdf), 0)]
        + [pdf.means + k * pdf.scales for k in np.linspace(-3, 3, 61)],
        axis=1,
    )
    highest = pdf.density(grid).max(axis=1)
    top = pdf.density(mode)
    assert np.all(top >= highest * (1 - 1e-9))
    assert np.all((mode >= pdf.lower) & (mode <= pdf.upper))


def test_the_mode_of_two_that_merge_is_between_them():
    pdf = Mixture([[1, 1], [1, 1]], [[0.4, 0.5], [0.2, 0.8]], [[0.08, 0.08], [0.1, 0.1]], 0, 1)
    mode = pdf.mode()
    assert mode[0] == pytest.approx(0.45, abs=1e-6)
    assert mode[1] == pytest.approx(0.2, abs=1e-4)  # of equal modes the lower


@every
def test_an_object_does_not_depend_on_those_beside_it(pdf):
    def everything(mixture):
        return np.column_stack(
            [
                mixture.quantiles(LEVELS),
                mixture.mean(),
                mixture.mode(),
                mixture.cdf(np.full(len(mixture), 0.3)),
                mixture.density(np.full(len(mixture), 0.3)) / 1e5,
            ]
        )

    order = np.random.default_rng(2).permutation(len(pdf))
    whole = everything(pdf)
    np.testing.assert_allclose(everything(pdf[order]), whole[order], atol=1e-12)
    chunks = [pdf[start : start + 7] for start in range(0, len(pdf), 7)]
    np.testing.assert_allclose(np.vstack([everything(c) for c in chunks]), whole, atol=1e-12)
    alone = [everything(pdf[row : row + 1]) for row in range(0, len(pdf), 5)]
    np.testing.assert_allclose(np.vstack(alone), whole[::5], atol=1e-12)


@given(
    st.integers(1, 5).flatmap(
        lambda c: st.tuples(
            *(
                st.lists(part, min_size=c, max_size=c)
                for part in (
                    st.floats(1e-6, 1e3),
                    st.floats(0, 7),
                    st.floats(-11.5, 3).map(np.exp),
                )
            )
        )
    )
)
@settings(max_examples=150)
def test_any_mixture_has_quantiles_within_the_range_and_a_mode_at_least_as_high(drawn):
    weights, means, scales = (np.array([part]) for part in drawn)
    pdf = Mixture(weights, means, scales, 0.0, 7.0)
    # a spike so narrow that a float64 step of z passes more than the tolerance
    reachable = np.abs(pdf.cdf(pdf.quantiles(LEVELS)) - LEVELS) < 1e-9
    assert reachable.all()
    assert pdf.density(pdf.mode())[0] >= pdf.density(pdf.means).max() * (1 - 1e-9)
    assert 0 <= pdf.mean()[0] <= 7


@pytest.mark.parametrize("components", [1, 3])
def test_what_is_given_is_left_as_it_is(components):
    pdf = mixtures.galaxies(1, components)
    before = [part.copy() for part in (pdf.weights, pdf.means, pdf.scales)]
    pdf.quantiles(LEVELS), pdf.mode(), pdf.mean(), pdf.cdf(np.array([0.2]))
    for now, part in zip((pdf.weights, pdf.means, pdf.scales), before, strict=True):
        np.testing.assert_array_equal(now, part)


def test_rescaling_stretches_about_the_mean_and_stays_in_the_range():
    pdf = Mixture([[1, 3]], [[0.4, 0.6]], [[0.02, 0.01]], 0, 1)
    wide = pdf.rescaled(2.0)
    np.testing.assert_allclose(wide.means, [[0.25, 0.65]])
    np.testing.assert_allclose(wide.scales, [[0.04, 0.02]])
    np.testing.assert_allclose(pdf.rescaled(np.array([9.0])).means, [[0, 1]])
    np.testing.assert_allclose(pdf.rescaled(1.0).means, pdf.means)
    for factor in (0.0, np.nan, -1.0):
        with pytest.raises(ValueError, match="factor"):
            pdf.rescaled(factor)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("weights", -1.0, "object 2: weights must be finite, at least 0"),
        ("weights", np.nan, "object 2: weights must be finite"),
        ("means", 1.1, "object 2: means must be within 0.0 to 1.0"),
        ("means", np.nan, "object 2: means"),
        ("scales", 0.0, "object 2: scales must be finite, above 0"),
    ],
)
def test_wrong_numbers_are_named(name, value, message):
    pdf = mixtures.galaxies(4)
    arrays = {key: getattr(pdf, key).copy() for key in ("weights", "means", "scales")}
    arrays[name][2, 1] = value
    with pytest.raises(ValueError, match=message):
        Mixture(**arrays, lower=0.0, upper=1.0)


def test_wrong_shapes_ranges_levels_and_weights_of_zero_are_refused():
    one = np.ones((2, 3)) * 0.5
    with pytest.raises(ValueError, match="one shape"):
        Mixture(one, one[:, :2], one, 0, 1)
    with pytest.raises(ValueError, match="finite and ascending"):
        Mixture(one, one, one, 1, 1)
    with pytest.raises(ValueError, match="object 0: weights must not all be 0"):
        Mixture(one * 0, one, one, 0, 1)
    pdf = Mixture(one, one, one, 0, 1)
    with pytest.raises(ValueError, match="levels"):
        pdf.quantiles([0.5, 1.2])
    with pytest.raises(ValueError, match="one row per object, 2"):
        pdf.cdf(np.zeros(3))


def test_densities_of_different_ranges_have_the_same_weight_in_their_mean():
    one = np.ones((1, 1))
    cut_at_its_peak = Mixture(one, 0.6 * one, 0.05 * one, 0.0, 0.6)
    other = Mixture(one, 0.3 * one, 0.01 * one, 0.0, 1.0)
    mean = Mixture.averaged([cut_at_its_peak, other])
    assert mean.bounds == (0.0, 1.0)
    assert mean.cdf(np.array([0.45])) == pytest.approx(0.5, abs=1e-3)
