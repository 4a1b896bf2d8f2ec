"""What differs between the T-SQL of SkyServer and the ADQL of a TAP mirror.

Both are read by the same parser and translated by the same allow-list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """Rules of one query language.

    Attributes
    ----------
    schema : str
        Where the tables are.
    schema_may_be_left_out : bool
        Whether a bare table name is looked up there.
    folds_text : bool
        Whether texts are equal whatever their case and the blanks at their end.
    narrow_reals : bool
        Whether a `real` meets a literal as a real (SQL Server: real takes precedence over decimal)
        or as a double (PostgreSQL, on which the mirrors run).
    nulls_least : bool
        Whether a NULL is ordered before all values or after them.
    functions : frozenset of str
        The functions that are let through.
    signs : frozenset of str
        The signs that are let through to the parser.
    """

    schema: str
    schema_may_be_left_out: bool
    folds_text: bool
    narrow_reals: bool
    nulls_least: bool
    functions: frozenset[str]
    signs: frozenset[str]


_COMMON_FUNCTIONS = frozenset({"count", "sum", "min", "max"})
_COMMON_SIGNS = frozenset([",", ".", "(", ")", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*"])

T_SQL = Dialect(
    schema="dbo",
    schema_may_be_left_out=True,
    folds_text=True,
    narrow_reals=True,
    nulls_least=True,
    functions=_COMMON_FUNCTIONS | {"count_big", "cast"},
    signs=_COMMON_SIGNS | {"%", "&", "|", "!="},
)
ADQL = Dialect(
    schema="sdss_dr17",
    schema_may_be_left_out=False,
    folds_text=False,
    narrow_reals=False,
    nulls_least=False,
    functions=_COMMON_FUNCTIONS | {"mod"},
    signs=_COMMON_SIGNS,
)
