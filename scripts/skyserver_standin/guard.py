"""What SkyServer's stored procedure spExecuteSQL does to a query before the database sees it."""

from __future__ import annotations

import re

# anything that starts like a stored procedure or an extension: '#' breaks it on purpose
_FORBIDDEN = re.compile(r"[. ](xp|sp|fn|ms|dt)_", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LOOK_AHEAD = 100


class GuardError(Exception):
    """A refusal by the stored procedure: HTTP 200 with a CSV column named error_message."""


def guard(command: str, limit: int) -> str:
    """Return the text that is executed in place of `command`.

    Parameters
    ----------
    command : str
        The query as it came.
    limit : int
        The greatest number of rows; it is put in as TOP where the query has none.

    Raises
    ------
    GuardError
        If it is no SELECT, or its TOP is not a number from 1 to `limit`.

    Examples
    --------
    >>> guard("select ra from SpecObj", 500000)
    'select  top 500000 ra from SpecObj '
    >>> guard("select top 5 ra from SpecObj; drop table SpecObj", 500000)
    'select top 5 ra from SpecObj# drop table SpecObj '
    """
    command = _discard(_COMMENT.sub("", command) + " ")
    if not command.lower().lstrip(" ").startswith("select "):
        raise GuardError(f"error: must be a select statement: {command}")
    return _break_further_selects(_limit_rows(command, limit))


def _discard(command: str) -> str:
    """Blank line ends and tabs, squeeze blanks, break semicolons and procedures."""
    before = None
    while before != command:  # one replacement may bring about the next
        before = command
        command = _FORBIDDEN.sub("#", command)
        command = re.sub(r"[\r\n\t]", " ", command)
        command = re.sub(r" {2,}", " ", command)
        command = command.replace(" ; ", "#").replace(";", "#")
    return command


def _limit_rows(command: str, limit: int) -> str:
    """Add TOP where there is none, and check it where there is one."""
    lower = command.lower()
    at = lower.index("select ") + len("select ")
    for word in ("all ", "distinct "):
        if lower[at : at + _LOOK_AHEAD].lstrip(" ").startswith(word):
            at = lower.index(word) + len(word)
    if not lower[at : at + _LOOK_AHEAD].lstrip(" ").startswith("top "):
        return f"{command[:at]} top {limit} {command[at:]}"
    count = lower[lower.index("top ") + len("top ") :].lstrip(" ").split(" ")[0]
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= limit):
        raise GuardError(f"error: limit is  top {limit} {command}")
    return command


def _break_further_selects(command: str) -> str:
    """Put '#' before each SELECT but the first that does not open a bracket: no UNION."""
    lower = command.lower()
    at = lower.find("select ", lower.index("select ") + 1)
    while at > 0:
        if command[at - 1] != "(" and command[at - 2 : at] != "( ":
            command = f"{command[: at - 1]}#{command[at:]}"
        at = lower.find("select ", at + 1)
    return command
