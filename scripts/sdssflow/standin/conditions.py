"""Conditions of T-SQL in DuckDB's words: an allow-list of what translates exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import expressions as exp

from sdssflow.standin.dialects import Dialect
from sdssflow.standin.errors import Refused
from sdssflow.standin.expressions import ValueTranslator, check_arguments, common_type, describe
from sdssflow.standin.values import SqlType, Value

_SIGNS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


class ConditionTranslator:
    """Translates what stands in WHERE and ON.

    Parameters
    ----------
    values : ValueTranslator
        Translates the values in it.
    dialect : Dialect
        Says what is equal to what.
    """

    def __init__(self, values: ValueTranslator, dialect: Dialect) -> None:
        self.values = values
        self.dialect = dialect
        self._rules: dict[type[exp.Expression], Callable[[Any], str]] = {
            exp.And: lambda node: f"({self.translate(node.left)} AND {self.translate(node.right)})",
            exp.Or: lambda node: f"({self.translate(node.left)} OR {self.translate(node.right)})",
            exp.Not: lambda node: f"(NOT {self.translate(node.this)})",
            exp.Paren: lambda node: self.translate(node.this),
            exp.Between: self._between,
            exp.In: self._in,
            exp.Is: self._is_null,
            exp.Like: self._like,
            **dict.fromkeys(_SIGNS, self._comparison),
        }

    def translate(self, node: exp.Expression) -> str:
        """Translate a condition.

        Raises
        ------
        Refused
            If its construct is not on the list.
        """
        rule = self._rules.get(type(node))
        if rule is None:
            raise Refused(f"the condition {describe(node)}")
        check_arguments(node)
        return rule(node)

    def _comparison(self, node: exp.Binary) -> str:
        return self._compare(self._value(node.left), self._value(node.right), _SIGNS[type(node)])

    def _between(self, node: exp.Between) -> str:
        value = self._value(node.this)
        low = self._compare(value, self._value(node.args["low"]), ">=")
        high = self._compare(value, self._value(node.args["high"]), "<=")
        return f"({low} AND {high})"

    def _in(self, node: exp.In) -> str:
        if not node.expressions:
            raise Refused(describe(node))
        value = self._value(node.this)
        terms = [self._compare(value, self._value(item), "=") for item in node.expressions]
        return f"({' OR '.join(terms)})"

    def _is_null(self, node: exp.Is) -> str:
        if not isinstance(node.expression, exp.Null):
            raise Refused(describe(node))
        return f"({self._value(node.this).sql} IS NULL)"

    def _like(self, node: exp.Like) -> str:
        value, pattern = self._value(node.this), self._value(node.expression)
        if value.type is not SqlType.VARCHAR or pattern.text is None:
            raise Refused(describe(node))
        # [ab] is a class in T-SQL and not in DuckDB; blanks at the end count in other ways
        if "[" in pattern.text or pattern.text.endswith(" "):
            raise Refused(describe(node))
        word = "ILIKE" if self.dialect.folds_text else "LIKE"
        negation = "NOT " if node.args.get("negate") else ""
        return f"({value.sql} {negation}{word} {pattern.sql})"

    def _value(self, node: exp.Expression) -> Value:
        value = self.values.translate(node)
        if value.aggregate:
            raise Refused(f"an aggregate in a condition: {describe(node)}")
        return value

    def _compare(self, left: Value, right: Value, sign: str) -> str:
        if left.type is SqlType.VARCHAR and right.type is SqlType.VARCHAR:
            return self._compare_text(left, right, sign)
        kinds = {left.type, right.type}
        if SqlType.VARCHAR in kinds or kinds == {SqlType.BINARY}:
            raise Refused(f"a comparison of {left.type.name} with {right.type.name}")
        kind = common_type(kinds, self.dialect)
        if SqlType.BINARY in kinds and kind not in (SqlType.INT, SqlType.BIGINT):
            raise Refused(f"a comparison of {left.type.name} with {right.type.name}")
        if kind in (SqlType.REAL, SqlType.FLOAT):
            return f"({left.as_type(kind)} {sign} {right.as_type(kind)})"
        return f"({left.sql} {sign} {right.sql})"  # exact in DuckDB whatever the widths

    def _compare_text(self, left: Value, right: Value, sign: str) -> str:
        if sign not in ("=", "<>"):
            raise Refused(f"the order of texts in a collation: {left.sql} {sign} {right.sql}")
        if not self.dialect.folds_text:
            return f"({left.sql} {sign} {right.sql})"
        return f"({fold(left)} {sign} {fold(right)})"


def fold(value: Value) -> str:
    """DuckDB SQL that is equal where SQL Server finds texts equal: case and blanks at the end."""
    if value.text is not None:
        folded = value.text.rstrip(" ").lower().replace("'", "''")
        return f"'{folded}'"
    return f"lower(rtrim({value.sql}, ' '))"
