"""The error of every source of rows: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

REPAIR = "The file may be cut short or of another format; fetch it again or set source.format."


class CatalogueError(ValueError):
    """A file that can't become a catalogue as it stands: where, what is wrong, and what to do.

    Rows are counted from 0, as `row_id` is, lines of a text file from 1.

    >>> print(CatalogueError("a.csv", "'x' is no number", "Correct it.", column="ra", row=0))
    a.csv: column 'ra', row 0: 'x' is no number. Correct it.
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
        self.present: list[str] = []  # columns of the file, if one that it lacks was asked for

    def about(self, path: str) -> CatalogueError:
        """Return the same error about the file that `self.path` is a temporary copy of."""
        error = CatalogueError(path, "", "")
        error.args = (str(self).replace(self.path, path),)
        error.present = self.present
        return error


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'X'?)"`` for the known name most like `name`, or ''.

    Upper and lower case count as equal.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[found[0]]!r}?)" if found else ""


def unknown_column(
    path: str, name: str, present: Iterable[str], others: Mapping[str, Iterable[str]] | None = None
) -> CatalogueError:
    """Return the error for a column that `source.columns` names and the file does not have.

    `others` holds the columns of the file's other tables, by what `source.table` calls them.
    """
    present = list(present)
    shown = ", ".join(present[:40]) + (", ..." if len(present) > 40 else "")
    having = [table for table, columns in (others or {}).items() if name in columns]
    if having:
        advice = f"Another table of the file has it: set source.table to {' or '.join(having)}."
        error = CatalogueError(path, f"the table that is read has no column {name!r}", advice)
        error.present = present
        return error
    advice = f"Correct the name in source.columns. The file has: {shown}."
    if others:
        advice += f" It also holds other tables (source.table): {', '.join(others)}."
    error = CatalogueError(path, f"the file has no column {name!r}{nearest(name, present)}", advice)
    error.present = present
    return error
