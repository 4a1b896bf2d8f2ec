"""SkyServer's search page over a folder of Parquet files, for tests and the default run.

    python -m skyserver_standin.server --sky FOLDER

prints its address in one line when it is ready. With ``--until-stdin-closes`` it ends with its
parent process, even if that is killed, because the pipe closes.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from skyserver_standin.database import Database, SqlError, csv_pieces
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
from skyserver_standin.translation import translate

if TYPE_CHECKING:
    from skyserver_standin.tap import TapService

ROW_LIMIT = 500_000
SQL_TIMEOUT = 600.0
MAX_QUERY_STRING = 2048
_HEAD = re.compile(r" ?select (?:all |distinct )?(?:top (\S+) )?", re.IGNORECASE)
# the procedure strips comments and deliberately inserts a '#' at a second statement, a stored
# procedure or an extension, and a SELECT that does not open a bracket
_BROKEN = re.compile(r"--|/\*|;|[. ](?:xp|sp|fn|ms|dt)_|(?<!\()(?<!\( )\bselect ", re.IGNORECASE)
_SEARCH_PAGE = re.compile(r".*/dr(\d+)/en/tools/search/x_results\.aspx", re.IGNORECASE)


class GuardError(Exception):
    """A refusal by the stored procedure: HTTP 200 with a CSV column named error_message."""


def guard(command: str, limit: int) -> str:
    """Return the query that is executed instead of `command`, with TOP `limit` if it has no TOP.

    Raises
    ------
    GuardError
        If it is no SELECT, or its TOP is not a number from 1 to `limit`.
    SqlError
        If the procedure would insert a '#'.

    Examples
    --------
    >>> guard("select ra from SpecObj", 500000)
    'select  top 500000 ra from SpecObj '
    """
    command = re.sub(r"[\r\n\t ]+", " ", f"{command} ")
    head = _HEAD.match(command)
    if head is None:
        raise GuardError(f"error: must be a select statement: {command}")
    if _BROKEN.search(command, len(" select ")):
        raise SqlError("Incorrect syntax near '#'.")
    count = head[1]
    if count is None:
        return f"{command[: head.end()]} top {limit} {command[head.end() :]}"
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= limit):
        raise GuardError(f"error: limit is  top {limit} {command}")
    return command


class SkyServer(LoopbackServer):
    """A SkyServer on 127.0.0.1 during its `with` block, see `LoopbackServer`.

    `sky` is a folder with ``photoobj.parquet`` and, if there are spectra, ``specobj.parquet``. Only
    `release` exists. An answer has at most `row_limit` rows, a limit that is added silently to a
    query without TOP; a query is interrupted after `timeout` seconds.
    """

    def __init__(
        self,
        sky: str | Path,
        release: int = 17,
        row_limit: int = ROW_LIMIT,
        timeout: float = SQL_TIMEOUT,
        port: int = 0,
        middleware: Middleware | None = None,
    ) -> None:
        self.database = Database(sky)
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
        return self._search(request)

    @cached_property
    def _tap(self) -> TapService:
        # imported here, because astropy takes longer to import than everything else
        from skyserver_standin.tap import TapService

        return TapService(self.database, self.row_limit, self.timeout)

    def _search(self, request: Request) -> Answer:
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
        with self.database.cursor() as cursor:
            # all rows before the first byte, because an error has another status
            table = self.database.run(translation.sql, cursor, self.timeout)
        return Answer(200, CSV, csv_pieces(table, translation.names, self.database.cursor()))

    def stop(self) -> None:
        """Stop answering, free the port and close the database."""
        super().stop()
        self.database.close()


def main() -> int:
    """Serve until standard input closes or a signal comes; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--sky", type=Path, required=True, help="folder with photoobj.parquet, specobj.parquet")
    add("--port", type=int, default=0, help="0 (default): any free one")
    add("--release", type=int, default=17, help="data release (default 17)")
    add("--row-limit", type=int, default=ROW_LIMIT, help=f"rows per answer (default {ROW_LIMIT})")
    add("--until-stdin-closes", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    if not (options.sky / "photoobj.parquet").is_file():
        print(f"{options.sky}: no photoobj.parquet", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with SkyServer(options.sky, options.release, options.row_limit, port=options.port) as server:
        print(server.url, flush=True)
        try:
            if options.until_stdin_closes:
                sys.stdin.buffer.read()
            else:
                signal.pause()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
