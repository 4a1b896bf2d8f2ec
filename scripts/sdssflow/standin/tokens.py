"""The words and signs that are let through to the parser.

sqlglot reads more than T-SQL: `a::bigint`, `a == b`, MOD(a, b) or a comma before FROM would be
answered here while the real server answers with an error.
"""

from __future__ import annotations

from itertools import pairwise

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokens import Token

from sdssflow.standin.dialects import T_SQL, Dialect
from sdssflow.standin.errors import Refused, SqlError

_REFUSED_LATER = frozenset(["/", "^", "~"])  # the translation has the better message
_CLAUSES = frozenset(["from", "where", "group by", "order by"])
# words that may stand before a bracket and are no functions
_BEFORE_BRACKET = frozenset(
    ("select", "distinct", "top", "from", "join", "on", "where", "group by", "order by")
) | frozenset(("and", "or", "not", "in", "between", "like"))


def check_tokens(sql: str, dialect: Dialect = T_SQL) -> None:
    """Raise what the real server answers to signs and words that it does not know.

    Raises
    ------
    SqlError
        If it would be an error there.
    Refused
        If it might be right there.

    Examples
    --------
    >>> check_tokens("select plate::bigint from SpecObj")
    Traceback (most recent call last):
    sdssflow.standin.errors.SqlError: Incorrect syntax near '::'.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="tsql")
    except TokenError as error:
        raise SqlError("Unclosed quotation mark after the character string.") from error
    for token in tokens:
        _check(token, dialect)
    for token, following in pairwise(tokens):
        if token.text == "," and following.text.lower() in _CLAUSES:
            raise SqlError(f"Incorrect syntax near the keyword '{following.text}'.")
        if following.text == "(" and _is_word(token) and token.token_type.name != "IDENTIFIER":
            name = token.text.lower()
            if name not in dialect.functions | _BEFORE_BRACKET:
                raise Refused(f"the function {token.text}()")


def _check(token: Token, dialect: Dialect) -> None:
    kind, text = token.token_type.name, token.text
    if kind in ("STRING", "HEX_STRING", "NUMBER", "IDENTIFIER"):
        return
    if text.lower() == "nulls":
        raise SqlError("Incorrect syntax near 'NULLS'.")
    if kind.endswith("STRING"):
        raise Refused(f"the string {text!r} with a prefix")
    if "#" in text:  # where the guard broke the query
        raise SqlError("Incorrect syntax near '#'.")
    if not _is_word(token) and text not in dialect.signs | _REFUSED_LATER:
        raise SqlError(f"Incorrect syntax near '{text}'.")


def _is_word(token: Token) -> bool:
    return token.text.replace("_", "").replace(" ", "").isalnum() and not token.text[0].isdigit()
