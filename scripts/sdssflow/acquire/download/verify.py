"""Whether the rows of an answer are all the rows, and the right ones.

The server is asked for number, first and last id and two sums of remainders over the same WHERE;
the same is computed here from what arrived. Lost, doubled and exchanged rows change them. The ids
also say, bit by bit, what other columns have to hold: a free check of the content.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.download.errors import TransientError
from sdssflow.acquire.download.ranges import FIBER_SHIFT, PLATE_SHIFT, Range
from sdssflow.acquire.download.sql import HASH_PRIME


class Tally(NamedTuple):
    """Number, first and last key and two sums of remainders of the rows of a range."""

    n: int
    lo: int | None
    hi: int | None
    h1: int | None
    h2: int | None

    @classmethod
    def of(cls, table: pa.Table, key: str = "specobjid", other: str = "objid") -> Tally:
        """Compute the tally of rows that arrived; sums of no rows are None, as in SQL."""
        if table.num_rows == 0:
            return cls(0, None, None, None, None)
        ids = table[key].to_numpy()
        return cls(
            table.num_rows,
            int(ids.min()),
            int(ids.max()),
            int((ids % HASH_PRIME).astype(np.int64).sum()),
            int((table[other].to_numpy() % HASH_PRIME).astype(np.int64).sum()),
        )


def check_tally(found: Tally, expected: Tally) -> None:
    """Refuse rows whose tally is not the server's.

    Raises
    ------
    TransientError
        Naming the first figure that differs.
    """
    words = ("rows", "as first id", "as last id", "as sum over specObjID", "as sum over objID")
    for what, mine, theirs in zip(words, found, expected, strict=True):
        if mine != theirs:
            raise TransientError(
                f"the answer has {mine} {what}, the server counts {theirs}: rows are missing, "
                "doubled or others"
            )


def check_keys(table: pa.Table, within: Range) -> None:
    """Refuse rows with missing, repeated or foreign ids, or whose columns contradict their ids.

    Parameters
    ----------
    table : pyarrow.Table
        Columns `specobjid` (uint64), `objid`, `plate` and `fiberid`, under catalogue names.
    within : Range
        Of specObjID.

    Raises
    ------
    TransientError
        Naming the first bad row of the answer.
    """
    for name in ("specobjid", "objid", "plate", "fiberid"):
        if table[name].null_count:
            row = pc.index(pc.is_null(table[name]), True).as_py()
            raise TransientError(f"row {row} of the answer has no {name}")
    ids = table["specobjid"].to_numpy()
    if len(ids) == 0:
        return
    wrong = np.zeros(len(ids), dtype=bool)
    wrong[1:] = ids[1:] <= ids[:-1]
    refuse(table, wrong, "its specObjID is not above the one before")
    low, last = np.uint64(within.low), np.uint64(within.high - 1)
    refuse(table, (ids < low) | (ids > last), "its specObjID is outside the range asked for")
    plate = (ids >> np.uint64(PLATE_SHIFT)).astype(np.int64)
    refuse(table, plate != table["plate"].to_numpy(), "its plate is not that of its specObjID")
    fiber = ((ids >> np.uint64(FIBER_SHIFT)) & np.uint64(0xFFF)).astype(np.int64)
    refuse(table, fiber != table["fiberid"].to_numpy(), "its fibre is not that of its specObjID")


def check_positions(table: pa.Table, key: str = "specobjid") -> None:
    """Refuse rows without a position on the sphere.

    Nothing else can be refused by its value: SDSS has spectra with impossible measurements, which
    become null and are counted when the catalogue is made.

    Parameters
    ----------
    table : pyarrow.Table
        Under catalogue names; without `ra` and `dec` there is nothing to check.
    key : str
        Column that names a row.

    Raises
    ------
    TransientError
        Naming the first bad row of the answer.
    """
    for name, low, high in (("ra", 0.0, 360.0), ("dec", -90.0, 90.0)):
        if name in table.column_names and table.num_rows:
            values = table[name].to_numpy()  # null is NaN, which is in no range
            refuse(table, ~((values >= low) & (values <= high)), f"{name} is no angle", key)


def refuse(table: pa.Table, wrong: np.ndarray, why: str, key: str = "specobjid") -> None:
    """Refuse the first row for which `wrong` is True.

    Raises
    ------
    TransientError
        Naming the row and its key.
    """
    if wrong.any():
        row = int(np.argmax(wrong))
        name = "specObjID" if key == "specobjid" else key
        raise TransientError(f"row {row} of the answer ({name} {table[key][row]}): {why}")
