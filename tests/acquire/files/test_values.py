"""Ids come out as they went in, or not at all."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdssflow.acquire.checks import Defects
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import SourceTable
from sdssflow.acquire.files.values import identifiers
from tests.acquire.files.good_table import catalogue, good_frame, write

SENTINELS = [-9999.0, 99.0, -99.9]


def convert(values, name="objid", defects=None):
    table = pa.table({name: values})
    source = SourceTable("a.parquet", "parquet", "0" * 64, {name: name}, table)
    return identifiers(source, name, SENTINELS, Defects() if defects is None else defects)


def odd_numbers(low, high):
    """Odd numbers above 2^53: no float64 holds one, so no list of them looks rounded."""
    return st.integers(low // 2, (high - 1) // 2).map(lambda n: 2 * n + 1)


OBJIDS = st.lists(odd_numbers(2**53, 2**63 - 1), min_size=1, max_size=40, unique=True)
SPECOBJIDS = st.lists(odd_numbers(2**53, 2**64 - 3), min_size=1, max_size=40, unique=True)


@given(OBJIDS)
def test_objids_round_trip(ids):
    assert convert(pa.array(ids, pa.int64())).to_pylist() == ids
    assert convert(pa.array([f" {n} " for n in ids])).to_pylist() == ids


@given(SPECOBJIDS)
def test_specobjids_round_trip_beyond_2_to_63(ids):
    assert convert(pa.array(ids, pa.uint64()), "specobjid").to_pylist() == ids
    assert convert(pa.array([str(n) for n in ids]), "specobjid").to_pylist() == ids


@settings(max_examples=15)
@given(OBJIDS, st.sampled_from(["a.csv", "a.parquet", "a.fits", "a.h5"]))
def test_objids_round_trip_through_files(tmp_path_factory, ids, file):
    good = good_frame()
    frame = pd.DataFrame([good.iloc[i % len(good)] for i in range(len(ids))])
    frame["objID"] = np.array(ids)
    frame["specObjID"] = np.arange(len(ids)).astype(np.uint64) * 2 + 2**63 + 1
    frame = frame.reset_index(drop=True)
    path = write(frame, tmp_path_factory.mktemp("ids") / file)
    assert catalogue(path)["objid"].to_pylist() == ids


@given(st.lists(st.integers(2**60, 2**63 - 2**11), min_size=5, max_size=40, unique=True))
def test_ids_that_went_through_float64_are_refused(ids):
    rounded = [int(float(n)) for n in ids]
    with pytest.raises(CatalogueError):
        convert(pa.array(rounded, pa.int64()))
    with pytest.raises(CatalogueError, match="floating point"):
        convert(pa.array([repr(float(n)) for n in ids]))
    with pytest.raises(CatalogueError, match="floating point"):
        convert(pa.array([float(n) for n in ids]))


@pytest.mark.parametrize("every", [1, 2, 10])
def test_rounded_ids_of_some_rows_are_refused(every):
    ids = [1237645941824356401 + 65536 * n + n for n in range(200)]
    ids[::every] = [int(float(n)) for n in ids[::every]]
    with pytest.raises(CatalogueError, match=f"{200 // every} of 200 different ids"):
        convert(pa.array(ids))


@pytest.mark.parametrize("digits", range(5, 16))
def test_ids_printed_with_few_digits_are_refused(digits):
    rng = np.random.default_rng(digits)
    ids = 1237645941824356401 + rng.integers(0, 2**50, 30)
    text = [str(int(float(f"{n:.{digits - 1}e}"))) for n in ids.tolist()]
    with pytest.raises(CatalogueError):
        convert(pa.array(text))


@pytest.mark.parametrize("last_plate", [3000, 12000])
def test_real_specobjids_are_no_false_alarm(last_plate):
    """They end in ten zero bits, so float64 holds those below 2^63: no sign of damage."""
    rng = np.random.default_rng(5)
    plate, fiber = rng.integers(266, last_plate, 500), rng.integers(1, 1001, 500)
    mjd, run2d = rng.integers(51600, 59000, 500), 103
    ids = [
        (int(p) << 50) | (int(f) << 38) | (int(m) - 50000 << 24) | (run2d << 10)
        for p, f, m in zip(plate, fiber, mjd, strict=True)
    ]
    assert (max(ids) > 2**63) == (last_plate > 8192)
    if last_plate < 8192:
        assert all(int(float(n)) == n for n in ids)
    assert convert(pa.array(ids, pa.uint64()), "specobjid").to_pylist() == ids


def test_few_different_ids_are_refused_and_some_repeats_are_not():
    ids = [1237645941824356401 + 2 * n for n in range(20)]
    with pytest.raises(CatalogueError, match="40 rows share 3 different ids"):
        convert(pa.array([ids[n % 3] for n in range(40)]))
    twice = ids + ids
    assert convert(pa.array(twice)).to_pylist() == twice


def test_short_ids_of_ones_own_are_taken():
    ids = [1000, 2000, 3000, 4000, 5000, 6000]
    assert convert(pa.array(ids)).to_pylist() == ids


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_a_sentinel_is_an_id_where_rows_are_numbered(kind):
    ids = list(range(1, 1201))
    assert convert(pa.array(ids).cast(kind)).to_pylist() == ids
    of_sdss = [1237645941824356401, 99, 1237645941824356403]
    assert convert(pa.array(of_sdss).cast(kind)).to_pylist() == [of_sdss[0], None, of_sdss[2]]


@pytest.mark.parametrize("nothing", ["0", "00", "000000000000000000", "-1", "-01", "0x0", None])
def test_any_zero_is_no_id(nothing):
    ids = pa.array(["1237645941824356401", nothing, "01237645941824356403"])
    assert convert(ids).to_pylist() == [1237645941824356401, None, 1237645941824356403]


@pytest.mark.parametrize("kind", [pa.uint64(), pa.string()])
def test_minus_one_as_an_unsigned_integer_is_no_id(kind):
    ids = pa.array([2**64 - 1, 299489677444933633], pa.uint64()).cast(kind)
    assert convert(ids, "specobjid").to_pylist() == [None, 299489677444933633]


def test_no_object_and_missing_ids_are_counted():
    defects = Defects()
    a, b = 1237645941824356401, 1237645941824356403
    ids = convert(pa.array([a, 0, b, None, a, -1, -9999, a]), defects=defects)
    assert ids.to_pylist() == [a, None, b, None, a, None, None, a]
    assert defects.frame().values.tolist() == [
        ["objid", "missing", 1, "kept as null", 3],
        ["objid", "no id", 3, "set to null", 1],
    ]
