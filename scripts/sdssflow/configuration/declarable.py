"""Which columns can be declared: none that the catalogue has, and none that is the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sdssflow.configuration.declared import Declared
from sdssflow.configuration.leaks import leak_of
from sdssflow.configuration.selection import SELECTABLE


def check_declared(
    declared: Mapping[str, Declared], there: Iterable[str], read_from: Mapping[str, str]
) -> None:
    """Refuse what can't be declared.

    That is a column that the catalogue knows, one that is the truth by its name or by the one it is
    `read_from`, and a limit by a column that is not `there`.
    """
    for name, column in declared.items():
        if name in {*SELECTABLE, "row_id", "published_part"}:
            raise ValueError(f"declared: {name!r} is a column of the catalogue already")
        for word in (name, read_from.get(name, "")):
            if reason := leak_of(word):
                raise ValueError(
                    f"declared: {name!r} is refused, {word!r} can't be a feature: {reason}"
                )
        if column.limit_without not in (None, *there):
            raise ValueError(
                f"declared.{name}.limit_without: {column.limit_without!r} is not among the columns"
            )


def check_mapped(
    declared: Mapping[str, Declared], columns: Mapping[str, str], confirmed: Collection[str]
) -> None:
    """Refuse a declared column that `columns` does not map, or by `check_declared`."""
    for name in declared:
        if name not in columns:
            raise ValueError(f"declared: columns does not map {name!r}; say there which it is")
    unsure = {name: its for name, its in columns.items() if name not in confirmed}
    check_declared(declared, columns, unsure)
