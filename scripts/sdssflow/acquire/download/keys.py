"""The keys whose ranges are queried on SkyServer, and their properties.

A specObjID begins with the plate, an objID with the sky version, rerun and run. Each is the
clustered key of its table, so that a range is contiguous on the server's disk, and ranges of plates
or runs are ranges of the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sdssflow.acquire.download.plan import EVERYTHING, SPECTRUM_SHIFTS, Range
from sdssflow.acquire.schema import ID_BITS

HASH_PRIME = 1_000_003  # sums of remainders reveal exchanged rows
SECOND_PRIME = 999_983  # for a second sum over the same id


class Groups(NamedTuple):
    """Groups by which a server counts, each a range of the key.

    The number of a group is the key shifted right by `shift` bits; in the answer to a count it is
    the column `header` shifted right by `low` bits.
    """

    header: str
    low: int
    shift: int
    name: str  # in messages
    members: str

    def keys(self, first: int, last: int) -> Range:
        """Return the range of keys of the groups `first` to `last`, inclusive."""
        return Range(first << self.shift, (last + 1) << self.shift)


PLATES = Groups("plate", 0, ID_BITS["specobjid"]["plate"][0], "plates", "spectra")
# a run number lacks the bits above it, so the first id of each run is queried
RUNS = Groups("lo", ID_BITS["objid"]["run"][0], ID_BITS["objid"]["run"][0], "runs", "objects")


@dataclass(frozen=True)
class Key:
    """A key of SkyServer, with the parts of its queries and the properties of its rows."""

    column: str  # of the catalogue
    sql: str
    table: Literal["spec", "photo"]  # that it belongs to
    own: str  # FROM clause of queries on that table alone
    rows: str  # FROM clause of all other queries
    other: tuple[str, str, int]  # second sum: column of the catalogue, its SQL, the divisor
    group_value: str
    group_by: str
    groups: Groups
    whole: Range  # all possible ids
    usual: Range  # where ids are; ranges outside should be empty, but are queried
    shifts: tuple[int, ...]  # ranges are halved at a multiple of 2^shift, the first that is inside
    narrow: int  # ranges within 2^narrow are not slow because of their size
    complete: tuple[str, ...]  # columns without nulls

    @property
    def name(self) -> str:
        """SDSS's name of the key."""
        return self.sql.partition(".")[2]


SPECTRA = Key(
    column="specobjid",
    sql="s.specObjID",
    table="spec",
    own="SpecObjAll s",
    rows="SpecObjAll s JOIN PhotoObjAll p ON p.objID=s.bestObjID",
    other=("objid", "p.objID", HASH_PRIME),
    group_value="s.plate",
    group_by="s.plate",
    groups=PLATES,
    whole=EVERYTHING,
    usual=EVERYTHING,
    shifts=SPECTRUM_SHIFTS,
    narrow=PLATES.shift,
    complete=("specobjid", "objid", "plate", "fiberid"),
)
_BITS = ID_BITS["objid"]
_RERUN = 2 << 11 | 301  # sky version and rerun of all releases since DR8
PHOTOMETRY = Key(
    column="objid",
    sql="p.objID",
    table="photo",
    own="PhotoObjAll p",
    rows="PhotoObjAll p",
    other=("objid", "p.objID", SECOND_PRIME),
    group_value="MIN(p.objID) AS lo",
    group_by="p.rerun,p.run",
    groups=RUNS,
    whole=Range(0, 1 << 63),
    usual=Range(_RERUN << _BITS["rerun"][0], (_RERUN + 1) << _BITS["rerun"][0]),
    shifts=(*(_BITS[part][0] for part in ("run", "camcol", "field")), 0),
    narrow=_BITS["field"][0],
    complete=("objid", "run", "camcol", "field"),
)
KEYS = {"spectra": SPECTRA, "photometry": PHOTOMETRY}
