"""Query an archive in ranges of its key, and return tables that passed every check."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sdssflow.acquire.download.client_skyserver import SkyServerLanguage
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.acquire.download.plan import Range, halves
from sdssflow.acquire.download.retry import RateLimiter, retry
from sdssflow.acquire.download.store import Record, Store, sha256
from sdssflow.acquire.download.transport import CLOCK, Clock
from sdssflow.acquire.download.verify import NO_ROWS, Language, Tally, check_tally
from sdssflow.acquire.schema import columns_of
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource

logger = logging.getLogger("sdssflow")


class Piece(NamedTuple):
    """Verified rows of a range, from one query."""

    within: Range
    tally: Tally
    table: pa.Table


class Archive:
    """The rows of one sample on a server, queried in ranges of its key.

    `ask` returns the body of the answer to a query, as `Server.ask` does; what is complete is kept
    in `store`. The default `language` is SkyServer's; `clock` is used for pauses and deadlines.
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
        if language is None:
            assert isinstance(source, SkyServerSource), "TAP services need a language"
            language = SkyServerLanguage(source)
        self.language = language
        self.queries = self.language.queries
        self.names = self.language.names
        self.known = columns_of(source.declared)
        self._source = source
        self._ask = ask
        self._network = network
        self._store = store
        self._clock = clock
        self._pace = RateLimiter(store.folder, network.pause_s, clock)
        self._end = clock.monotonic() + network.give_up_s

    def groups(self, within: Range | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return plate (run) numbers, ascending, and the number of spectra (objects) of each.

        Counted by the server, everywhere or within a range, using only conditions on the spectrum.
        DownloadError if the numbers never add up to the server's total.
        """
        within = within or self.language.whole
        assert self.language.groups is not None, "the key has groups"
        header, low, _, name, members = self.language.groups
        types = {header: pa.int64(), "n": pa.int64()}
        total_sql = self.queries.members(within)

        def numbers(table: pa.Table) -> np.ndarray:
            return table[header].to_numpy() >> low

        def check(table: pa.Table) -> None:
            missing = table[header].null_count or table["n"].null_count
            if missing or (np.diff(numbers(table)) <= 0).any():
                raise TransientError(f"{name} are missing, repeated or out of order")
            total = self._table(total_sql, {"n": pa.int64()}, _one_row)["n"][0].as_py()
            found = int(table["n"].to_numpy().sum())
            if found != total:
                # either answer may be wrong: the next attempt repeats both
                self._store.forget(total_sql)
                raise TransientError(
                    f"the {name} hold {found} {members}, the server counts {total}"
                )

        try:
            table = self._table(self.queries.groups(within), types, check)
        except TooMuchError as error:
            with self._remembering(self.queries.groups(within), total_sql):
                parts = [self.groups(half) for half in self._split(within, error)]
            found, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            return found, counts
        return numbers(table), table["n"].to_numpy()

    def members(self, within: Range) -> int:
        """Return the server's number of spectra in a range, using only conditions on the spectrum.

        For photometry, the number of objects.
        """
        if within.empty:
            return 0
        if not self.language.groups:
            return self.count(within).n
        return int(self.groups(within)[1].sum())

    def count(self, within: Range) -> Tally:
        """Return the server's tally of a range, counted in parts if one query takes too long."""
        if within.empty:
            return NO_ROWS
        try:
            return self._tally(within)
        except TooMuchError as error:
            with self._remembering(self.queries.count(within)):
                return _sum([self.count(half) for half in self._split(within, error)])

    def rows(self, within: Range) -> Iterator[Piece]:
        """Yield verified rows of a range in pieces, in the order of the key.

        Ranges with more than `rows_per_query` rows, or too slow for the server, are split.
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
        names, headers = self.names, self.queries.headers
        types = {h: self.known[name].type for h, name in zip(headers, names, strict=True)}

        def check(table: pa.Table) -> None:
            if table.num_rows >= self.language.most_rows:
                raise TooMuchError(f"the answer is truncated at {self.language.most_rows:,} rows")
            table = table.rename_columns(names)
            self.language.check_keys(table, within)
            self.language.check_positions(table)
            found = self.language.tally(table)
            if found != tally:
                # the tally may be wrong: query it once more
                self._store.forget(self.queries.count(within))
                check_tally(found, self._tally(within))

        table = self._table(self.queries.rows(within), types, check)
        table = table.rename_columns(names)
        return Piece(within, self.language.tally(table), self.language.in_order(table))

    def _split(self, within: Range, error: TooMuchError) -> tuple[Range, Range]:
        """Return the halves of a range, unless it is too small for its size to be the problem."""
        language = self.language
        if within.high - within.low < 2 or (error.slow and language.is_narrow(within)):
            raise DownloadError(
                f"{language.key_name} {within.low} to {within.high} can't be downloaded: "
                f"{error.problem}",
                "The server can't answer even this small range: run again when it is less busy.",
            ) from error
        return halves(within, language.shifts, language.usual)

    @contextmanager
    def _remembering(self, *queries: str) -> Iterator[None]:
        """Forget that queries were too large if their halves fail as well.

        A server that is temporarily down times out on everything, which must not be recorded.
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

        def checked(body: bytes) -> pa.Table:
            table = self.language.read(body, types)
            check(table)
            return table

        stored = self._store.get(sql)
        if stored:
            try:
                return checked(stored)
            except TransientError as error:
                logger.warning("a stored answer no longer passes (%s); repeating the query", error)
        known = self._store.record(sql)
        if known and known.too_much:
            raise TooMuchError(known.too_much, slow=True)
        asked_at, seconds = "", 0.0

        def once() -> tuple[bytes, pa.Table]:
            nonlocal asked_at, seconds
            asked_at = datetime.now(UTC).isoformat(timespec="seconds")
            started = self._clock.monotonic()
            body = self._ask(sql)
            seconds = self._clock.monotonic() - started
            return body, checked(body)

        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise DownloadError(
                f"incomplete after {self._network.give_up_s:g} s",
                "Run again: what is complete is kept. If the server is slow, use more chunks or "
                "raise downloads.give_up_s.",
            )
        try:
            (body, table), attempts = retry(once, self._network, self._pace, sql[:60], left)
        except (TooMuchError, SilenceError) as error:
            logger.info("split: %s", error.problem)
            self._store.put(Record(sql, "", 0, 0, asked_at, seconds, 1, error.problem))
            slow = getattr(error, "slow", True)
            raise TooMuchError(error.problem, slow) from error
        except OSError as error:  # of the file shared by the rate limiters
            raise self._store.unwritable(error) from error
        record = Record(sql, sha256(body), table.num_rows, len(body), asked_at, seconds, attempts)
        self._store.put(record, body)
        return table


def _one_row(table: pa.Table) -> None:
    if table.num_rows != 1 or table.column(0)[0].as_py() is None:
        raise TransientError(f"the count has {table.num_rows} rows, expected one")
    n = table["n"][0].as_py()
    # on a mirror, objid may be null in all these rows, and so their sum
    known = {column[0].as_py() is not None for column in table.columns[1:4]}
    if n < 0 or not known <= {n > 0}:  # null exactly if there are no rows
        raise TransientError(f"an inconsistent count: {table.to_pylist()[0]}")


def _sum(parts: list[Tally]) -> Tally:
    counted = [part for part in parts if part.n]
    if not counted:
        return NO_ROWS
    n, low, high, *sums = zip(*counted, strict=True)
    # the sum of no ids is NULL
    known = [[value for value in parts if value is not None] for parts in sums]
    return Tally(sum(n), min(low), max(high), *(sum(v) if v else None for v in known))
