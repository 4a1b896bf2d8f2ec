"""Half-open ranges of an archive's key, and how a download is split into them.

A specObjID begins with the plate (https://www.sdss.org/dr17/help/glossary/#specobj): plate << 50 |
fibre << 38 | (mjd - 50000) << 24 | run2d << 10. It is the clustered key of SpecObjAll, so a range
of it is a range on the server's disk, and ranges of plates are ranges of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

PLATE_SHIFT = 50
FIBER_SHIFT = 38


class Range(NamedTuple):
    """Keys from `low` (included) to `high` (not included); Python integers, never floats."""

    low: int
    high: int

    @property
    def empty(self) -> bool:
        """Whether no key can lie in it."""
        return self.high <= self.low


EVERYTHING = Range(0, 1 << 64)


def plates(first: int, last: int) -> Range:
    """Return the range of all spectra of the plates `first` to `last`, both included."""
    return Range(first << PLATE_SHIFT, (last + 1) << PLATE_SHIFT)


def split_plates(
    plate: np.ndarray, spectra: np.ndarray, chunks: int, whole: Range = EVERYTHING
) -> list[Range]:
    """Split a range between plates, into ranges with about equal numbers of spectra.

    Parameters
    ----------
    plate : (n,) int array
        Plate numbers, ascending.
    spectra : (n,) int array
        Spectra on each plate.
    chunks : int
        How many ranges.
    whole : Range
        What is split. Where the plates begin and end is only what one answer said: ranges that
        cover everything lose nothing if it was wrong.

    Returns
    -------
    list of Range
        `chunks` ranges that follow each other without gaps and cover `whole`. If there are fewer
        plates than chunks, the last ranges are empty.

    Examples
    --------
    >>> [(r.low >> 50, r.high >> 50) for r in split_plates(np.array([5, 7, 9]), np.ones(3), 2)]
    [(0, 7), (7, 16384)]
    """
    if len(plate) == 0:
        return [whole, *[Range(whole.high, whole.high)] * (chunks - 1)]
    after = np.cumsum(spectra)
    # a plate goes to the chunk in which the middle of its spectra lies
    middle = after - np.asarray(spectra) / 2
    chunk = np.minimum((middle * chunks / after[-1]).astype(int), chunks - 1)
    _, chunk = np.unique(chunk, return_inverse=True)  # no empty chunk before the last plate
    firsts = [int(plate[np.argmax(chunk == k)]) for k in range(chunk[-1] + 1)]
    bounds = [whole.low, *(first << PLATE_SHIFT for first in firsts[1:]), whole.high]
    bounds += [whole.high] * (chunks - len(firsts))
    return [Range(low, high) for low, high in pairwise(bounds)]


def halves(whole: Range) -> tuple[Range, Range]:
    """Split a range in two, between two plates if it spans several, else between two fibres.

    Raises
    ------
    ValueError
        If it is too narrow to be split.

    Examples
    --------
    >>> [(r.low >> 50, r.high >> 50) for r in halves(plates(266, 300))]
    [(266, 283), (283, 301)]
    """
    for shift in (PLATE_SHIFT, FIBER_SHIFT, 0):
        middle = ((whole.low + whole.high) // 2 >> shift) << shift
        if whole.low < middle < whole.high:
            return Range(whole.low, middle), Range(middle, whole.high)
    raise ValueError(f"the range {whole.low} to {whole.high} can't be split")
