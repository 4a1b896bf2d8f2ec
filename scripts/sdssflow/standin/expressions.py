"""Values of T-SQL in DuckDB's words: an allow-list of what translates exactly.

Types follow SQL Server's precedence (float, real, decimal, numeric, bigint, int), which decides
in which type two numbers meet: a literal `19.6` is compared with a `real` column as a real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import expressions as exp

from sdssflow.standin.dialects import T_SQL, Dialect
from sdssflow.standin.errors import Refused, SqlError
from sdssflow.standin.values import DUCK_TYPES, Scope, SqlType, Value

INT_MAX = 2**31 - 1
# what a node may carry besides; anything else (DISTINCT, OVER, COLLATE, ...) is refused
ALLOWED_ARGUMENTS: dict[type[exp.Expression], set[str]] = {
    exp.Column: {"this", "table", "db"},
    exp.Literal: {"this", "is_string"},
    exp.HexString: {"this"},
    exp.Cast: {"this", "to"},
    exp.Count: {"this", "big_int"},
    exp.Like: {"this", "expression", "negate"},
    exp.Between: {"this", "low", "high"},
    exp.In: {"this", "expressions"},
    exp.Is: {"this", "expression"},
}


def check_arguments(node: exp.Expression) -> None:
    """Refuse a node that carries more than its translation looks at."""
    surplus = surplus_arguments(node, ALLOWED_ARGUMENTS.get(type(node), {"this", "expression"}))
    if surplus:
        raise Refused(f"{describe(node)} with {', '.join(surplus)}")


def surplus_arguments(node: exp.Expression, allowed: set[str]) -> list[str]:
    """Return what a node carries besides `allowed`."""
    return sorted(key for key, value in node.args.items() if value and key not in allowed)


def describe(node: exp.Expression) -> str:
    """Name a construct and show it, for a refusal."""
    return f"{type(node).__name__.upper()} in '{node.sql('tsql')}'"


class ValueTranslator:
    """Translates the values of one query.

    Parameters
    ----------
    scope : Scope
        The tables that its columns come from.
    dialect : Dialect
        Says in which type numbers meet.
    """

    def __init__(self, scope: Scope, dialect: Dialect = T_SQL) -> None:
        self.scope = scope
        self.dialect = dialect
        self._rules: dict[type[exp.Expression], Callable[[Any], Value]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.HexString: self._hexadecimal,
            exp.Paren: self._bracket,
            exp.Neg: self._negative,
            exp.Add: lambda node: self._arithmetic(node, "+"),
            exp.Sub: lambda node: self._arithmetic(node, "-"),
            exp.Mul: lambda node: self._arithmetic(node, "*"),
            exp.Mod: self._remainder,
            exp.BitwiseAnd: lambda node: self._bits(node, "&"),
            exp.BitwiseOr: lambda node: self._bits(node, "|"),
            exp.Cast: self._cast,
            exp.Count: self._count,
            exp.Sum: self._sum,
            exp.Min: lambda node: self._extreme(node, "min"),
            exp.Max: lambda node: self._extreme(node, "max"),
        }

    def translate(self, node: exp.Expression) -> Value:
        """Translate a value.

        Raises
        ------
        Refused
            If its construct is not on the list.
        SqlError
            If SQL Server would not take it either.
        """
        rule = self._rules.get(type(node))
        if rule is None:
            raise Refused(describe(node))
        check_arguments(node)
        return rule(node)

    def number(self, node: exp.Expression) -> Value:
        """Translate a value that has to be a number."""
        value = self.translate(node)
        if not value.type.is_number:
            raise Refused(f"a number made of {describe(node)}")
        return value

    def integer(self, node: exp.Expression) -> Value:
        """Translate a value that has to be an exact integer."""
        value = self.translate(node)
        if not value.type.is_integer:
            raise Refused(f"an integer made of {describe(node)}")
        return value

    def _column(self, node: exp.Column) -> Value:
        if node.args.get("db") or not isinstance(node.this, exp.Identifier):
            raise Refused(describe(node))
        return self.scope.column(node.name, node.table)

    def _literal(self, node: exp.Literal) -> Value:
        text = node.name
        if node.is_string:
            quoted = text.replace("'", "''")
            return Value(f"'{quoted}'", SqlType.VARCHAR, text)
        if text.isdigit():
            if len(text) > 38:
                raise SqlError(f"The number '{text}' is out of the range for numeric (38 digits).")
            kind = SqlType.INT if int(text) <= INT_MAX else SqlType.NUMERIC
            return Value(str(int(text)), kind, str(int(text)))
        if "e" in text.lower():
            return Value(f"CAST('{float(text)!r}' AS DOUBLE)", SqlType.FLOAT, text)
        return Value(text, SqlType.DECIMAL, text)

    def _hexadecimal(self, node: exp.HexString) -> Value:
        number = int(node.name or "0", 16)
        if number >= 2**63:
            raise Refused(f"the hexadecimal 0x{node.name}, which does not fit a bigint")
        return Value(str(number), SqlType.BINARY, str(number))

    def _bracket(self, node: exp.Paren) -> Value:
        inner = self.translate(node.this)
        return Value(f"({inner.sql})", inner.type, inner.text, inner.loose, inner.aggregate)

    def _negative(self, node: exp.Neg) -> Value:
        inner = self.number(node.this)
        text = f"-{inner.text}" if inner.text and inner.text[0].isdigit() else None
        if inner.text is not None and text is None:
            raise Refused(describe(node))  # -(-3): nobody needs it
        # the ids are unsigned in the files, which have no negative
        wide = inner.type is SqlType.NUMERIC
        sql = f"(-CAST({inner.sql} AS HUGEINT))" if wide else f"(-{inner.sql})"
        return Value(sql, inner.type, text, inner.loose, inner.aggregate)

    def _arithmetic(self, node: exp.Binary, sign: str) -> Value:
        left, right = self.number(node.left), self.number(node.right)
        kind = common_type({left.type, right.type}, self.dialect)
        if kind is SqlType.DECIMAL:
            raise Refused(f"decimal arithmetic in '{node.sql('tsql')}'")
        sql = f"({left.as_type(kind)} {sign} {right.as_type(kind)})"
        if kind is SqlType.NUMERIC:  # the columns are unsigned in the files: no wrap below zero
            sql = f"(CAST({left.sql} AS HUGEINT) {sign} CAST({right.sql} AS HUGEINT))"
        return joined(sql, kind, left, right)

    def _remainder(self, node: exp.Mod) -> Value:
        left, right = self.integer(node.left), self.integer(node.right)
        if right.text is None or int(right.text) <= 0:
            raise Refused(f"% by anything but a positive number in '{node.sql('tsql')}'")
        return joined(f"({left.sql} % {right.sql})", max(left.type, right.type), left, right)

    def _bits(self, node: exp.Binary, sign: str) -> Value:
        # T-SQL gives & and | the precedence of + and -, the parser does not
        for side in (node.left, node.right):
            binary = isinstance(side, exp.Binary) and type(side) is not type(node)
            if binary and not isinstance(side, exp.Mul | exp.Mod):
                raise Refused(f"{sign} beside another sign without brackets: {node.sql('tsql')}")
        left, right = self.translate(node.left), self.translate(node.right)
        kinds = {left.type, right.type}
        if not kinds <= {SqlType.INT, SqlType.BIGINT, SqlType.BINARY} or kinds == {SqlType.BINARY}:
            raise Refused(f"{sign} of anything but int and bigint: {node.sql('tsql')}")
        kind = max(kinds)
        return joined(f"({left.as_type(kind)} {sign} {right.as_type(kind)})", kind, left, right)

    def _cast(self, node: exp.Cast) -> Value:
        target = {"BIGINT": SqlType.BIGINT, "INT": SqlType.INT}.get(node.to.this.name)
        inner = self.translate(node.this)
        if target is None or node.to.expressions or not inner.type.is_integer:
            raise Refused(describe(node))
        sql = f"CAST({inner.sql} AS {DUCK_TYPES[target]})"
        return Value(sql, target, None, inner.loose, inner.aggregate)

    def _count(self, node: exp.Count) -> Value:
        if isinstance(node.this, exp.Star):
            argument = "*"
        elif isinstance(node.this, exp.Column):
            argument = self.translate(node.this).sql
        else:
            raise Refused(describe(node))
        kind = SqlType.BIGINT if node.args.get("big_int") else SqlType.INT
        return Value(f"CAST(count({argument}) AS {DUCK_TYPES[kind]})", kind, aggregate=True)

    def _argument(self, node: exp.AggFunc) -> Value:
        value = self.number(node.this)
        if value.aggregate:
            raise SqlError(
                "Cannot perform an aggregate function on an expression containing an aggregate "
                "or a subquery."
            )
        if value.type is SqlType.DECIMAL:
            raise Refused(describe(node))
        return value

    def _sum(self, node: exp.Sum) -> Value:
        inner = self._argument(node)
        # a sum of reals is a float, a sum of ints an int that may overflow
        kind = SqlType.FLOAT if inner.type is SqlType.REAL else inner.type
        argument = inner.as_type(kind) if kind is SqlType.FLOAT else inner.sql
        return Value(f"CAST(sum({argument}) AS {DUCK_TYPES[kind]})", kind, aggregate=True)

    def _extreme(self, node: exp.Min | exp.Max, function: str) -> Value:
        inner = self._argument(node)
        return Value(f"{function}({inner.sql})", inner.type, aggregate=True)


def common_type(kinds: set[SqlType], dialect: Dialect) -> SqlType:
    """Return the type in which numbers of these types meet."""
    kind = max(kinds)
    if kind is SqlType.REAL and len(kinds) > 1 and not dialect.narrow_reals:
        return SqlType.FLOAT
    return kind


def joined(sql: str, kind: SqlType, left: Value, right: Value) -> Value:
    """Return the value of two operands."""
    return Value(sql, kind, None, left.loose | right.loose, left.aggregate or right.aggregate)
