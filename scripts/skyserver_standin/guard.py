"""What SkyServer's stored procedure spExecuteSQL does to a query before the database sees it."""

from __future__ import annotations

import re

from skyserver_standin.sql_types import SqlError

_HEAD = re.compile(r" ?select (?:all |distinct )?(?:top (\S+) )?", re.IGNORECASE)
# the procedure strips comments and puts a '#' into the rest, on purpose: a second statement, a
# stored procedure or an extension, a SELECT that does not open a bracket
_BROKEN = re.compile(r"--|/\*|;|[. ](?:xp|sp|fn|ms|dt)_|(?<!\()(?<!\( )\bselect ", re.IGNORECASE)


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
    SqlError
        If the procedure would break it.

    Examples
    --------
    >>> guard("select ra from SpecObj", 500000)
    'select  top 500000 ra from SpecObj '
    """
    command = re.sub(r"[\r\n\t ]+", " ", f"{command} ")
    head = _HEAD.match(command)
    if head is None:
        raise GuardError(f"error: must be a select statement: {command}")
    if _BROKEN.search(command, len(" select ")):
        raise SqlError("Incorrect syntax near '#'.")
    count = head[1]
    if count is None:
        return f"{command[: head.end()]} top {limit} {command[head.end() :]}"
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= limit):
        raise GuardError(f"error: limit is  top {limit} {command}")
    return command
