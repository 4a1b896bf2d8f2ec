"""The keys by whose ranges SkyServer is asked, and what is particular to each.

A specObjID begins with the plate, an objID with the version of the sky, the rerun and the run. Each
is the clustered key of its table, so a range of it is a range on the server's disk, and ranges of
plates, or of runs, are ranges of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sdssflow.acquire.download.plan import EVERYTHING, SPECTRUM_SHIFTS, Range
from sdssflow.acquire.schema import ID_BITS

HASH_PRIME = 1_000_003  # sums of remainders show rows that were lost and doubled at once
SECOND_PRIME = 999_983  # where there is one id only


class Groups(NamedTuple):
    """Groups in which a server counts, each a range of the key.

    The number of a group is the key without its `shift` lowest bits. In the answer to a count it is
    the column `header`, without the `low` lowest bits of that.
    """

    header: str
    low: int
    shift: int
    name: str  # in messages
    members: str

    def keys(self, first: int, last: int) -> Range:
        """Return the range of all keys of the groups `first` to `last`, both included."""
        return Range(first << self.shift, (last + 1) << self.shift)


PLATES = Groups("plate", 0, ID_BITS["specobjid"]["plate"][0], "plates", "spectra")
# a run says nothing of the bits in front of it: the first id of the run does
RUNS = Groups("lo", ID_BITS["objid"]["run"][0], ID_BITS["objid"]["run"][0], "runs", "objects")


@dataclass(frozen=True)
class Key:
    """A key of SkyServer, and what its queries and the rows of its answers have to be."""

    column: str  # of the catalogue
    sql: str
    table: Literal["spec", "photo"]  # its own
    own: str  # FROM, of what can be asked of that table alone
    rows: str  # FROM, of everything
    other: tuple[str, str, int]  # second sum: column of the catalogue, its SQL, the divisor
    group_value: str
    group_by: str
    groups: Groups
    whole: Range  # all ids that there can be
    usual: Range  # where ids are: what lies beside it is empty, but is asked for
    shifts: tuple[int, ...]  # a range is halved at a multiple of 2^shift, the first that lies in it
    narrow: int  # within 2^narrow a server is not slow because of the range's size
    complete: tuple[str, ...]  # columns that have a value in every row

    @property
    def name(self) -> str:
        """What SDSS calls it."""
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
_RERUN = 2 << 11 | 301  # version of the sky and rerun of all releases since DR8
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
