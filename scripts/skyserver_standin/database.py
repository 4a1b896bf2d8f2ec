"""The tables of the stand-in: DuckDB views over two Parquet files."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from skyserver_standin.sql_types import Catalog, SqlError, SqlType, Table

BANDS = ("u", "g", "r", "i", "z")
TIMEOUT_MESSAGE = (
    "Execution Timeout Expired.  The timeout period elapsed prior to completion of the operation "
    "or the server is not responding."
)
_SQL_TYPES = {
    "INTEGER": SqlType.INT,
    "BIGINT": SqlType.BIGINT,
    "UBIGINT": SqlType.NUMERIC,
    "FLOAT": SqlType.REAL,
    "DOUBLE": SqlType.FLOAT,
    "VARCHAR": SqlType.VARCHAR,
}
_MODEL_MAGNITUDES = ", ".join(
    f"{short}{band} AS {long}_{band}"
    for short, long in (("", "modelMag"), ("err_", "modelMagErr"))
    for band in BANDS
)


class Database:
    """SkyServer's schema `dbo` over ``specobj.parquet`` and ``photoobj.parquet``.

    Opening is quick whatever the size of the files, and memory is bounded.

    Parameters
    ----------
    folder : path-like
        Where the two files are.
    memory : str
        DuckDB's limit of memory for all queries together.
    threads : int
        DuckDB's threads for all queries together.
    """

    def __init__(self, folder: str | Path, memory: str = "2GB", threads: int = 2) -> None:
        folder = Path(folder)
        self._connection = duckdb.connect(config={"memory_limit": memory, "threads": threads})
        views = _views(folder).items()
        self.catalog = Catalog([self.add_view("dbo", name, query) for name, query in views])

    def add_view(self, schema: str, name: str, query: str) -> Table:
        """Add a view by its DuckDB SQL and return its columns."""
        cursor = self.cursor()
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        cursor.execute(f"CREATE VIEW {schema}.{name} AS {query}")
        rows = cursor.execute(f"DESCRIBE {schema}.{name}").fetchall()
        cursor.close()
        return Table(name, {row[0]: _SQL_TYPES[row[1]] for row in rows})

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for one thread."""
        return self._connection.cursor()

    def run(
        self, sql: str, cursor: duckdb.DuckDBPyConnection, timeout: float | None = None
    ) -> pa.Table:
        """Run DuckDB SQL to the end.

        Parameters
        ----------
        sql : str
            The query.
        cursor : duckdb.DuckDBPyConnection
            Runs it.
        timeout : float, optional
            Seconds after which it is broken off.

        Raises
        ------
        SqlError
            With SQL Server's words for an overflow or a time-out.
        """
        done = threading.Event()
        if timeout is not None:
            watch = threading.Thread(target=_break_off, args=(cursor, timeout, done), daemon=True)
            watch.start()
        try:
            return cursor.sql(sql).to_arrow_table()
        except duckdb.InterruptException as error:
            raise SqlError(TIMEOUT_MESSAGE) from error
        except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
            found = re.search(r"to type (INT32|INT64)|of (INT32|INT64)|INT32|INT64", str(error))
            kind = {"INT32": "int", "INT64": "bigint"}.get(
                found[0][-5:] if found else "", "numeric"
            )
            message = f"Arithmetic overflow error converting expression to data type {kind}."
            raise SqlError(message) from error
        except duckdb.Error as error:
            raise SqlError(f"The stand-in's database says: {error}") from error
        finally:
            done.set()

    def close(self) -> None:
        """Close it; running queries end with an error."""
        self._connection.close()


def _break_off(cursor: duckdb.DuckDBPyConnection, timeout: float, done: threading.Event) -> None:
    done.wait(timeout)
    with suppress(duckdb.Error):  # closed already
        while not done.is_set():
            cursor.interrupt()
            done.wait(0.1)  # it may have come too early, while DuckDB was still planning


def _views(folder: Path) -> dict[str, str]:
    """Return the SELECT of each view, in the order in which they build on each other."""
    spec, photo = (
        f"read_parquet('{str(folder / name).replace(chr(39), chr(39) * 2)}')"
        for name in ("specobj.parquet", "photoobj.parquet")
    )
    return {
        "SpecObjAll": f"SELECT * FROM {spec}",
        "SpecObj": "SELECT * FROM dbo.SpecObjAll WHERE sciencePrimary = 1",
        "PhotoObjAll": f"SELECT *, {_MODEL_MAGNITUDES} FROM {photo}",
        "PhotoObj": "SELECT * FROM dbo.PhotoObjAll WHERE mode IN (1, 2)",
        "PhotoPrimary": "SELECT * FROM dbo.PhotoObjAll WHERE mode = 1",
    }
