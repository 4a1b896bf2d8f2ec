"""The two ways in which SkyServer says no."""

from __future__ import annotations


class SqlError(Exception):
    """An error of the database: HTTP 500 with a JSON body."""


class Refused(SqlError):
    """Valid SQL that the stand-in does not translate, because it might do so wrongly."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"The stand-in SkyServer does not translate this exactly: {construct}.")


class GuardError(Exception):
    """A refusal by the stored procedure: HTTP 200 with a CSV column named error_message."""
