"""Serve a folder of Parquet files as a SkyServer on 127.0.0.1.

    python -m sdssflow.standin.serve --sky FOLDER

prints its address, one line, when it is ready. With ``--until-stdin-closes`` it ends with its
parent, even one that was killed: the pipe closes whatever happens.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sdssflow.standin.answers import Middleware
from sdssflow.standin.server import ROW_LIMIT, SQL_TIMEOUT, SkyServer


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
    server = SkyServer(
        options.sky,
        release=options.release or [17],
        row_limit=options.row_limit,
        timeout=options.timeout,
        throttle=options.throttle,
        port=options.port,
        middleware=middleware,
        memory=options.memory,
        threads=options.threads,
    )
    with server:
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
    add("--release", type=int, action="append", help="data release; may be repeated (default 17)")
    add("--row-limit", type=int, default=ROW_LIMIT, help=f"rows an answer (default {ROW_LIMIT})")
    add("--timeout", type=float, default=SQL_TIMEOUT, help="seconds a query may take (default 600)")
    add("--throttle", type=int, help="queries a minute for each client (default: no limit)")
    add("--memory", default="2GB", help="DuckDB's limit of memory (default 2GB)")
    add("--threads", type=int, default=2, help="DuckDB's threads (default 2)")
    add("--until-stdin-closes", action="store_true", help="end when standard input ends")
    return parser


if __name__ == "__main__":
    sys.exit(main())
