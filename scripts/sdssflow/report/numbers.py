"""Numbers with as many digits as their interval supports, and no more."""

from __future__ import annotations

import math

MINUS = "\u2212"
UNDEFINED = "\u2013"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LARGE = 1e6
MOST_DECIMALS = 7


def decimals(half_width: float, digits: int = 2) -> int:
    """Return the decimals at which a number's uncertainty shows `digits` significant digits.

    Examples
    --------
    >>> decimals(0.00042)
    5
    >>> decimals(3.1)
    1
    >>> decimals(250.0)
    0
    """
    if not math.isfinite(half_width) or half_width <= 0:
        return 4
    return min(max(0, digits - 1 - math.floor(math.log10(half_width))), MOST_DECIMALS)


def fixed(value: float, places: int) -> str:
    """Format with a fixed number of decimals, a true minus sign and no negative zero.

    Examples
    --------
    >>> fixed(-0.00001, 3)
    '0.000'
    >>> fixed(-1.25, 1)
    '−1.2'
    """
    if not math.isfinite(value):
        return UNDEFINED
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def with_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """Format a value and its interval so that half the interval shows two significant digits.

    Parameters
    ----------
    value, low, high : float
        The value and the ends of its interval; NaN where there is none.

    Returns
    -------
    value, interval : str
        The interval is ``[low, high]``, or '' where there is none. A value that is not defined
        is a dash.

    Examples
    --------
    >>> with_interval(0.012345, 0.0118, 0.0129)
    ('0.01235', '[0.01180, 0.01290]')
    >>> with_interval(-0.7, -12.0, 11.0)
    ('−1', '[−12, 11]')
    >>> with_interval(0.0, 0.0, 0.0)
    ('0', '[0, 0]')
    >>> with_interval(8.5e11, 7.9e11, 9.3e11)
    ('8.50 × 10¹¹', '[7.90 × 10¹¹, 9.30 × 10¹¹]')
    """
    if not math.isfinite(value):
        return UNDEFINED, ""
    if not (math.isfinite(low) and math.isfinite(high)):
        return plain(value), ""
    if low == high:
        return plain(value), f"[{plain(low)}, {plain(high)}]"
    if max(abs(value), abs(low), abs(high)) >= LARGE:
        return plain(value), f"[{plain(low)}, {plain(high)}]"
    places = decimals((high - low) / 2)
    return fixed(value, places), f"[{fixed(low, places)}, {fixed(high, places)}]"


def plain(value: float | int | str | bool) -> str:
    """Format a number without an interval: counts whole, others with four significant digits.

    Examples
    --------
    >>> plain(10000)
    '10,000'
    >>> plain(0.12345)
    '0.1235'
    >>> plain(2.5e-7)
    '2.50 × 10⁻⁷'
    >>> plain(float("nan"))
    '–'
    """
    if isinstance(value, str | bool):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return UNDEFINED
    if number == int(number) and abs(number) < LARGE * 1000:
        return f"{int(number):,}".replace("-", MINUS)
    if abs(number) >= LARGE or abs(number) < 1e-4:
        mantissa, exponent = f"{number:.2e}".split("e")
        power = str(int(exponent)).translate(SUPERSCRIPTS)
        return f"{mantissa} × 10{power}".replace("-", MINUS)
    text = f"{number:.4g}"
    return (f"{number:.0f}" if "e" in text else text).replace("-", MINUS)
