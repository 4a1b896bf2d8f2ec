"""Which rows of SDSS a sample asks for, as typed conditions: no SQL is written by hand."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from sdssflow.configuration.sdss_columns import SELECTABLE
from sdssflow.configuration.section import Section

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_ .+-]{1,60}$")]
Bit = Annotated[int, Field(ge=0, le=62)]


class Condition(Section):
    """One condition on one column; a row has to meet all conditions of a selection."""

    column: str
    """A column of the catalogue, or `survey`, `programname`, `legacy_target1`, `boss_target1`."""
    minimum: float | None = None
    """Smallest value, included."""
    maximum: float | None = None
    """Largest value, included."""
    any_of: list[Word] | list[int] | None = Field(default=None, min_length=1)
    """Words (of a text column) or whole numbers of which the column holds one. SkyServer does not
    tell upper from lower case."""
    any_bit: list[Bit] | None = Field(default=None, min_length=1)
    """Bits, counted from 0, of which at least one is set."""
    no_bit: list[Bit] | None = Field(default=None, min_length=1)
    """Bits, counted from 0, of which none is set."""
    dereddened: bool = False
    """Take the Galactic extinction of its band from a magnitude before it is compared."""

    @field_validator("column")
    @classmethod
    def _column_is_known(cls, name: str) -> str:
        if name not in SELECTABLE:
            # people also write the names of SDSS
            known = {column.header.lower(): ours for ours, column in SELECTABLE.items()}
            known |= {ours: ours for ours in SELECTABLE}
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
            hint = f" (did you mean {known[near[0]]!r}?)" if near else ""
            raise ValueError(f"there is no column {name!r}{hint}; docs/skyserver.md lists them")
        return name

    @model_validator(mode="after")
    def _question_fits_the_column(self) -> Condition:
        kind = SELECTABLE[self.column].kind
        ranged = self.minimum is not None or self.maximum is not None
        asked = [ranged, self.any_of is not None, self.any_bit or self.no_bit]
        if sum(map(bool, asked)) != 1:
            raise ValueError(
                f"a condition on {self.column!r} takes minimum and maximum, or any_of, or any_bit "
                "and no_bit"
            )
        if kind == "text" and not (self.any_of and isinstance(self.any_of[0], str)):
            raise ValueError(f"{self.column!r} holds text: write any_of with words")
        if kind != "text" and self.any_of and isinstance(self.any_of[0], str):
            raise ValueError(f"{self.column!r} holds numbers: any_of takes whole numbers")
        if kind == "number" and not ranged:
            raise ValueError(f"{self.column!r} is measured: write minimum and maximum")
        if self.dereddened and "_mag_" not in self.column.replace("_mag_err_", ""):
            raise ValueError(f"dereddened: {self.column!r} is no magnitude")
        return self


def refuse_statements(sql: str | None) -> str | None:
    """Return an SQL condition unless it is more, or other, than one condition.

    Raises
    ------
    ValueError
        For comments, a second statement, another SELECT, or parentheses that don't match.
    """
    if sql is None:
        return None
    for mark in (";", "--", "/*", "#", "\n"):
        if mark in sql:
            raise ValueError(f"{mark!r} has no place in a condition")
    if "select " in f"{sql.lower()} ":
        raise ValueError("SkyServer breaks every further SELECT; write a condition")
    depth = 0
    for character in sql:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
    if depth or sql.count("'") % 2:
        raise ValueError("parentheses or quotes don't match")
    return sql


def canonical_conditions(selection: list[Condition]) -> list[dict[str, Any]]:
    """Return conditions as plain values without those that say nothing."""
    return [condition.model_dump(mode="json", exclude_defaults=True) for condition in selection]
