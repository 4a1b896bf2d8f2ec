"""SkyServer's search page over a folder of Parquet files, for tests and the default run."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from sdssflow.standin.answers import (
    CSV,
    Answer,
    Middleware,
    Request,
    error_csv,
    error_json,
    error_page,
)
from sdssflow.standin.csv_format import csv_pieces
from sdssflow.standin.database import Database
from sdssflow.standin.errors import GuardError, SqlError
from sdssflow.standin.guard import guard
from sdssflow.standin.loopback import LoopbackServer
from sdssflow.standin.translation import Translation, translate

if TYPE_CHECKING:
    from sdssflow.standin.tap import TapService

ROW_LIMIT = 500_000
SQL_TIMEOUT = 600.0
MAX_QUERY_STRING = 2048
_SEARCH_PAGE = re.compile(r".*/dr(\d+)/en/tools/search/x_results\.aspx", re.IGNORECASE)
_THROTTLE_SECONDS = 60.0


class SkyServer(LoopbackServer):
    """A SkyServer on 127.0.0.1 while its `with` block lasts.

    Parameters
    ----------
    sky : path-like
        Folder with ``specobj.parquet`` and ``photoobj.parquet``.
    release : int or iterable of int
        The data releases that are served; others do not exist.
    row_limit : int
        Greatest number of rows of an answer; put in silently where a query has no TOP.
    timeout : float
        Seconds after which a query is broken off.
    throttle : int, optional
        Queries a minute that a client may send; not limited if None, as the real default.
    port : int
        0 takes a free one.
    middleware : callable, optional
        ``middleware(request, application) -> Answer``, for tests that need faults.
    memory, threads
        DuckDB's limits, for all queries together.

    Attributes
    ----------
    url, tap_url : str
        Addresses of SkyServer and of the TAP service over the same tables.
    log : list of Exchange
        Every request with its time, SQL and status.
    """

    def __init__(
        self,
        sky: str | Path,
        release: int | Iterable[int] = 17,
        row_limit: int = ROW_LIMIT,
        timeout: float = SQL_TIMEOUT,
        throttle: int | None = None,
        port: int = 0,
        middleware: Middleware | None = None,
        memory: str = "2GB",
        threads: int = 2,
    ) -> None:
        self.database = Database(sky, memory=memory, threads=threads)
        self.releases = {release} if isinstance(release, int) else set(release)
        self.row_limit = row_limit
        self.timeout = timeout
        self._throttle = Throttle(throttle)
        self._lock = threading.Lock()
        super().__init__(self._route, port, middleware)

    @property
    def tap_url(self) -> str:
        """The address of the TAP service over the same tables."""
        return f"{self.url}/tap"

    def _route(self, request: Request) -> Answer:
        if request.path.startswith("/tap/"):
            with self._lock:
                service = self._tap
            return service.answer(request)
        return self.search(request)

    @cached_property
    def _tap(self) -> TapService:
        # here, because astropy takes longer to import than all the rest
        from sdssflow.standin.tap import TapService

        return TapService(self.database, self.tap_url, self.row_limit, self.timeout)

    def search(self, request: Request) -> Answer:
        """Answer a request to the search page."""
        page = _SEARCH_PAGE.fullmatch(request.path)
        if page is None or int(page[1]) not in self.releases or request.method != "GET":
            return error_page(404, "404", "404 - File or directory not found.")
        if len(request.query) > MAX_QUERY_STRING:
            message = (
                "The length of the query string for this request exceeds the configured "
                "maxQueryStringLength value."
            )
            return error_page(400, message, message)
        if request.parameters.get("format", "csv").lower() != "csv":
            return error_json("The stand-in SkyServer writes csv and nothing else.")
        try:
            self._throttle.admit(request)
            return self._run(guard(request.sql, self.row_limit))
        except GuardError as error:
            return error_csv(str(error))
        except SqlError as error:
            return error_json(str(error))

    def _run(self, sql: str) -> Answer:
        translation = translate(sql, self.database.catalog)
        cursor = self.database.cursor()
        try:
            # to the last row before the first byte: an error has to come with its own status
            table = self.database.run(translation.sql, cursor, self.timeout)
        except SqlError:
            cursor.close()
            raise
        return Answer(200, CSV, _stream(table, translation, cursor))

    def stop(self) -> None:
        """Stop answering, give the port back and close the database."""
        super().stop()
        self.database.close()


def _stream(
    table: pa.Table, translation: Translation, cursor: duckdb.DuckDBPyConnection
) -> Iterator[bytes | memoryview]:
    try:
        yield from csv_pieces(table, translation.names, cursor)
    finally:
        cursor.close()


class Throttle:
    """Counts the queries of each client within a minute.

    Parameters
    ----------
    limit : int or None
        How many are allowed; the procedure compares with `>`, so one more gets through.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def admit(self, request: Request) -> None:
        """Note a query.

        Raises
        ------
        GuardError
            If its client has sent too many.
        """
        if self.limit is None:
            return
        now = time.monotonic()
        with self._lock:
            times = self._times.setdefault(request.client, deque())
            while times and times[0] < now - _THROTTLE_SECONDS:
                times.popleft()
            if len(times) > self.limit:
                message = f"ERROR: Maximum {self.limit} queries allowed per minute."
                raise GuardError(f"{message} Rejected query: {request.sql}")
            times.append(now)
