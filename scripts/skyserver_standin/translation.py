"""Translate T-SQL or ADQL to a query for DuckDB, or refuse it.

An allow-list of constructs that translate exactly and that the clients of this project use:

    SELECT [TOP n] items FROM table [[LEFT] JOIN table ON condition] [WHERE condition]
    [GROUP BY columns] [ORDER BY columns]

============ ===================================================================================
items        values with a name; COUNT(*), COUNT_BIG(*), MIN, MAX and SUM of a value
values       columns, literals, + and - of reals, % by a number (MOD in ADQL), (& of integers),
             CAST of an integer to int or bigint
conditions   comparisons, BETWEEN, IN, IS NULL, NOT, AND, OR
============ ===================================================================================

Types follow SQL Server's precedence (float, real, decimal, numeric, bigint, int), which decides the
common type of two numbers: a literal `19.6` is compared with a `real` column as a real.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token

from skyserver_standin.database import (
    DUCK_TYPES,
    Catalog,
    Dialect,
    Refused,
    SqlError,
    SqlType,
    Table,
    Value,
)

INT_MAX = 2**31 - 1
_CLAUSES = {"expressions", "limit", "from_", "joins", "where", "group", "order"}
# keywords that may precede a bracket
_WORDS = frozenset(("select", "top", "from", "join", "on", "where", "group by", "order by"))
_WORDS |= {"and", "or", "not", "in", "between"}
# allowed arguments of nodes; anything else (DISTINCT, OVER, COLLATE, ...) is refused
_ARGUMENTS: dict[type[exp.Expr], set[str]] = {
    exp.Column: {"this", "table"},
    exp.Literal: {"this", "is_string"},
    exp.Cast: {"this", "to"},
    exp.Count: {"this", "big_int"},
    exp.Between: {"this", "low", "high"},
    exp.In: {"this", "expressions"},
    exp.Table: {"this", "db", "alias"},
    exp.Join: {"this", "on", "kind", "side"},
    exp.Group: {"expressions"},
    exp.Order: {"expressions"},
    exp.Limit: {"expression"},
    exp.Select: _CLAUSES,
}
_SIGNS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


@dataclass(frozen=True)
class Translation:
    """A query for DuckDB, the names of its columns and its limit of rows."""

    query: str
    names: list[str]
    limit: int | None

    @property
    def sql(self) -> str:
        """The query with its limit."""
        return self.limited(self.limit)

    def limited(self, limit: int | None) -> str:
        """Return the query with another limit."""
        return self.query if limit is None else f"{self.query} LIMIT {limit}"


def translate(sql: str, catalog: Catalog) -> Translation:
    """Translate one SELECT in the catalog's dialect, T-SQL after `server.guard` or ADQL.

    Raises
    ------
    Refused
        If it has anything that is not known to translate exactly.
    SqlError
        If SQL Server would refuse it: syntax, unknown names, wrong grouping.
    """
    check_tokens(sql, catalog.dialect)
    try:
        statements = sqlglot.parse(sql, read="tsql")
    except ParseError as error:
        near = (error.errors[0].get("highlight") if error.errors else "") or "select"
        raise SqlError(f"Incorrect syntax near '{near}'.") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise Refused("anything but one SELECT")
    return _Query(statements[0], catalog).translation()


def check_tokens(sql: str, dialect: Dialect) -> None:
    """Pass only known signs and functions to the parser.

    The parser accepts more than T-SQL: `a::bigint`, `a == b`, MOD(a, b) or a comma before FROM
    would be answered here, while the real server returns an error.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="tsql")
    except TokenError as error:
        raise SqlError("Unclosed quotation mark after the character string.") from error
    for token in tokens:
        kind, text = token.token_type.name, token.text
        known = _is_word(token) or text in dialect.signs
        if kind not in ("STRING", "NUMBER", "IDENTIFIER") and (
            not known or kind.endswith("STRING") or text.lower() == "nulls"
        ):
            raise Refused(f"the sign {text!r}")
    for token, following in pairwise(tokens):
        if token.text == "," and following.text.lower() in ("from", "where", "order by"):
            raise SqlError(f"Incorrect syntax near the keyword '{following.text}'.")
        is_name = _is_word(token) and token.token_type.name != "IDENTIFIER"
        allowed = token.text.lower() in dialect.functions | _WORDS
        if following.text == "(" and is_name and not allowed:
            raise Refused(f"the function {token.text}()")


