"""A query of T-SQL as a query of DuckDB, or a loud refusal."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ParseError

from sdssflow.standin.conditions import ConditionTranslator, fold
from sdssflow.standin.dialects import Dialect
from sdssflow.standin.errors import Refused, SqlError
from sdssflow.standin.expressions import ValueTranslator, describe, surplus_arguments
from sdssflow.standin.tokens import check_tokens
from sdssflow.standin.values import Catalog, Scope, SqlType, Table, Value

_CLAUSES = {"expressions", "distinct", "limit", "from_", "joins", "where", "group", "order"}


@dataclass(frozen=True)
class Translation:
    """A query for DuckDB, the names its columns have in SQL Server and its limit of rows."""

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


@dataclass(frozen=True)
class Item:
    """One column of the select list; `alias` is what ORDER BY may call it."""

    value: Value
    name: str
    alias: str = ""


@dataclass(frozen=True)
class Relation:
    """One table of FROM with the word before it and its ON."""

    word: str
    table: Table
    alias: str
    on: exp.Expression | None


def translate(sql: str, catalog: Catalog) -> Translation:
    """Translate one SELECT.

    Parameters
    ----------
    sql : str
        T-SQL as the guard leaves it, or ADQL.
    catalog : Catalog
        The tables there are and the language in which they are asked.

    Raises
    ------
    Refused
        If it holds anything that is not known to translate exactly.
    SqlError
        If SQL Server would refuse it: syntax, unknown names, wrong grouping.
    """
    select = parse(sql, catalog.dialect)
    return QueryTranslator(select, _relations(select, catalog), catalog.dialect).translate()


def parse(sql: str, dialect: Dialect) -> exp.Select:
    """Parse `sql` into a single plain SELECT."""
    check_tokens(sql, dialect)
    try:
        statements = sqlglot.parse(sql, read="tsql")
    except ParseError as error:
        near = (error.errors[0].get("highlight") if error.errors else "") or "select"
        raise SqlError(f"Incorrect syntax near '{near}'.") from error
    if len(statements) != 1 or statements[0] is None:
        raise SqlError("Incorrect syntax near ';'.")
    select = statements[0]
    if not isinstance(select, exp.Select):
        raise Refused(describe(select))
    surplus = surplus_arguments(select, _CLAUSES)
    if surplus:
        raise Refused(f"{', '.join(surplus).upper()} in '{select.sql('tsql')}'")
    return select


def _relations(select: exp.Select, catalog: Catalog) -> list[Relation]:
    """Return the tables of FROM and JOIN."""
    if select.args.get("from_") is None:
        raise Refused("a SELECT without FROM")
    relations: list[Relation] = []
    for node in [select.args["from_"], *select.args.get("joins", [])]:
        named = node.this
        if type(named) is not exp.Table or surplus_arguments(named, {"this", "db", "alias"}):
            raise Refused(describe(named))
        alias_node = named.args.get("alias")
        if alias_node is not None and surplus_arguments(alias_node, {"this"}):
            raise Refused(describe(named))
        alias = named.alias_or_name.lower()
        if alias in {relation.alias for relation in relations}:
            raise SqlError(f"The correlation name '{alias}' is specified multiple times.")
        table = catalog.table(named.name, named.db)
        relations.append(Relation(_join_word(node), table, alias, node.args.get("on")))
    return relations


def _join_word(node: exp.From | exp.Join) -> str:
    if isinstance(node, exp.From):
        return "FROM"
    words = f"{node.side} {node.kind}".upper().strip()
    word = {"": "JOIN", "INNER": "JOIN", "LEFT": "LEFT JOIN", "LEFT OUTER": "LEFT JOIN"}.get(words)
    surplus = surplus_arguments(node, {"this", "on", "side", "kind"})
    if word is None or surplus or node.args.get("on") is None:
        raise Refused(f"the join '{node.sql('tsql').strip()}'")
    return word


class QueryTranslator:
    """Translates the clauses of one SELECT.

    Parameters
    ----------
    select : sqlglot.expressions.Select
        The parsed query.
    relations : list of Relation
        Its tables.
    dialect : Dialect
        The language it is written in.
    """

    def __init__(self, select: exp.Select, relations: list[Relation], dialect: Dialect) -> None:
        self.select = select
        self.dialect = dialect
        self.relations = relations
        self.scope = Scope({relation.alias: relation.table for relation in relations})
        self.values = ValueTranslator(self.scope, dialect)
        self.conditions = ConditionTranslator(self.values, dialect)

    def translate(self) -> Translation:
        """Return the whole query."""
        items = [item for node in self.select.expressions for item in self._items(node)]
        group = self._group()
        order = self._order(items)
        if group or any(value.aggregate for value in [*(item.value for item in items), *order]):
            self._check_grouping([*(item.value for item in items), *order], group)
        columns = ", ".join(
            f"{self._grouped_text(item.value, group)} AS c{k}" for k, item in enumerate(items)
        )
        words = [f"SELECT {self._distinct(items, order)}{columns}", *self._from()]
        if self.select.args.get("where"):
            words.append(f"WHERE {self.conditions.translate(self.select.args['where'].this)}")
        if group:
            keys = (self._group_key(value) for value in group)
            words.append(f"GROUP BY {', '.join(keys)}")
        if order:
            words.append(f"ORDER BY {', '.join(order.values())}")
        return Translation(" ".join(words), _column_names(items), self._limit())

    def _items(self, node: exp.Expression) -> list[Item]:
        if isinstance(node, exp.Star):
            if surplus_arguments(node, set()):
                raise Refused(describe(node))
            return [
                Item(self.scope.column(name, relation.alias), name)
                for relation in self.relations
                for name in relation.table.columns
            ]
        named = isinstance(node, exp.Alias)
        value = self.values.translate(node.this if named else node)
        if value.type in (SqlType.DECIMAL, SqlType.BINARY):
            raise Refused(f"the column {describe(node)}")
        if named:
            return [Item(value, node.alias, node.alias.lower())]
        return [Item(value, node.name if isinstance(node, exp.Column) else "")]

    def _from(self) -> list[str]:
        words = []
        for relation in self.relations:
            table = f'{self.dialect.schema}."{relation.table.name}"'
            words.append(f'{relation.word} {table} AS "{relation.alias}"')
            if relation.on is not None:
                words.append(f"ON {self.conditions.translate(relation.on)}")
        return words

    def _group(self) -> list[Value]:
        group = self.select.args.get("group")
        if group is None:
            return []
        if surplus_arguments(group, {"expressions"}):
            raise Refused(f"'{group.sql('tsql').strip()}'")
        values = [self.values.translate(node) for node in group.expressions]
        if any(value.aggregate or not value.loose for value in values):
            raise SqlError(
                "Each GROUP BY expression must contain at least one column that is not an outer "
                "reference."
            )
        return values

    def _order(self, items: list[Item]) -> dict[Value, str]:
        """Return what is ordered by, each with its DuckDB SQL."""
        aliases = {item.alias: item.value for item in items if item.alias}
        terms: dict[Value, str] = {}
        for node in self.select.args["order"].expressions if self.select.args.get("order") else []:
            key = node.this
            if isinstance(key, exp.Column) and not key.table and key.name.lower() in aliases:
                value = aliases[key.name.lower()]
            else:
                value = self.values.translate(key)
            if value.type is SqlType.VARCHAR or value.text is not None:
                raise Refused(f"ORDER BY of a text or a constant: '{node.sql('tsql')}'")
            descending = bool(node.args.get("desc"))
            nulls = "FIRST" if descending != self.dialect.nulls_least else "LAST"
            terms[value] = f"{value.sql} {'DESC' if descending else 'ASC'} NULLS {nulls}"
        return terms

    def _check_grouping(self, values: list[Value], group: list[Value]) -> None:
        whole = {value.sql for value in group}
        single = {column for value in group if len(value.loose) == 1 for column in value.loose}
        for value in values:
            surplus = sorted(value.loose - {c for c in single if c[0] in whole})
            if value.sql not in whole and surplus:
                raise SqlError(
                    f"Column '{surplus[0][1]}' is invalid in the select list because it is not "
                    "contained in either an aggregate function or the GROUP BY clause."
                )

    def _grouped_text(self, value: Value, group: list[Value]) -> str:
        # texts are grouped without regard to case: any spelling of the group will do
        folded = value.type is SqlType.VARCHAR and self.dialect.folds_text
        if folded and value.sql in {key.sql for key in group}:
            return f"min({value.sql})"
        return value.sql

    def _group_key(self, value: Value) -> str:
        folded = value.type is SqlType.VARCHAR and self.dialect.folds_text
        return fold(value) if folded else value.sql

    def _distinct(self, items: list[Item], order: dict[Value, str]) -> str:
        distinct = self.select.args.get("distinct")
        if distinct is None:
            return ""
        if surplus_arguments(distinct, set()) or any(
            item.value.type is SqlType.VARCHAR for item in items
        ):
            raise Refused("DISTINCT of texts")
        if not set(order) <= {item.value for item in items}:
            raise SqlError(
                "ORDER BY items must appear in the select list if SELECT DISTINCT is specified."
            )
        return "DISTINCT "

    def _limit(self) -> int | None:
        limit = self.select.args.get("limit")
        if limit is None:
            return None
        if type(limit) is not exp.Limit or surplus_arguments(limit, {"expression"}):
            raise Refused("any limit of rows but TOP with a number")
        return int(limit.expression.name)


def _column_names(items: list[Item]) -> list[str]:
    """Name columns as .NET does: Column1 where there is no name, z1 for a second z."""
    names: list[str] = []
    for item in items:
        stem, number = (item.name, 0) if item.name else ("Column", 1)
        name = item.name or "Column1"
        while name.lower() in {other.lower() for other in names}:
            number += 1
            name = f"{stem}{number}"
        names.append(name)
    return names
