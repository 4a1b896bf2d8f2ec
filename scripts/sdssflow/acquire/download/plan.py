"""The plan of a download: half-open ranges of an archive's key, and what the server says they hold.

What the keys are, and of what their ranges are ranges, is in `sdssflow.acquire.download.keys`.
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
    """Keys from `low` (included) to `high` (not included); Python integers, never floats."""

    low: int
    high: int

    @property
    def empty(self) -> bool:
        """Whether no key can lie in it."""
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
    """Split a range between groups (plates, runs), into ranges with about equal numbers of members.

    Parameters
    ----------
    group, members : (n,) int arrays
        Numbers of the groups, ascending, and how many members each has.
    whole : Range
        What is split. Where the groups begin and end is only what one answer said: ranges that
        cover everything lose nothing if it was wrong.
    shift : int
        The keys of a group are those that begin with its number, followed by so many bits.

    Returns
    -------
    list of Range
        `chunks` ranges that follow each other without gaps and cover `whole`. If there are fewer
        groups than chunks, the last ranges are empty.

    Examples
    --------
    >>> [(r.low >> 50, r.high >> 50) for r in split_groups(np.array([5, 7, 9]), np.ones(3), 2)]
    [(0, 7), (7, 16384)]
    """
    if len(group) == 0:
        return [whole, *[Range(whole.high, whole.high)] * (chunks - 1)]
    after = np.cumsum(members)
    # a group goes to the chunk in which the middle of its members lies
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
    """Split a range in two: beside the `usual` one, if it reaches beyond; else about half-way.

    There between two plates if it spans several, else between two fibres: at a multiple of the
    first 2^shift that lies inside. A range that is too narrow raises a ValueError.

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
    """What is to be downloaded."""

    archive: str  # name of the server, the same in each run
    release: int
    query: str  # of the whole sample
    spectra: int  # that meet the conditions on spectra; objects, if these are the rows
    rows: int  # that meet all conditions and have photometry, counted by the server
    limit: int | None  # how many of them the catalogue takes, the first ones
    bounds: list[tuple[int, int]]  # half-open ranges of the key, one for each chunk
    chunk_spectra: list[int]  # in each of them
    key: str = "specobjid"  # column of the catalogue by whose ranges the archive is asked

    def within(self, chunk: int) -> Range:
        """Return the range of a chunk."""
        return Range(*self.bounds[chunk])

    def write(self, path: str | Path) -> None:
        """Write as JSON; ids as text, since other readers of JSON take them for floats."""
        content = asdict(self)
        content["bounds"] = [[str(low), str(high)] for low, high in self.bounds]
        write_json(path, content)

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read what `write` wrote."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        content["bounds"] = [(int(low), int(high)) for low, high in content["bounds"]]
        return cls(**content)


def check_space(folder: str | Path, rows: int) -> None:
    """Refuse to begin a download that can't fit on the disk, with a `DownloadError`."""
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
