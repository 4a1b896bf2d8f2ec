"""Types of T-SQL, typed values and the tables they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from sdssflow.standin.dialects import T_SQL, Dialect
from sdssflow.standin.errors import SqlError


class SqlType(IntEnum):
    """A type of SQL Server; the greater number takes precedence where two meet."""

    VARCHAR = 0
    BINARY = 1  # a hexadecimal literal
    INT = 2
    BIGINT = 3
    NUMERIC = 4  # numeric(p,0): exact integers of up to 38 digits
    DECIMAL = 5  # a literal with a decimal point
    REAL = 6
    FLOAT = 7

    @property
    def is_integer(self) -> bool:
        """Whether values are exact integers."""
        return self in (SqlType.INT, SqlType.BIGINT, SqlType.NUMERIC)

    @property
    def is_number(self) -> bool:
        """Whether values are numbers (a hexadecimal literal is not one by itself)."""
        return self >= SqlType.INT


DUCK_TYPES = {
    SqlType.INT: "INTEGER",
    SqlType.BIGINT: "BIGINT",
    SqlType.NUMERIC: "HUGEINT",
    SqlType.REAL: "FLOAT",
    SqlType.FLOAT: "DOUBLE",
}


@dataclass(frozen=True)
class Value:
    """A translated expression.

    Attributes
    ----------
    sql : str
        DuckDB SQL.
    type : SqlType
        Its type in SQL Server.
    text : str or None
        The digits or characters, if it is a literal.
    loose : frozenset of (str, str)
        The columns in it that stand outside aggregates: DuckDB SQL and name in messages.
    aggregate : bool
        Whether there is an aggregate in it.
    """

    sql: str
    type: SqlType
    text: str | None = None
    loose: frozenset[tuple[str, str]] = frozenset()
    aggregate: bool = False

    def as_type(self, target: SqlType) -> str:
        """DuckDB SQL of the value converted to `target`."""
        if self.type is target or target not in DUCK_TYPES:
            return self.sql
        # from the digits: a decimal that was rounded to a double may round twice to a float
        source = f"'{self.text}'" if self.text is not None else self.sql
        return f"CAST({source} AS {DUCK_TYPES[target]})"


@dataclass(frozen=True)
class Table:
    """A table of the database: its name and its columns in their spelling, with types."""

    name: str
    columns: dict[str, SqlType]


class Catalog:
    """The tables of the database, found without regard to case.

    Parameters
    ----------
    tables : list of Table
        All tables.
    dialect : Dialect
        The language in which they are asked.
    """

    def __init__(self, tables: list[Table], dialect: Dialect = T_SQL) -> None:
        self.dialect = dialect
        self._tables = {table.name.lower(): table for table in tables}

    def table(self, name: str, schema: str = "") -> Table:
        """Return a table.

        Raises
        ------
        SqlError
            If there is none of that name.
        """
        wanted = {self.dialect.schema} | ({""} if self.dialect.schema_may_be_left_out else set())
        if name.lower() not in self._tables or schema.lower() not in wanted:
            raise SqlError(f"Invalid object name '{f'{schema}.{name}'.lstrip('.')}'.")
        return self._tables[name.lower()]


class Scope:
    """The tables of one query under their aliases.

    Parameters
    ----------
    tables : dict of str to Table
        Alias (or name, where there is no alias) to table, in the order of FROM.
    """

    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = {alias.lower(): table for alias, table in tables.items()}

    def column(self, name: str, alias: str = "") -> Value:
        """Return a column as a value.

        Raises
        ------
        SqlError
            If there is none of that name, or more than one.
        """
        if alias and alias.lower() not in self.tables:
            raise SqlError(f'The multi-part identifier "{alias}.{name}" could not be bound.')
        hits = [
            (key, spelling, table)
            for key, table in self.tables.items()
            if not alias or key == alias.lower()
            for spelling in table.columns
            if spelling.lower() == name.lower()
        ]
        if not hits:
            raise SqlError(f"Invalid column name '{name}'.")
        if len(hits) > 1:
            raise SqlError(f"Ambiguous column name '{name}'.")
        key, spelling, table = hits[0]
        sql = f'"{key}"."{spelling}"'
        return Value(
            sql, table.columns[spelling], loose=frozenset({(sql, f"{table.name}.{spelling}")})
        )
