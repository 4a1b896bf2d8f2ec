"""An archive as a download sees it: questions about ranges, and tables that passed every check."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from sdssflow.acquire.download.client_skyserver import SkyServerLanguage
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.acquire.download.ranges import EVERYTHING, PLATE_SHIFT, Range, halves
from sdssflow.acquire.download.retry import RateLimiter, retry
from sdssflow.acquire.download.sql import AdqlQueries, Queries
from sdssflow.acquire.download.store import Record, Store, sha256
from sdssflow.acquire.download.transport import CLOCK, Clock
from sdssflow.acquire.download.verify import Tally, check_positions, check_tally
from sdssflow.acquire.schema import COLUMNS
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource

logger = logging.getLogger("sdssflow")


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


class Piece(NamedTuple):
    """Verified rows of a range that was asked for at once."""

    within: Range
    tally: Tally
    table: pa.Table


class Archive:
    """The rows of one sample on a server, asked for in ranges of its key.

    Parameters
    ----------
    source : SkyServerSource or TapSource
        What is asked for.
    ask : callable
        From SQL to the body of the answer, as `client_skyserver.SkyServer.ask`.
    network : Downloads
        Attempts and waits.
    store : Store
        Where verified answers are kept.
    language : Language, optional
        How the server is asked and its answers are read; by default as SkyServer.
    clock : Clock, optional
        By which it waits and gives up.
    """

    def __init__(
        self,
        source: SkyServerSource | TapSource,
        ask: Callable[[str], bytes],
        network: Downloads,
        store: Store,
        language: Language | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self.language = language or SkyServerLanguage(source)
        self.queries = self.language.queries
        self.names = self.language.names
        self._source = source
        self._ask = ask
        self._network = network
        self._store = store
        self._clock = clock
        self._pace = RateLimiter(store.folder, network.pause_s, clock)
        self._end = clock.monotonic() + network.give_up_s

    def plates(self, within: Range = EVERYTHING) -> tuple[np.ndarray, np.ndarray]:
        """Return plate numbers, ascending, and spectra on each, as the server counts them.

        Only conditions on the spectrum enter.

        Raises
        ------
        DownloadError
            If they don't add up to the number of all spectra, whatever is tried.
        """
        types = {"plate": pa.int64(), "n": pa.int64()}
        total_sql = self.queries.spectra(within)

        def check(table: pa.Table) -> None:
            plate = table["plate"].to_numpy()
            if table["plate"].null_count or table["n"].null_count or (np.diff(plate) <= 0).any():
                raise TransientError("plates are missing, doubled or out of order")
            total = self._table(total_sql, {"n": pa.int64()}, _one_row)["n"][0].as_py()
            found = int(table["n"].to_numpy().sum())
            if found != total:
                # either answer may be wrong: the next attempt asks for both
                self._store.forget(total_sql)
                raise TransientError(f"the plates hold {found} spectra, the server counts {total}")

        try:
            table = self._table(self.queries.plates(within), types, check)
        except TooMuchError as error:
            with self._remembering(self.queries.plates(within), total_sql):
                parts = [self.plates(half) for half in self._split(within, error)]
            return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return table["plate"].to_numpy(), table["n"].to_numpy()

    def spectra(self, within: Range) -> int:
        """Return the server's number of spectra in a range, by conditions on the spectrum alone."""
        if within.empty:
            return 0
        if not self.language.by_plate:
            return self.count(within).n
        return int(self.plates(within)[1].sum())

    def count(self, within: Range) -> Tally:
        """Return the server's tally of a range; counted in parts if it takes too long at once."""
        if within.empty:
            return Tally(0, None, None, None, None)
        try:
            return self._tally(within)
        except TooMuchError as error:
            with self._remembering(self.queries.count(within)):
                return _sum([self.count(half) for half in self._split(within, error)])

    def rows(self, within: Range) -> Iterator[Piece]:
        """Yield verified rows of a range, in the order of the key, in pieces.

        A range with more rows than are asked for at once, or that the server can't serve in time,
        is split.
        """
        if within.empty:
            return
        try:
            tally = self._tally(within)
            if tally.n > self._source.rows_per_query:
                raise TooMuchError(f"the range holds {tally.n:,} rows")
            piece = self._piece(within, tally)
        except TooMuchError as error:
            with self._remembering(self.queries.count(within), self.queries.rows(within)):
                for half in self._split(within, error):
                    yield from self.rows(half)
            return
        yield piece

    def _tally(self, within: Range) -> Tally:
        table = self._table(self.queries.count(within), self.language.count_types, _one_row)
        return Tally(*(column[0].as_py() for column in table.columns))

    def _piece(self, within: Range, tally: Tally) -> Piece:
        names = self.names
        types = {
            header: COLUMNS[name].type
            for header, name in zip(self.queries.headers, names, strict=True)
        }

        def check(table: pa.Table) -> None:
            if table.num_rows >= self.language.most_rows:
                raise TooMuchError(f"the answer is cut at {self.language.most_rows:,} rows")
            table = table.rename_columns(names)
            self.language.check_keys(table, within)
            check_positions(table, self.language.key)
            found = self.language.tally(table)
            if found != tally:
                # it may be the tally that is wrong: ask for it once more
                self._store.forget(self.queries.count(within))
                check_tally(found, self._tally(within))

        table = self._table(self.queries.rows(within), types, check)
        table = table.rename_columns(names)
        return Piece(within, self.language.tally(table), self.language.in_order(table))

    def _split(self, within: Range, error: TooMuchError) -> tuple[Range, Range]:
        return split(within, error, self.language.key_name, self.language.narrow_shift)

    @contextmanager
    def _remembering(self, *queries: str) -> Iterator[None]:
        """Keep the knowledge that queries ask for too much, unless their halves fail as well.

        A server that is down for a while is too slow for anything; that must not be remembered.
        """
        try:
            yield
        except DownloadError:
            for sql in queries:
                self._store.forget_too_much(sql)
            raise

    def _table(
        self, sql: str, types: dict[str, pa.DataType], check: Callable[[pa.Table], None]
    ) -> pa.Table:
        """Return the checked answer to a query, from the store or from the server."""
        stored = self._store.get(sql)
        if stored:
            try:
                return self._checked(stored[0], types, check)
            except TransientError as error:
                logger.warning("a stored answer no longer fits (%s); it is asked again", error)
        known = self._store.record(sql)
        if known and known.too_much:
            raise TooMuchError(known.too_much, slow=True)
        asked, seconds = "", 0.0

        def once() -> tuple[bytes, pa.Table]:
            nonlocal asked, seconds
            asked, started = (
                datetime.now(UTC).isoformat(timespec="seconds"),
                self._clock.monotonic(),
            )
            body = self._ask(sql)
            seconds = self._clock.monotonic() - started
            return body, self._checked(body, types, check)

        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise DownloadError(
                f"not complete after {self._network.give_up_s:g} s",
                "Run again: what is complete is kept. If the server is slow, use more chunks or "
                "raise downloads.give_up_s.",
            )
        try:
            (body, table), attempts = retry(once, self._network, self._pace, sql[:60], left)
        except (TooMuchError, SilenceError) as error:
            logger.info("split: %s", error.problem)
            self._store.put_too_much(Record(sql, "", 0, 0, asked, seconds, 1, error.problem))
            slow = getattr(error, "slow", True)
            raise TooMuchError(error.problem, slow) from error
        except OSError as error:  # of the file by which the jobs take turns
            raise self._store.unwritable(error) from error
        record = Record(sql, sha256(body), table.num_rows, len(body), asked, seconds, attempts)
        self._store.put(body, record)
        return table

    def _checked(
        self, body: bytes, types: dict[str, pa.DataType], check: Callable[[pa.Table], None]
    ) -> pa.Table:
        table = self.language.read(body, types)
        check(table)
        return table