def _is_word(token: Token) -> bool:
    return token.text.replace("_", "").replace(" ", "").isalnum() and not token.text[0].isdigit()


def _checked(node: exp.Expr) -> exp.Expr:
    """Return a node after a check that it has only arguments that are translated."""
    allowed = _ARGUMENTS.get(type(node), {"this", "expression"})
    surplus = sorted(key for key, value in node.args.items() if value and key not in allowed)
    if surplus:
        raise Refused(f"{_described(node)} with {', '.join(surplus)}")
    return node


def _described(node: exp.Expr) -> str:
    return f"{type(node).__name__.upper()} in '{node.sql('tsql').strip()}'"


class _Query:
    """One SELECT and the tables that its columns come from, by their aliases."""

    def __init__(self, select: exp.Select, catalog: Catalog) -> None:
        self.select = _checked(select)
        self.dialect = catalog.dialect
        self.tables: dict[str, Table] = {}
        self.words: list[str] = []
        if select.args.get("from_") is None:
            raise Refused("a SELECT without FROM")
        for node in [select.args["from_"], *select.args.get("joins", [])]:
            self._add_table(node, catalog)

    def _add_table(self, node: exp.From | exp.Join, catalog: Catalog) -> None:
        named = _checked(node).this
        if not isinstance(named, exp.Table):
            raise Refused(_described(named))
        if named.args.get("alias"):
            _checked(named.args["alias"])
        alias = _checked(named).alias_or_name.lower()
        if alias in self.tables:
            raise SqlError(f"The correlation name '{alias}' is specified multiple times.")
        table = self.tables[alias] = catalog.table(named.name, named.db)
        place = f'{self.dialect.schema}."{table.name}" AS "{alias}"'
        if isinstance(node, exp.From):
            self.words.append(f"FROM {place}")
        elif (
            node.args.get("on") is None
            or node.kind not in ("", "INNER")
            or node.side not in ("", "LEFT")
        ):
            raise Refused(_described(node))
        else:
            join = f"{node.side} JOIN".lstrip()
            self.words.append(f"{join} {place} ON {self.condition(node.args['on'])}")

    def translation(self) -> Translation:
        """Return the whole query."""
        names: list[str] = []
        columns: list[tuple[exp.Expr, Value]] = []
        for node in self.select.expressions:
            name = node.name if isinstance(node, exp.Column) else node.alias
            if not name or name.lower() in {other.lower() for other in names}:
                raise Refused(f"a column without a unique name: {_described(node)}")
            names.append(name)
            inner = node.this if isinstance(node, exp.Alias) else node
            columns.append((inner, self._item(inner)))
        grouped = self._keys("group")
        ordered = self._keys("order")
        if grouped or any(isinstance(node, exp.AggFunc) for node, _ in columns):
            plain = [value for node, value in columns if not isinstance(node, exp.AggFunc)]
            for value in [*plain, *ordered]:
                if value not in grouped:
                    raise SqlError(
                        f"Column {value.sql} is invalid in the select list because it is not "
                        "contained in either an aggregate function or the GROUP BY clause."
                    )
        shown = ", ".join(f"{value.sql} AS c{k}" for k, (_, value) in enumerate(columns))
        words = [f"SELECT {shown}", *self.words]
        if self.select.args.get("where"):
            words.append(f"WHERE {self.condition(self.select.args['where'].this)}")
        if grouped:
            words.append(f"GROUP BY {', '.join(value.sql for value in grouped)}")
        if ordered:
            nulls = "FIRST" if self.dialect.sql_server else "LAST"
            words.append(f"ORDER BY {', '.join(f'{v.sql} NULLS {nulls}' for v in ordered)}")
        limit = self.select.args.get("limit")
        if limit is not None and not isinstance(limit, exp.Limit):
            raise Refused("any limit of rows but TOP with a number")
        most = None if limit is None else int(_checked(limit).expression.name)
        return Translation(" ".join(words), names, most)

    def _keys(self, clause: str) -> list[Value]:
        """Return the columns of GROUP BY or ORDER BY; texts are refused: they need a collation."""
        found, keys = [], self.select.args.get(clause)
        for node in _checked(keys).expressions if keys else []:
            key = node.this if isinstance(node, exp.Ordered) and not node.args["desc"] else node
            if not isinstance(key, exp.Column) or self.value(key).type is SqlType.VARCHAR:
                raise Refused(_described(node))
            found.append(self.value(key))
        return found

    def _item(self, node: exp.Expr) -> Value:
        """Translate a value or an aggregate, for the select list."""
        match node:
            case exp.Count(this=exp.Star()):
                kind = SqlType.BIGINT if _checked(node).args.get("big_int") else SqlType.INT
                return Value(f"CAST(count(*) AS {DUCK_TYPES[kind]})", kind)
            case exp.Sum() | exp.Min() | exp.Max():
                inner = self.value(_checked(node).this)
                if inner.type in (SqlType.VARCHAR, SqlType.DECIMAL):
                    raise Refused(_described(node))
                if not isinstance(node, exp.Sum):
                    return Value(f"{type(node).__name__}({inner.sql})", inner.type)
                # a sum of reals is a float, a sum of ints an int that may overflow
                kind = SqlType.FLOAT if inner.type is SqlType.REAL else inner.type
                argument = inner.as_type(kind) if kind is SqlType.FLOAT else inner.sql
                return Value(f"CAST(sum({argument}) AS {DUCK_TYPES[kind]})", kind)
            case exp.Literal() | exp.Neg():
                raise Refused(f"the column {_described(node)}")
        return self.value(node)

    def value(self, node: exp.Expr) -> Value:
        """Translate a value outside aggregates, or refuse it."""
        match node := _checked(node):
            case exp.Column() if isinstance(node.this, exp.Identifier):
                return self._column(node.name, node.table)
            case exp.Literal(is_string=True):
                quoted = node.name.replace("'", "''")
                return Value(f"'{quoted}'", SqlType.VARCHAR, node.name)
            case exp.Literal():
                return _number(node.name)
            case exp.Neg(this=exp.Literal(is_string=False)):
                inner = self.value(node.this)
                return Value(f"(-{inner.sql})", inner.type, f"-{inner.text}")
            case exp.Paren(this=exp.BitwiseAnd()):
                # only in brackets, because & has the precedence of + in T-SQL, not in the parser
                left, right = (self.value(side) for side in (node.this.left, node.this.right))
                kind = max(left.type, right.type)
                if not {left.type, right.type} <= {SqlType.INT, SqlType.BIGINT}:
                    raise Refused(f"& of anything but int and bigint: {_described(node)}")
                return Value(f"({left.as_type(kind)} & {right.as_type(kind)})", kind)
            case exp.Paren():
                inner = self.value(node.this)
                return Value(f"({inner.sql})", inner.type, inner.text)
            case exp.Add() | exp.Sub():
                left, right = self.value(node.left), self.value(node.right)
                kind = self._common_type(left, right)
                text = SqlType.VARCHAR in (left.type, right.type)
                if text or kind not in (SqlType.REAL, SqlType.FLOAT):
                    raise Refused(f"arithmetic of texts, integers or decimals: {_described(node)}")
                sign = "+" if isinstance(node, exp.Add) else "-"
                return Value(f"({left.as_type(kind)} {sign} {right.as_type(kind)})", kind)
            case exp.Mod():
                left, right = self.value(node.left), self.value(node.right)
                if right.text is None or not right.text.isdigit() or int(right.text) == 0:
                    raise Refused(f"% by anything but a positive number: {_described(node)}")
                if left.type.is_integer:
                    return Value(f"({left.sql} % {right.sql})", max(left.type, right.type))
            case exp.Cast():
                to = {"BIGINT": SqlType.BIGINT, "INT": SqlType.INT}.get(node.to.this.name)
                inner = self.value(node.this)
                if to is not None and inner.type.is_integer and not node.to.expressions:
                    return Value(f"CAST({inner.sql} AS {DUCK_TYPES[to]})", to)
        raise Refused(_described(node))

    def _column(self, name: str, alias: str) -> Value:
        if alias and alias.lower() not in self.tables:
            raise SqlError(f'The multi-part identifier "{alias}.{name}" could not be bound.')
        hits = [
            Value(f'"{key}"."{spelling}"', kind)
            for key, table in self.tables.items()
            if not alias or key == alias.lower()
            for spelling, kind in table.columns.items()
            if spelling.lower() == name.lower()
        ]
        if len(hits) != 1:
            fault = "Ambiguous" if hits else "Invalid"
            raise SqlError(f"{fault} column name '{name}'.")
        return hits[0]

    def _common_type(self, left: Value, right: Value) -> SqlType:
        """Return the type in which two numbers are compared or added."""
        kind = max(left.type, right.type)
        if kind is SqlType.REAL and left.type is not right.type and not self.dialect.sql_server:
            return SqlType.FLOAT
        return kind

    def condition(self, node: exp.Expr) -> str:
        """Translate a condition in WHERE or ON, or refuse it."""
        match node := _checked(node):
            case exp.And():
                return f"({self.condition(node.left)} AND {self.condition(node.right)})"
            case exp.Or():
                return f"({self.condition(node.left)} OR {self.condition(node.right)})"
            case exp.Not():
                return f"(NOT {self.condition(node.this)})"
            case exp.Paren():
                return self.condition(node.this)
            case exp.Between():
                value, low, high = (self.value(node.args[k]) for k in ("this", "low", "high"))
                return f"({self._compare(value, low, '>=')} AND {self._compare(value, high, '<=')})"
            case exp.In() if node.expressions:
                value = self.value(node.this)
                terms = [self._compare(value, self.value(item), "=") for item in node.expressions]
                return f"({' OR '.join(terms)})"
            case exp.Is(expression=exp.Null()):
                return f"({self.value(node.this).sql} IS NULL)"
            case exp.Binary() if type(node) in _SIGNS:
                return self._compare(
                    self.value(node.left), self.value(node.right), _SIGNS[type(node)]
                )
        raise Refused(f"the condition {_described(node)}")

    def _compare(self, left: Value, right: Value, sign: str) -> str:
        texts = [value.type is SqlType.VARCHAR for value in (left, right)]
        if all(texts) and sign in ("=", "<>"):
            if self.dialect.sql_server:
                return f"({left.folded} {sign} {right.folded})"
        elif any(texts):
            kinds = f"{left.type.name} with {right.type.name}"
            raise Refused(f"a comparison of {kinds}: {left.sql} {sign} {right.sql}")
        else:
            kind = self._common_type(left, right)
            if kind in (SqlType.REAL, SqlType.FLOAT):
                return f"({left.as_type(kind)} {sign} {right.as_type(kind)})"
        return f"({left.sql} {sign} {right.sql})"  # integers of any width: exact in DuckDB


def _number(text: str) -> Value:
    if text.isdigit():
        if len(text) > 38:
            raise SqlError(f"The number '{text}' is out of the range for numeric (38 digits).")
        kind = SqlType.INT if int(text) <= INT_MAX else SqlType.NUMERIC
        return Value(str(int(text)), kind, str(int(text)))
    if "e" in text.lower():
        return Value(f"CAST('{float(text)!r}' AS DOUBLE)", SqlType.FLOAT, text)
    return Value(text, SqlType.DECIMAL, text)
