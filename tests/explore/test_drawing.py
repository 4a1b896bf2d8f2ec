import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sdssflow.explore.drawing import enclosing_levels, robust_limits


@given(arrays(float, st.integers(0, 50), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_limits_are_a_range_and_hold_every_value_of_a_small_sample(values):
    low, high = robust_limits(values)
    assert low < high
    known = values[np.isfinite(values)]
    assert ((known >= low) & (known <= high)).all()


def test_limits_ignore_a_few_broken_values():
    values = np.random.default_rng(0).normal(size=5000)
    low, high = robust_limits(np.append(values, [-9999.0, 9999.0]))
    assert -6 < low < -2.5
    assert 2.5 < high < 6


def test_levels_enclose_their_fraction():
    density = np.random.default_rng(2).exponential(size=(60, 60))
    outer, inner = enclosing_levels(density, (0.9, 0.5))
    assert outer < inner
    for level, fraction in ((outer, 0.9), (inner, 0.5)):
        np.testing.assert_allclose(
            density[density >= level].sum() / density.sum(), fraction, atol=0.002
        )