def split(
    within: Range, error: TooMuchError, key: str = "specObjID", narrow_shift: int = PLATE_SHIFT
) -> tuple[Range, Range]:
    """Return the halves of a range of a key that was too much.

    Raises
    ------
    DownloadError
        If it can't be split further, or a range within one step of 2^`narrow_shift` (a plate) is
        too much for the server's time: it is not the size of the range then.
    """
    narrow = (within.high - 1) >> narrow_shift == within.low >> narrow_shift
    if within.high - within.low < 2 or (error.slow and narrow):
        raise DownloadError(
            f"{key} {within.low} to {within.high} can't be downloaded: {error.problem}",
            "Even this small range is too much: run again when the server is less busy.",
        ) from error
    return halves(within)


def _one_row(table: pa.Table) -> None:
    if table.num_rows != 1 or table.column(0)[0].as_py() is None:
        raise TransientError(f"a count of {table.num_rows} rows, expected one")
    n = table["n"][0].as_py()
    # a mirror may have no objid at all in these rows: then their sum is null
    known = {column[0].as_py() is not None for column in table.columns[1:4]}
    if n < 0 or not known <= {n > 0}:  # all figures of some rows are known, none of no rows
        raise TransientError(f"a count that contradicts itself: {table.to_pylist()[0]}")


def _sum(parts: list[Tally]) -> Tally:
    counted = [part for part in parts if part.n]
    if not counted:
        return Tally(0, None, None, None, None)
    n, low, high, h1, h2 = zip(*counted, strict=True)
    return Tally(sum(n), min(low), max(high), sum(h1), sum(h2))
