"""Errors of sources of rows: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

REPAIR = "It may be truncated or in another format; fetch it again or set source.format."


class CatalogueError(ValueError):
    """A file that can't be read into a catalogue: where, what is wrong, and what to do.

    Rows are counted from 0, like `row_id`; lines of a text file from 1.

    >>> print(CatalogueError("a.csv", "'x' is not a number", "Correct it.", column="ra", row=0))
    a.csv: column 'ra', row 0: 'x' is not a number. Correct it.
    """

    def __init__(
        self,
        path: str,
        problem: str,
        advice: str,
        *,
        column: str | None = None,
        row: int | None = None,
        line: int | None = None,
    ) -> None:
        place = []
        if column is not None:
            place.append(f"column {column!r}")
        if row is not None:
            place.append(f"row {row}" + (f" (line {line})" if line is not None else ""))
        elif line is not None:
            place.append(f"line {line}")
        where = f"{path}: " + (", ".join(place) + ": " if place else "")
        super().__init__(f"{where}{problem}. {advice}")
        self.path = path
        self.present: list[str] = []  # columns of the file, if it lacks a requested one

    def about(self, path: str) -> CatalogueError:
        """Return the same error for `path`, of which `self.path` is a temporary copy."""
        error = CatalogueError(path, "", "")
        error.args = (str(self).replace(self.path, path),)
        error.present = self.present
        return error


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'X'?)"`` for the closest known name in any case, or ''."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[found[0]]!r}?)" if found else ""


def unknown_column(
    path: str, name: str, present: Iterable[str], others: Mapping[str, Iterable[str]] | None = None
) -> CatalogueError:
    """Return the error for a column in `source.columns` that the file does not have.

    `others` maps the file's other tables, as named in `source.table`, to their columns.
    """
    present = list(present)
    shown = ", ".join(present[:40]) + (", ..." if len(present) > 40 else "")
    having = [table for table, columns in (others or {}).items() if name in columns]
    if having:
        advice = f"Another table of the file has it: set source.table to {' or '.join(having)}."
        error = CatalogueError(path, f"the selected table has no column {name!r}", advice)
        error.present = present
        return error
    advice = f"Correct the name in source.columns. The file has: {shown}."
    if others:
        advice += f" It also holds these tables (source.table): {', '.join(others)}."
    error = CatalogueError(path, f"the file has no column {name!r}{nearest(name, present)}", advice)
    error.present = present
    return error
