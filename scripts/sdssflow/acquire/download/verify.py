"""Verify that the rows of an answer are complete and correct.

The server computes number, first and last key and two sums of remainders for the same WHERE clause,
and the same quantities are computed here from the received rows. They reveal missing, repeated and
exchanged rows. The bits of the ids also encode other columns, which checks the content.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.download.errors import TransientError
from sdssflow.acquire.download.keys import HASH_PRIME, Groups
from sdssflow.acquire.download.plan import EVERYTHING, SPECTRUM_SHIFTS, Range
from sdssflow.acquire.download.sql import Queries
from sdssflow.acquire.schema import id_parts


class Tally(NamedTuple):
    """Number, first and last key and the sums of remainders of the rows of a range."""

    n: int
    lo: int | None
    hi: int | None
    h1: int | None
    h2: int | None
    h3: int | None = None  # of WISE sources, if requested


NO_ROWS = Tally(0, None, None, None, None)  # in SQL, the sum of no rows is NULL


class Language(ABC):
    """Query language and properties of the answers of one kind of server."""

    queries: Queries
    names: list[str]  # columns of the catalogue, in the order of the answer
    key: str  # column whose ranges are queried
    key_name: str  # in messages
    complete: tuple[str, ...]  # columns without nulls
    groups: Groups | None  # by which rows can be counted
    whole: Range = EVERYTHING  # all possible keys
    usual: Range = EVERYTHING  # where keys are known to be
    shifts: tuple[int, ...] = SPECTRUM_SHIFTS  # see `Key`
    narrow_shift: int  # ranges within 2^narrow_shift are not slow because of their size
    most_rows: int  # an answer with as many rows is truncated
    signed = False  # whether keys beyond 2^63 are negative integers with the same bits
    ordered = True  # whether rows are in the order of the key

    @abstractmethod
    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """Parse an answer with these column types; error if it is invalid."""

    @property
    def count_types(self) -> dict[str, pa.DataType]:
        """Columns of the answer to a count and their types."""
        ends = pa.int64() if self.signed else pa.uint64()
        sums = ("h1", "h2", "h3") if self.queries.third else ("h1", "h2")
        return {"n": pa.int64(), "lo": ends, "hi": ends, **dict.fromkeys(sums, pa.int64())}

    def is_narrow(self, within: Range) -> bool:
        """Return whether a range is too small to be slow because of its size."""
        unusual = within.high <= self.usual.low or within.low >= self.usual.high
        # outside the usual range there are hardly any keys
        width = (self.usual.high - self.usual.low).bit_length() - 1
        shift = width if unusual else self.narrow_shift
        return (within.high - 1) >> shift == within.low >> shift

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """Refuse rows with missing, repeated or out-of-range keys, or that contradict their ids.

        Raises a `TransientError` with the first bad row.
        """
        for name in self.complete:
            if table[name].null_count:
                row = pc.index(pc.is_null(table[name]), True).as_py()
                raise TransientError(f"row {row} of the answer has no {name}")
        if table.num_rows == 0:
            return
        ids = self._unsigned(table)
        order = np.arange(len(ids)) if self.ordered else np.argsort(ids, kind="stable")
        wrong = np.zeros(len(ids), dtype=bool)
        wrong[order[1:]] = ids[order[1:]] <= ids[order[:-1]]
        why = "is not larger than the previous one" if self.ordered else "is repeated"
        self._refuse(table, wrong, f"its {self.key_name} {why}")
        low, last = np.uint64(within.low), np.uint64(within.high - 1)
        outside = (ids < low) | (ids > last)
        self._refuse(table, outside, f"its {self.key_name} is outside the requested range")
        for name, inside in id_parts(self.key, ids).items():
            if name in table.column_names:
                other = inside != table[name].fill_null(-1).to_numpy()
                self._refuse(table, other, f"its {name} contradicts its {self.key_name}")

    def check_positions(self, table: pa.Table) -> None:
        """Refuse rows without a valid position, if the sample has positions.

        Other impossible values occur in SDSS; they become null and are counted in the catalogue.
        """
        for name, low, high in (("ra", 0.0, 360.0), ("dec", -90.0, 90.0)):
            if name in table.column_names and table.num_rows:
                values = table[name].to_numpy()  # null is NaN, which is in no range
                outside = ~((values >= low) & (values <= high))
                self._refuse(table, outside, f"{name} is out of range")

    def tally(self, table: pa.Table) -> Tally:
        """Compute the tally of received rows."""
        if table.num_rows == 0:
            return NO_ROWS
        keys = self._unsigned(table).view(np.int64 if self.signed else np.uint64)
        other = self.queries.other
        objects = keys if other == self.key else table[other].drop_null().to_numpy()
        third = self.queries.third
        matched = table[third].drop_null().to_numpy() if third else keys[:0]
        return Tally(
            table.num_rows,
            int(keys.min()),
            int(keys.max()),
            _remainders(keys, HASH_PRIME),
            _remainders(objects, self.queries.other_prime) if len(objects) else None,
            _remainders(matched, HASH_PRIME) if len(matched) else None,
        )

    def in_order(self, table: pa.Table) -> pa.Table:
        """Sort checked rows by the key."""
        if self.ordered:
            return table
        order = pa.array(np.argsort(self._unsigned(table), kind="stable"))
        return pc.take(table, order).combine_chunks()

    def _unsigned(self, table: pa.Table) -> np.ndarray:
        keys = table[self.key].to_numpy()
        return keys if keys.dtype == np.uint64 else keys.astype(np.int64).view(np.uint64)

    def _refuse(self, table: pa.Table, wrong: np.ndarray, why: str) -> None:
        """Raise an error for the first row where `wrong` is True, if any."""
        if wrong.any():
            row = int(np.argmax(wrong))
            key = table[self.key][row]
            raise TransientError(f"row {row} of the answer ({self.key_name} {key}): {why}")


def check_tally(found: Tally, expected: Tally) -> None:
    """Raise a `TransientError` if a tally differs from the server's."""
    words = ["rows", "as first id", "as last id"]
    words += [f"as {which} sum over ids" for which in ("first", "second", "third")]
    for what, mine, theirs in zip(words, found, expected, strict=True):
        if mine != theirs:
            raise TransientError(
                f"the answer has {mine} {what}, the server counts {theirs}: rows are missing, "
                "repeated or exchanged"
            )


def _remainders(values: np.ndarray, prime: int) -> int:
    """Return the sum of remainders with the sign of the dividend, as in SQL."""
    # widen first: 32 bits can't hold the sum
    wide = values if values.dtype.itemsize == 8 else values.astype(np.int64)
    return int(np.fmod(wide, wide.dtype.type(prime)).astype(np.int64).sum())
