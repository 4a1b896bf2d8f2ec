"""The plan of a download: half-open ranges of an archive's key, with the server's counts.

`sdssflow.acquire.download.keys` describes the keys.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.schema import ID_BITS, PLATE_SHIFT
from sdssflow.files import write_json

# stored answer, chunk and catalogue: 205 measured (docs/skyserver.md), and temporary files
BYTES_PER_ROW = 300


class Range(NamedTuple):
    """Keys from `low` (inclusive) to `high` (exclusive); Python integers, never floats."""

    low: int
    high: int

    @property
    def empty(self) -> bool:
        """Whether it contains no key."""
        return self.high <= self.low


EVERYTHING = Range(0, 1 << 64)
SPECTRUM_SHIFTS = (PLATE_SHIFT, ID_BITS["specobjid"]["fiberid"][0], 0)


def split_groups(
    group: np.ndarray,
    members: np.ndarray,
    chunks: int,
    whole: Range = EVERYTHING,
    shift: int = PLATE_SHIFT,
) -> list[Range]:
    """Split a range between groups (plates, runs) into ranges with similar numbers of members.

    Parameters
    ----------
    group, members : (n,) int arrays
        Group numbers, ascending, and the number of members of each.
    whole : Range
        The range to split. Covering all of it loses no rows even if the list of groups is wrong.
    shift : int
        The keys of a group are its number followed by this many bits.

    Returns
    -------
    list of Range
        `chunks` adjacent ranges that cover `whole`. If there are fewer groups than chunks, the last
        ranges are empty.

    Examples
    --------
    >>> [(r.low >> 50, r.high >> 50) for r in split_groups(np.array([5, 7, 9]), np.ones(3), 2)]
    [(0, 7), (7, 16384)]
    """
    if len(group) == 0:
        return [whole, *[Range(whole.high, whole.high)] * (chunks - 1)]
    after = np.cumsum(members)
    # a group belongs to the chunk that contains the middle of its members
    middle = after - np.asarray(members) / 2
    chunk = np.minimum((middle * chunks / after[-1]).astype(int), chunks - 1)
    _, chunk = np.unique(chunk, return_inverse=True)  # no empty chunk before the last group
    firsts = [int(group[np.argmax(chunk == k)]) for k in range(chunk[-1] + 1)]
    bounds = [whole.low, *(first << shift for first in firsts[1:]), whole.high]
    bounds += [whole.high] * (chunks - len(firsts))
    return [Range(low, high) for low, high in pairwise(bounds)]


def halves(
    whole: Range, shifts: tuple[int, ...] = SPECTRUM_SHIFTS, usual: Range = EVERYTHING
) -> tuple[Range, Range]:
    """Split a range in two: at a bound of the `usual` range inside it, else near the middle.

    The middle is rounded down to a multiple of 2^shift for the first of `shifts` that is inside:
    between plates if it spans several, else between fibres. ValueError if the range is too narrow.

    >>> [(r.low >> 50, r.high >> 50) for r in halves(Range(266 << 50, 301 << 50))]
    [(266, 283), (283, 301)]
    >>> halves(Range(0, 50), (0,), Range(40, 45))
    (Range(low=0, high=40), Range(low=40, high=50))
    """
    for bound in usual:
        if whole.low < bound < whole.high:
            return Range(whole.low, bound), Range(bound, whole.high)
    for shift in shifts:
        middle = ((whole.low + whole.high) // 2 >> shift) << shift
        if whole.low < middle < whole.high:
            return Range(whole.low, middle), Range(middle, whole.high)
    raise ValueError(f"the range {whole.low} to {whole.high} can't be split")


@dataclass(frozen=True)
class Plan:
    """The plan of a download."""

    archive: str  # name of the server, the same in each run
    release: int
    query: str  # of the whole sample
    spectra: int  # that meet the conditions on spectra; objects for photometry
    rows: int  # that meet all conditions and have photometry, counted by the server
    limit: int | None  # number of rows in the catalogue, the first ones
    bounds: list[tuple[int, int]]  # half-open ranges of the key, one per chunk
    chunk_spectra: list[int]  # in each of them
    key: str = "specobjid"  # column of the catalogue whose ranges are queried

    def within(self, chunk: int) -> Range:
        """Return the range of a chunk."""
        return Range(*self.bounds[chunk])

    def write(self, path: str | Path) -> None:
        """Write as JSON, with ids as text since JSON readers may parse numbers as floats."""
        content = asdict(self)
        content["bounds"] = [[str(low), str(high)] for low, high in self.bounds]
        write_json(path, content)

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read the file written by `write`."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        content["bounds"] = [(int(low), int(high)) for low, high in content["bounds"]]
        return cls(**content)


def check_space(folder: str | Path, rows: int) -> None:
    """Refuse a download that does not fit on the disk with a `DownloadError`."""
    folder = Path(folder)
    while not folder.exists():
        folder = folder.parent
    need, free = rows * BYTES_PER_ROW, shutil.disk_usage(folder).free
    if need > free:
        raise DownloadError(
            f"{rows:,} rows need about {need / 1e6:,.0f} MB, "
            f"{folder} has {free / 1e6:,.0f} MB left",
            "Free some space, set downloads.store to another disk, or set source.limit.",
        )
