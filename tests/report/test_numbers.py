import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.report import tables
from sdssflow.report.tables import decimals, fixed, plain, with_interval


def test_examples_in_docstrings():
    result = doctest.testmod(tables)
    assert result.attempted > 10
    assert result.failed == 0


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.01234, 0.0119, 0.0127, ("0.01234", "[0.01190, 0.01270]")),
        (0.9651, 0.955, 0.974, ("0.9651", "[0.9550, 0.9740]")),
        (0.96512, 0.90, 0.99, ("0.965", "[0.900, 0.990]")),
        (-0.00002, -0.0004, 0.0003, ("−0.00002", "[−0.00040, 0.00030]")),
        (12.7, 3.0, 25.0, ("13", "[3, 25]")),
        (1.0, 1.0, 1.0, ("1", "[1, 1]")),
        (0.02, math.nan, math.nan, ("0.02", "")),
        (math.nan, 0.1, 0.2, ("–", "")),
        (math.inf, 0.1, 0.2, ("–", "")),
    ],
)
def test_digits_follow_the_interval(value, low, high, expected):
    assert with_interval(value, low, high) == expected


@given(
    st.floats(-10, 10),
    st.floats(1e-5, 5),
)
def test_rounding_stays_far_below_the_uncertainty(value, half_width):
    places = decimals(half_width)
    shown = float(fixed(value, places).replace("−", "-"))
    assert abs(shown - value) <= 0.051 * half_width + 1e-12


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_has_a_text_without_nan_or_negative_zero(value):
    text = plain(value)
    assert text
    assert "nan" not in text.lower()
    assert "inf" not in text.lower()
    assert "-" not in text
    assert text not in ("−0", "−0.0")


@given(st.integers(-(10**8), 10**8))
def test_counts_are_whole_and_exact(value):
    assert int(plain(value).replace(",", "").replace("−", "-")) == value
