"""The tables of the stand-in, DuckDB views over Parquet files, and rows as .NET writes them.

In a CSV answer `real` has 7 and `float` 15 significant digits (`ToString()` of .NET Framework),
NULL is empty, and a text is quoted only if it has a comma; quotes inside are not escaped. Numbers
are formatted by DuckDB, vectorised. Its printf rounds exact halves to even, while .NET rounds them
away from zero, so these are changed by one bit first.

Photoz consists of the redshifts of the spectra with noise. As in the SDSS it has the primary
objects that look extended (the view GalaxyTag). The scatter grows with magnitude, 2 % of the
redshifts are unrelated to the object, for 1 in 200 the fit failed (-9999), and an object that is
not a galaxy has the redshift of a random galaxy. All these are round numbers. The draws are digests
of objID, so that a row does not depend on the query.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import duckdb
import pyarrow as pa

BANDS = ("u", "g", "r", "i", "z")
TIMEOUT_MESSAGE = (
    "Execution Timeout Expired.  The timeout period elapsed prior to completion of the operation "
    "or the server is not responding."
)
ROWS_PER_PIECE = 8192
SIGNIFICANT_DIGITS = {"FLOAT": 7, "DOUBLE": 15}
# half of the last digit is a multiple of 2^-bits, because 5^k divides a number of that many digits
_HALF_BITS = {"FLOAT": 11, "DOUBLE": 22}
_MODEL_MAGNITUDES = ", ".join(
    f"{short}{band} AS {long}_{band}"
    for short, long in (("", "modelMag"), ("err_", "modelMagErr"))
    for band in BANDS
)

_WISE = ", ".join(f"w{k}{what}" for k in (1, 2, 3, 4) for what in ("mpro", "sigmpro"))
DRAWS = ("noise", "angle", "wild", "failed", "outside", "other")
UNIFORM = "(md5_number_lower(concat(p.objID, '{word}')) / 18446744073709551616.0) AS {word}"

PHOTOZ = f"""
WITH truth AS (
  SELECT bestObjID, min_by(z, specObjID) AS z, min_by(class, specObjID) AS class
  FROM dbo.SpecObjAll GROUP BY bestObjID
), drawn AS (
  SELECT p.objID, p.r - p.extinction_r AS r, coalesce(t.class = 'GALAXY', false) AS galaxy, t.z,
    {", ".join(UNIFORM.format(word=word) for word in DRAWS)}
  FROM dbo.PhotoObjAll p JOIN truth t ON t.bestObjID = p.objID WHERE p.mode = 1 AND p.type = 3
), scattered AS (
  SELECT *, 0.017 * pow(10, 0.15 * greatest(r - 17.8, 0)) AS sigma,
    sqrt(-2 * ln(1 - noise)) * cos(2 * pi() * angle) AS normal
  FROM drawn
)
SELECT objID,
  CAST(CASE WHEN failed < 0.005 THEN -9999 WHEN NOT galaxy OR wild < 0.02 THEN other
    ELSE z + sigma * (1 + z) * normal END AS FLOAT) AS z,
  CAST(CASE WHEN failed < 0.005 THEN -9999 ELSE sigma * (1 + abs(z)) END AS FLOAT) AS zErr,
  CAST(CASE WHEN failed < 0.005 THEN 0 ELSE 100 - floor(30 * other * other) END AS INTEGER)
    AS nnCount,
  CAST((CASE WHEN outside < 0.02 THEN -1 ELSE 1 END)
    * least(7, 1 + greatest(0, floor((r - 19.5) / 0.4))) AS INTEGER) AS photoErrorClass
FROM scattered
"""


class SqlError(Exception):
    """An error of the database: HTTP 500 with a JSON body."""


class Refused(SqlError):
    """Valid SQL that the stand-in refuses, because it might mistranslate it."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"The stand-in SkyServer does not translate this exactly: {construct}.")


@dataclass(frozen=True)
class Dialect:
    """The differences between the T-SQL of SkyServer and the ADQL of a TAP mirror.

    On SQL Server the schema is optional, texts are compared without case and trailing blanks, a
    literal is compared with a `real` as a real, and NULL sorts first. On PostgreSQL, which mirrors
    use, none of this holds. Only `functions` and `signs` are passed to the parser.
    """

    schema: str
    sql_server: bool
    functions: frozenset[str]
    signs: frozenset[str]


