"""Whether the rows of an answer are all the rows, and the right ones.

The server is asked for number, first and last key and two sums of remainders over the same WHERE;
the same is computed here from what arrived. Lost, doubled and exchanged rows change them. The ids
also say, bit by bit, what other columns have to hold: a free check of the content.
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
    h3: int | None = None  # of the sources in WISE, where they are asked for


NO_ROWS = Tally(0, None, None, None, None)  # in SQL, the sum of no rows is NULL


class Language(ABC):
    """How one kind of server is asked, and what the rows of its answers have to be."""

    queries: Queries
    names: list[str]  # columns of the catalogue, in the order of the answer
    key: str  # column by whose ranges the server is asked
    key_name: str  # in messages
    complete: tuple[str, ...]  # columns that have a value in every row
    groups: Groups | None  # in which rows can be counted, and of which ranges of the key are
    whole: Range = EVERYTHING  # all keys that there can be
    usual: Range = EVERYTHING  # where they are, as far as is known
    shifts: tuple[int, ...] = SPECTRUM_SHIFTS  # as of a `Key`
    narrow_shift: int  # within 2^narrow_shift a server is not slow because of the range's size
    most_rows: int  # an answer with as many rows was cut
    signed = False  # whether keys beyond 2^63 come as negative numbers of the same 64 bits
    ordered = True  # whether rows come in the order of the key

    @abstractmethod
    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """Read an answer whose columns have these types, or raise why it can't be believed."""

    @property
    def count_types(self) -> dict[str, pa.DataType]:
        """Columns of the answer to a count, and their types."""
        ends = pa.int64() if self.signed else pa.uint64()
        sums = ("h1", "h2", "h3") if self.queries.third else ("h1", "h2")
        return {"n": pa.int64(), "lo": ends, "hi": ends, **dict.fromkeys(sums, pa.int64())}

    def is_narrow(self, within: Range) -> bool:
        """Whether a range is so small that it is not its size that slows a server down."""
        beside = within.high <= self.usual.low or within.low >= self.usual.high
        # beside the usual keys there are none, or hardly any
        width = (self.usual.high - self.usual.low).bit_length() - 1
        shift = width if beside else self.narrow_shift
        return (within.high - 1) >> shift == within.low >> shift

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """Refuse rows with missing, repeated or foreign keys, or that contradict their ids.

        The first bad row of the answer is named by a `TransientError`.
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
        why = "is not above the one before" if self.ordered else "occurs twice"
        self._refuse(table, wrong, f"its {self.key_name} {why}")
        low, last = np.uint64(within.low), np.uint64(within.high - 1)
        outside = (ids < low) | (ids > last)
        self._refuse(table, outside, f"its {self.key_name} is outside the range asked for")
        for name, inside in id_parts(self.key, ids).items():
            if name in table.column_names:
                other = inside != table[name].fill_null(-1).to_numpy()
                self._refuse(table, other, f"its {name} is not that of its {self.key_name}")

    def check_positions(self, table: pa.Table) -> None:
        """Refuse rows without a position on the sphere, if the sample has positions.

        Nothing else can be refused by its value: SDSS has spectra with impossible measurements,
        which become null and are counted when the catalogue is made.
        """
        for name, low, high in (("ra", 0.0, 360.0), ("dec", -90.0, 90.0)):
            if name in table.column_names and table.num_rows:
                values = table[name].to_numpy()  # null is NaN, which is in no range
                outside = ~((values >= low) & (values <= high))
                self._refuse(table, outside, f"{name} is no angle")

    def tally(self, table: pa.Table) -> Tally:
        """Compute what the server was asked to count."""
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
        """Return checked rows in the order of the key."""
        if self.ordered:
            return table
        order = pa.array(np.argsort(self._unsigned(table), kind="stable"))
        return pc.take(table, order).combine_chunks()

    def _unsigned(self, table: pa.Table) -> np.ndarray:
        keys = table[self.key].to_numpy()
        return keys if keys.dtype == np.uint64 else keys.astype(np.int64).view(np.uint64)

    def _refuse(self, table: pa.Table, wrong: np.ndarray, why: str) -> None:
        """Refuse the first row for which `wrong` is True."""
        if wrong.any():
            row = int(np.argmax(wrong))
            key = table[self.key][row]
            raise TransientError(f"row {row} of the answer ({self.key_name} {key}): {why}")


def check_tally(found: Tally, expected: Tally) -> None:
    """Refuse rows whose tally is not the server's, with a `TransientError`."""
    words = ["rows", "as first id", "as last id"]
    words += [f"as {which} sum over ids" for which in ("first", "second", "third")]
    for what, mine, theirs in zip(words, found, expected, strict=True):
        if mine != theirs:
            raise TransientError(
                f"the answer has {mine} {what}, the server counts {theirs}: rows are missing, "
                "doubled or others"
            )


def _remainders(values: np.ndarray, prime: int) -> int:
    """Return the sum of remainders with the sign of the number divided, as SQL has them."""
    # wide first: a plate number is kept in 32 bits, which can't hold the sum
    wide = values if values.dtype.itemsize == 8 else values.astype(np.int64)
    return int(np.fmod(wide, wide.dtype.type(prime)).astype(np.int64).sum())
