"""Types, tables and dialects of the SQL that is asked, and the errors of a database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class SqlError(Exception):
    """An error of the database: HTTP 500 with a JSON body."""


class Refused(SqlError):
    """Valid SQL that the stand-in does not translate, because it might do so wrongly."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"The stand-in SkyServer does not translate this exactly: {construct}.")


@dataclass(frozen=True)
class Dialect:
    """What differs between the T-SQL of SkyServer and the ADQL of a TAP mirror.

    On SQL Server the schema may be left out, texts are equal whatever their case and the blanks at
    their end, a `real` meets a literal as a real, and NULL comes before all values. On PostgreSQL,
    on which mirrors run, nothing of this is so. `functions` and `signs` reach the parser.
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
    """A type of SQL Server; the greater number takes precedence where two meet."""

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
        # from the digits: a decimal that was rounded to a double may round twice to a float
        source = f"'{self.text}'" if self.text is not None else self.sql
        return f"CAST({source} AS {DUCK_TYPES[target]})"

    @property
    def folded(self) -> str:
        """DuckDB SQL that is equal where SQL Server finds texts equal."""
        if self.text is not None:
            folded = self.text.rstrip(" ").lower().replace("'", "''")
            return f"'{folded}'"
        return f"lower(rtrim({self.sql}, ' '))"


@dataclass(frozen=True)
class Table:
    """A table of the database: its name and its columns in their spelling, with types."""

    name: str
    columns: dict[str, SqlType]


class Catalog:
    """The tables of the database, found without regard to case, and the dialect that asks them."""

    def __init__(self, tables: list[Table], dialect: Dialect = T_SQL) -> None:
        self.dialect = dialect
        self._tables = {table.name.lower(): table for table in tables}

    def table(self, name: str, schema: str = "") -> Table:
        """Return a table, or raise SqlError if there is none of that name."""
        wanted = {self.dialect.schema} | ({""} if self.dialect.sql_server else set())
        if name.lower() not in self._tables or schema.lower() not in wanted:
            raise SqlError(f"Invalid object name '{f'{schema}.{name}'.lstrip('.')}'.")
        return self._tables[name.lower()]
