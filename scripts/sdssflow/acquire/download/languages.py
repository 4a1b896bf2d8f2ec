"""How each kind of archive is asked, and how its answers are read and held against the question."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.download.adql import AdqlQueries
from sdssflow.acquire.download.answers import check_bytes, parse
from sdssflow.acquire.download.queries import HASH_PRIME, MOST_ROWS, Queries
from sdssflow.acquire.download.ranges import FIBER_SHIFT, PLATE_SHIFT, Range
from sdssflow.acquire.download.verification import Tally, check_keys, refuse
from sdssflow.acquire.download.votable import parse_votable
from sdssflow.configuration.sources import SkyServerSource, TapSource

FIBER_BITS = 0xFFF


class Language(Protocol):
    """What an `Archive` needs to know of its server.

    Attributes
    ----------
    queries : Queries or AdqlQueries
        The text of each question.
    names : list of str
        Columns of the catalogue, in the order of the answer.
    key, key_name : str
        Column by whose ranges the server is asked, under its catalogue name and in messages.
    by_plate : bool
        Whether rows can be counted by plate, and ranges of the key are ranges of plates.
    narrow_shift : int
        Within a range of 2^narrow_shift a server is not slow because of the range's size.
    most_rows : int
        An answer with as many rows was cut.
    count_types : dict of str to pyarrow.DataType
        Columns of the answer to a count.
    """

    queries: Queries | AdqlQueries
    names: list[str]
    key: str
    key_name: str
    by_plate: bool
    narrow_shift: int
    most_rows: int
    count_types: dict[str, pa.DataType]

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """Read an answer, or raise why it can't be believed."""

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """Refuse rows with missing, repeated or foreign keys, or that contradict their ids."""

    def tally(self, table: pa.Table) -> Tally:
        """Compute what the server was asked to count."""

    def in_order(self, table: pa.Table) -> pa.Table:
        """Return checked rows in the order of the key."""


class SkyServerLanguage:
    """SkyServer: T-SQL and CSV.

    Parameters
    ----------
    source : SkyServerSource
        The sample's source.
    """

    key, key_name, by_plate, narrow_shift = "specobjid", "specObjID", True, PLATE_SHIFT
    most_rows = MOST_ROWS
    count_types = {
        "n": pa.int64(),
        # specObjID is numeric(20) on the server: beyond 2^63 for plates from 8192 on
        "lo": pa.uint64(),
        "hi": pa.uint64(),
        "h1": pa.int64(),
        "h2": pa.int64(),
    }

    def __init__(self, source: SkyServerSource) -> None:
        self.queries = Queries(source)
        self.names = source.columns

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        check_bytes(body, list(types))
        return parse(body, list(types), types)

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """See `Language`."""
        check_keys(table, within)

    def tally(self, table: pa.Table) -> Tally:
        """See `Language`."""
        return Tally.of(table)

    def in_order(self, table: pa.Table) -> pa.Table:
        """See `Language`: the answer came in order, or it would not have passed."""
        return table


class TapLanguage:
    """A TAP service: ADQL and VOTable.

    Parameters
    ----------
    source : TapSource
        The sample's source.
    """

    def __init__(self, source: TapSource) -> None:
        self.queries = AdqlQueries(source)
        self.names = self.queries.names
        self.key = self.queries.key
        self.key_name = source.columns[self.key]
        self.by_plate = self.queries.by_plate
        # of other keys nothing is known
        self.narrow_shift = PLATE_SHIFT if self.key == "specobjid" else 10
        # ranges with more rows are not asked for
        self.most_rows = source.rows_per_query + 1
        self._signed = source.signed_key
        ends = pa.int64() if self._signed else pa.uint64()
        sums = {"h1": pa.int64(), "h2": pa.int64()}
        self.count_types = {"n": pa.int64(), "lo": ends, "hi": ends, **sums}

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        return parse_votable(body, types, self.most_rows)

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """See `Language`; plate and fibre are checked where the mapping has them."""
        column = table[self.key]
        refuse(table, column.is_null().to_numpy(), "it has no key", self.key)
        if table.num_rows == 0:
            return
        ids = self._unsigned(table)
        order = np.argsort(ids, kind="stable")
        again = np.zeros(len(ids), dtype=bool)
        again[order[1:]] = ids[order[1:]] == ids[order[:-1]]
        refuse(table, again, "this key stands there twice", self.key)
        low, last = np.uint64(within.low), np.uint64(within.high - 1)
        refuse(table, (ids < low) | (ids > last), "outside the range asked for", self.key)
        if self.key != "specobjid":
            return
        for name, shift, mask in (("plate", PLATE_SHIFT, -1), ("fiberid", FIBER_SHIFT, FIBER_BITS)):
            if name in table.column_names:
                inside = (ids >> np.uint64(shift)).astype(np.int64) & mask
                said = table[name].fill_null(-1).to_numpy()
                refuse(table, inside != said, f"its {name} is not that of its specobjid", self.key)

    def tally(self, table: pa.Table) -> Tally:
        """See `Language`; signed as in the service's database, where remainders can be negative."""
        if table.num_rows == 0:
            return Tally(0, None, None, None, None)
        keys = self._stored(table)
        other = table[self.queries.other]
        objects = other.drop_null().to_numpy() if self.queries.other != self.key else keys
        return Tally(
            table.num_rows,
            int(keys.min()),
            int(keys.max()),
            _remainders(keys),
            _remainders(objects) if len(objects) else None,
        )

    def in_order(self, table: pa.Table) -> pa.Table:
        """See `Language`; signed keys would come in another order, so none is asked for."""
        order = pa.array(np.argsort(self._unsigned(table), kind="stable"))
        return pc.take(table, order).combine_chunks()

    def _unsigned(self, table: pa.Table) -> np.ndarray:
        keys = table[self.key].to_numpy()
        return keys if keys.dtype == np.uint64 else keys.astype(np.int64).view(np.uint64)

    def _stored(self, table: pa.Table) -> np.ndarray:
        """Return the keys as the service's database has them."""
        return self._unsigned(table).view(np.int64 if self._signed else np.uint64)


def _remainders(values: np.ndarray) -> int:
    """Return the sum of remainders with the sign of the number divided, as SQL has them."""
    # wide first: a plate number is kept in 32 bits, which can't hold the sum
    wide = values if values.dtype.itemsize == 8 else values.astype(np.int64)
    return int(np.fmod(wide, wide.dtype.type(HASH_PRIME)).astype(np.int64).sum())
