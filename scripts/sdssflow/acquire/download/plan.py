"""The plan of a download: half-open ranges of an archive's key, and what the server says they hold.

A specObjID begins with the plate. It is the clustered key of SpecObjAll, so a range of it is a
range on the server's disk, and ranges of plates are ranges of it.
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
from sdssflow.acquire.schema import FIBER_SHIFT, PLATE_SHIFT
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


def plates(first: int, last: int) -> Range:
    """Return the range of all spectra of the plates `first` to `last`, both included."""
    return Range(first << PLATE_SHIFT, (last + 1) << PLATE_SHIFT)


def split_plates(
    plate: np.ndarray, spectra: np.ndarray, chunks: int, whole: Range = EVERYTHING
) -> list[Range]:
    """Split a range between plates, into ranges with about equal numbers of spectra.

    Parameters
    ----------
    plate, spectra : (n,) int arrays
        Plate numbers, ascending, and how many spectra each has.
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

    A range that is too narrow raises a ValueError.

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


@dataclass(frozen=True)
class Plan:
    """What is to be downloaded."""

    archive: str  # name of the server, the same in each run
    release: int
    query: str  # of the whole sample
    spectra: int  # that meet the conditions on spectra
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
