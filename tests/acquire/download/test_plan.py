from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.acquire.download.keys import PHOTOMETRY, PLATES, RUNS
from sdssflow.acquire.download.plan import EVERYTHING, Range, halves, split_groups

KEYS = st.integers(0, (1 << 64) - 1)


@given(
    st.dictionaries(st.integers(1, 16383), st.integers(1, 2000), max_size=20), st.integers(1, 40)
)
def test_parts_cover_everything_once_whatever_the_plates(spectra, chunks):
    numbers = sorted(spectra)
    counts = np.array([spectra[number] for number in numbers])
    parts = split_groups(np.array(numbers, dtype=np.int64), counts, chunks)
    assert len(parts) == chunks
    assert (parts[0].low, parts[-1].high) == EVERYTHING
    assert all(before.high == after.low for before, after in pairwise(parts))
    filled = [part for part in parts if not part.empty]
    assert len(filled) == max(1, min(chunks, len(filled)))
    for low, high in parts:
        assert low % (1 << 50) == 0 and high % (1 << 50) == 0


def test_parts_are_about_equal():
    numbers, spectra = np.arange(1, 1001), np.full(1000, 640)
    parts = split_groups(numbers, spectra, 8)
    sizes = [np.count_nonzero((numbers >= p.low >> 50) & (numbers < p.high >> 50)) for p in parts]
    assert sum(sizes) == 1000
    assert max(sizes) - min(sizes) <= 1


@given(KEYS, KEYS)
def test_halves_are_the_whole_and_smaller(low, high):
    whole = Range(min(low, high), max(low, high) + 1)
    if whole.high - whole.low < 2:
        with pytest.raises(ValueError, match="can't be split"):
            halves(whole)
        return
    left, right = halves(whole)
    assert (left.low, left.high, right.high) == (whole.low, right.low, whole.high)
    assert not left.empty and not right.empty


def test_a_range_of_plates_is_split_between_plates():
    left, _ = halves(PLATES.keys(266, 300))
    assert left.high % (1 << 50) == 0
    left, _ = halves(PLATES.keys(266, 266))
    assert left.high % (1 << 38) == 0


def test_a_range_of_objects_is_split_beside_the_ids_of_the_survey_then_between_runs():
    key, shifts = PHOTOMETRY, PHOTOMETRY.shifts
    below, rest = halves(key.whole, shifts, key.usual)
    survey, above = halves(rest, shifts, key.usual)
    assert survey == key.usual == (2 << 59 | 301 << 48, 2 << 59 | 302 << 48)
    assert (below.low, above.high) == key.whole == (0, 1 << 63)
    left, _ = halves(survey, shifts, key.usual)
    assert left.high % (1 << 32) == 0
    one = RUNS.keys(key.usual.low >> 32, key.usual.low >> 32)
    assert halves(one, shifts, key.usual)[0].high % (1 << 29) == 0  # a run: between camera columns
