"""Numbers and texts of an answer, held against a slow formatter that works with exact decimals."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from skyserver_standin.database import ROWS_PER_PIECE, csv_pieces
from tests.skyserver.small_sky import dotnet

DIGITS = {"f4": 7, "f8": 15}


@pytest.fixture(scope="module")
def connection():
    return duckdb.connect(config={"threads": 2})


def written(values, connection):
    body = b"".join(csv_pieces(pa.table({"c0": values}), ["x"], connection)).decode()
    start, head, *rows = body.removesuffix("\n").split("\n")
    assert (start, head) == ("#Table1", "x")
    return rows


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (19.6, "f4", "19.6"),
        (0.0, "f4", "0"),
        (-0.0, "f8", "0"),
        (20.0, "f4", "20"),
        (-9999.0, "f4", "-9999"),
        (1e-5, "f4", "1E-05"),
        (0.0001, "f4", "0.0001"),
        (1234567890.0, "f4", "1.234568E+09"),
        (1234567.0, "f4", "1234567"),
        (9999999.6, "f8", "9999999.6"),
        (12345678.0, "f4", "1.234568E+07"),
        (1e-300, "f8", "1E-300"),
        (3.4e38, "f4", "3.4E+38"),
        (1048576.5, "f4", "1048577"),  # an exact half: away from zero
        (-1048576.5, "f4", "-1048577"),
        (2**-13 + 123, "f8", "123.000122070313"),
        (0.1 + 0.2, "f8", "0.3"),
        (123456789012345678.0, "f8", "1.23456789012346E+17"),
    ],
)
def test_known_numbers(value, kind, text, connection):
    assert written(pa.array(np.array([value], kind)), connection) == [text]
    assert dotnet(float(np.array(value, kind)), DIGITS[kind]) == text


def exact_halves(kind, rng):
    """Numbers that lie exactly between two neighbours of so many digits."""
    digits = DIGITS[kind]
    found = []
    for place in range(-12, 23):
        for number in rng.integers(10 ** (digits - 1), 10**digits, 60):
            half = 2 * int(number) + 1  # times 10^-place / 2
            if place > 0:
                half -= half % 5**place - (0 if (half // 5**place) % 2 else 5**place)
                value = half // 5**place * 2.0 ** -(place + 1)
            else:
                value = float(half * 10**-place // 2)
            found.append(value if rng.random() < 0.5 else -value)
    values = np.array(found)
    return values[values == values.astype(kind)].astype(kind)


@pytest.mark.parametrize("kind", DIGITS)
def test_random_and_extreme_numbers_are_exact(kind, connection):
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 256, 8000 * int(kind[1]), dtype=np.uint8).view(kind)
    ordinary = np.concatenate([rng.normal(20, 3, 8000), 10 ** rng.uniform(-8, 3, 8000)])
    powers = np.array([10.0**n for n in range(-30, 31)])
    edges = np.concatenate([powers, np.nextafter(powers.astype(kind), np.array(0, kind))])
    limits = [np.finfo(kind).max, np.finfo(kind).tiny, np.finfo(kind).smallest_subnormal]
    dyadic = rng.integers(-(2**24), 2**24, 8000) / 2.0 ** rng.integers(0, 24, 8000)
    halves = exact_halves(kind, rng)
    assert len(halves) > 300
    parts = [bits, ordinary, edges, limits, dyadic, halves, [0.0, -0.0, -9999.0]]
    values = np.concatenate([np.asarray(part).astype(kind) for part in parts])
    values = values[np.isfinite(values)]
    expected = [dotnet(float(value), DIGITS[kind]) for value in values]
    assert written(pa.array(values), connection) == expected


def test_texts_are_quoted_for_a_comma_only_and_never_escaped(connection):
    values = ["", "STAR", "F2 (7511), x", 'A0 "x"', 'A0 (1, "x")', '"a",b', None, "naïve"]
    rows = written(pa.array(values), connection)
    assert rows == [
        *("", "STAR", '"F2 (7511), x"', 'A0 "x"', '"A0 (1, "x")"', '"a",b', "", "naïve")
    ]


def test_null_is_empty_and_integers_keep_all_digits(connection):
    assert written(pa.array([2**64 - 1, None], pa.uint64()), connection) == [str(2**64 - 1), ""]
    assert written(pa.array([-(2**63), None]), connection) == [str(-(2**63)), ""]
    assert written(pa.array([None, 1.5], pa.float32()), connection) == ["", "1.5"]


def test_rows_keep_their_order_over_many_pieces(connection):
    values = list(range(3 * ROWS_PER_PIECE + 5))
    assert written(pa.array(values), connection) == [str(value) for value in values]


def test_no_rows_give_the_header_alone(connection):
    assert written(pa.array([], pa.int64()), connection) == []
