"""SkyServer's search page over a folder of Parquet files, for tests and the default run.

    python -m skyserver_standin.server --sky FOLDER

prints its address, one line, when it is ready. With ``--until-stdin-closes`` it ends with its
parent, even one that was killed: the pipe closes whatever happens.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from skyserver_standin.csv_format import csv_pieces
from skyserver_standin.database import Database
from skyserver_standin.guard import GuardError, guard
from skyserver_standin.loopback import (
    CSV,
    Answer,
    LoopbackServer,
    Middleware,
    Request,
    error_csv,
    error_json,
    error_page,
)
from skyserver_standin.sql_types import SqlError
from skyserver_standin.translation import Translation, translate

if TYPE_CHECKING:
    from skyserver_standin.tap import TapService

ROW_LIMIT = 500_000
SQL_TIMEOUT = 600.0
MAX_QUERY_STRING = 2048
_SEARCH_PAGE = re.compile(r".*/dr(\d+)/en/tools/search/x_results\.aspx", re.IGNORECASE)


class SkyServer(LoopbackServer):
    """A SkyServer on 127.0.0.1 while its `with` block lasts.

    Parameters
    ----------
    sky : path-like
        Folder with ``specobj.parquet`` and ``photoobj.parquet``.
    release : int
        The data release that is served; others do not exist.
    row_limit : int
        Greatest number of rows of an answer; put in silently where a query has no TOP.
    timeout : float
        Seconds after which a query is broken off.
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
        release: int = 17,
        row_limit: int = ROW_LIMIT,
        timeout: float = SQL_TIMEOUT,
        port: int = 0,
        middleware: Middleware | None = None,
        memory: str = "2GB",
        threads: int = 2,
    ) -> None:
        self.database = Database(sky, memory=memory, threads=threads)
        self.release = release
        self.row_limit = row_limit
        self.timeout = timeout
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
        from skyserver_standin.tap import TapService

        return TapService(self.database, self.tap_url, self.row_limit, self.timeout)

    def search(self, request: Request) -> Answer:
        """Answer a request to the search page."""
        page = _SEARCH_PAGE.fullmatch(request.path)
        if page is None or int(page[1]) != self.release or request.method != "GET":
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


def main(arguments: Sequence[str] | None = None, middleware: Middleware | None = None) -> int:
    """Serve until standard input closes or a signal comes.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name.
    middleware : callable, optional
        See `SkyServer`.

    Returns
    -------
    int
        Exit status.
    """
    options = _parser().parse_args(arguments)
    missing = [
        name
        for name in ("specobj.parquet", "photoobj.parquet")
        if not (options.sky / name).is_file()
    ]
    if missing:
        print(f"{options.sky}: no {' and no '.join(missing)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with SkyServer(options.sky, options.release, options.row_limit, port=options.port,
                   middleware=middleware) as server:  # fmt: skip
        print(server.url, flush=True)
        try:
            if options.until_stdin_closes:
                sys.stdin.buffer.read()
            else:
                signal.pause()
        except KeyboardInterrupt:
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--sky", type=Path, required=True, help="folder with specobj.parquet and photoobj.parquet")
    add("--port", type=int, default=0, help="0 takes a free one (default)")
    add("--release", type=int, default=17, help="data release (default 17)")
    add("--row-limit", type=int, default=ROW_LIMIT, help=f"rows an answer (default {ROW_LIMIT})")
    add("--until-stdin-closes", action="store_true", help="end when standard input ends")
    return parser


if __name__ == "__main__":
    sys.exit(main())