_FUNCTIONS = frozenset({"count", "sum", "min", "max"})
_SIGNS = frozenset([",", ".", "(", ")", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*"])
T_SQL = Dialect("dbo", True, _FUNCTIONS | {"count_big", "cast"}, _SIGNS | {"%", "&"})
ADQL = Dialect("sdss_dr17", False, _FUNCTIONS | {"mod"}, _SIGNS)


class SqlType(IntEnum):
    """A type of SQL Server; of two types in an expression, the greater takes precedence."""

    VARCHAR = 0
    INT = 1
    BIGINT = 2
    NUMERIC = 3  # numeric(p,0): exact integers of up to 38 digits
    DECIMAL = 4  # a literal with a decimal point
    REAL = 5
    FLOAT = 6

    @property
    def is_integer(self) -> bool:
        """Whether values are exact integers."""
        return self in (SqlType.INT, SqlType.BIGINT, SqlType.NUMERIC)


DUCK_TYPES = {
    SqlType.INT: "INTEGER",
    SqlType.BIGINT: "BIGINT",
    SqlType.NUMERIC: "HUGEINT",
    SqlType.REAL: "FLOAT",
    SqlType.FLOAT: "DOUBLE",
}
_SQL_TYPES = {duck: kind for kind, duck in DUCK_TYPES.items()}
_SQL_TYPES |= {"UBIGINT": SqlType.NUMERIC, "VARCHAR": SqlType.VARCHAR}


@dataclass(frozen=True)
class Value:
    """A translated expression: DuckDB SQL, its type, and the digits or characters of a literal."""

    sql: str
    type: SqlType
    text: str | None = None

    def as_type(self, target: SqlType) -> str:
        """DuckDB SQL of the value converted to `target`."""
        if self.type is target:
            return self.sql
        # from the digits, because rounding to a double first could round a float twice
        source = f"'{self.text}'" if self.text is not None else self.sql
        return f"CAST({source} AS {DUCK_TYPES[target]})"

    @property
    def folded(self) -> str:
        """DuckDB SQL of a text that is equal for texts that SQL Server considers equal."""
        if self.text is not None:
            folded = self.text.rstrip(" ").lower().replace("'", "''")
            return f"'{folded}'"
        return f"lower(rtrim({self.sql}, ' '))"


@dataclass(frozen=True)
class Table:
    """A table of the database: its name, and its columns as spelled there, with types."""

    name: str
    columns: dict[str, SqlType]


class Catalog:
    """The tables of the database, found regardless of case, and the dialect of its queries."""

    def __init__(self, tables: list[Table], dialect: Dialect = T_SQL) -> None:
        self.dialect = dialect
        self._tables = {table.name.lower(): table for table in tables}

    def table(self, name: str, schema: str = "") -> Table:
        """Return a table, or raise SqlError if there is none of that name."""
        wanted = {self.dialect.schema} | ({""} if self.dialect.sql_server else set())
        if name.lower() not in self._tables or schema.lower() not in wanted:
            raise SqlError(f"Invalid object name '{f'{schema}.{name}'.lstrip('.')}'.")
        return self._tables[name.lower()]


class Database:
    """SkyServer's schema `dbo` over ``specobj.parquet`` and ``photoobj.parquet`` in `folder`.

    A sky of photometry alone has no ``specobj.parquet``, so no tables of spectra and no Photoz.
    Without ``wise.parquet`` there are no tables of WISE. Opening is fast whatever the size of the
    files. `memory` and `threads` limit all queries.
    """

    def __init__(self, folder: str | Path, memory: str = "2GB", threads: int = 2) -> None:
        self._connection = duckdb.connect(config={"memory_limit": memory, "threads": threads})
        views = _views(Path(folder))
        self.has_spectra = "SpecObjAll" in views
        tables = [self.add_view("dbo", name, query) for name, query in views.items()]
        self.catalog = Catalog(tables)

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
        """Run DuckDB SQL, or interrupt it after `timeout` seconds.

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
    with suppress(duckdb.Error):  # already closed
        while not done.is_set():
            cursor.interrupt()
            done.wait(0.1)  # again, because DuckDB ignores it while planning


def _views(folder: Path) -> dict[str, str]:
    """Return the SELECT of each view, each after those it uses."""
    spec, photo, matches = (
        f"read_parquet('{str(folder / name).replace(chr(39), chr(39) * 2)}')"
        for name in ("specobj.parquet", "photoobj.parquet", "wise.parquet")
    )
    spectra = {
        "SpecObjAll": f"SELECT * FROM {spec}",
        "SpecObj": "SELECT * FROM dbo.SpecObjAll WHERE sciencePrimary = 1",
    }
    wise = {
        "WISE_xmatch": f"SELECT sdss_objid, cntr AS wise_cntr, match_dist FROM {matches}",
        "WISE_allsky": f"SELECT cntr, {_WISE} FROM {matches}",
    }
    has_spectra = (folder / "specobj.parquet").is_file()
    found = spectra if has_spectra else {}
    return (
        found
        | (wise if (folder / "wise.parquet").is_file() else {})
        | {
            "PhotoObjAll": f"SELECT *, {_MODEL_MAGNITUDES} FROM {photo}",
            "PhotoObj": "SELECT * FROM dbo.PhotoObjAll WHERE mode IN (1, 2)",
            "PhotoPrimary": "SELECT * FROM dbo.PhotoObjAll WHERE mode = 1",
        }
        | ({"Photoz": PHOTOZ} if has_spectra else {})
    )


def csv_pieces(
    table: pa.Table, names: list[str], connection: duckdb.DuckDBPyConnection
) -> Iterator[bytes]:
    """Yield the CSV answer for a finished result: `#Table1`, the header `names`, then the rows.

    `connection` formats the rows; it must not be used elsewhere meanwhile.
    """
    yield ("#Table1\n" + ",".join(names) + "\n").encode()
    if table.num_rows == 0:
        return
    connection.register("answer", table)
    kinds = [str(kind) for kind in connection.table("answer").types]
    fields = (
        _text_of(f'"{name}"', kind) for name, kind in zip(table.column_names, kinds, strict=True)
    )
    line = ", ',', ".join(fields)
    rows = connection.sql(f"SELECT concat({line}, chr(10)) AS line FROM answer")
    for batch in rows.to_arrow_reader(ROWS_PER_PIECE):
        yield "".join(batch.column(0).to_pylist()).encode()
    connection.unregister("answer")


def _text_of(column: str, kind: str) -> str:
    """DuckDB SQL of the text of a column of type `kind`; NULL stays NULL."""
    if kind == "VARCHAR":
        quoted = f"contains({column}, ',') AND NOT starts_with({column}, '\"')"
        return f"CASE WHEN {quoted} THEN concat('\"', {column}, '\"') ELSE {column} END"
    if kind not in SIGNIFICANT_DIGITS:
        return f"CAST({column} AS VARCHAR)"
    digits, bits = SIGNIFICANT_DIGITS[kind], _HALF_BITS[kind]
    x = f"CAST({column} AS DOUBLE)"
    # cheap test first: few measured numbers have so few binary places
    maybe_half = f"{x} * {2**bits} = trunc({x} * {2**bits})"
    place = f"({digits - 1} - floor(log10(abs({x}))))"  # 10^-place is the last digit
    half = (
        f"CASE WHEN {place} >= 0 THEN fmod(abs({x}) * pow(2, {place} + 1), 2) = 1 "
        f"ELSE fmod(abs({x}), pow(10, -{place})) = pow(10, -{place}) / 2 END"
    )
    return (
        f"CASE WHEN NOT ({maybe_half}) THEN printf('%.{digits}G', {x}) "
        f"WHEN {x} = 0 THEN '0' WHEN isnan({x}) THEN 'NaN' "
        f"WHEN isinf({x}) THEN replace(CAST({x} AS VARCHAR), 'inf', 'Infinity') "
        f"WHEN {half} THEN printf('%.{digits}G', nextafter({x}, {x} * 2)) "
        f"ELSE printf('%.{digits}G', {x}) END"
    )
