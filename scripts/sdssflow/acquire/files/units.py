"""Units that files state against those that the catalogue has.

Nothing is converted without being asked to. A flux never becomes a magnitude here: SDSS magnitudes
are asinh magnitudes, whose softening differs by band, negative fluxes have no other, and the error
of a magnitude needs both columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import Column
from sdssflow.acquire.units import equal, parse_unit, ratio
from sdssflow.configuration.file_sources import FileContent

if TYPE_CHECKING:
    from sdssflow.acquire.files.readers import SourceTable

REPAIR = (
    "Map another column, or convert it in the file. If the unit is wrong and the column is in "
    "UNIT all the same, set source.confirmed: [NAMES]."
)
CONVERT = (
    "To have it converted, set source.units: {EACH}. If the unit is wrong, set source.confirmed: "
    "[NAMES]."
)


class Doubt(NamedTuple):
    """Why a column can't be taken, and what to do; EACH, NAMES and UNIT are filled in."""

    problem: str
    advice: str
    unit: str = ""  # that of the file, as astropy writes it


def unit_factors(source: SourceTable, settings: FileContent) -> dict[str, float]:
    """Return the number by which each column that `settings.units` asks to convert is multiplied.

    Raises
    ------
    CatalogueError
        If a stated unit is not the catalogue's or not the one that `settings.units` names; all
        columns with the same trouble are named at once.
    """
    for key, named in (("units", settings.units), ("confirmed", settings.confirmed)):
        for name in named:
            if name not in source.columns:
                raise CatalogueError(
                    source.path,
                    f"source.{key} names {name!r}, which source.columns does not map",
                    f"Take it out of source.{key}, or map it: its names are those of the "
                    "catalogue, left in source.columns.",
                )
    factors: dict[str, float] = {}
    doubts: dict[tuple[Doubt, str], list[str]] = {}
    for name in source.columns:
        about = source.table.schema.field(name).metadata or {}
        column = source.known[name]
        found = _factor(name, column, about.get(b"unit", b"").decode(), settings)
        if isinstance(found, Doubt):
            doubts.setdefault((found, column.unit), []).append(name)
        elif found is not None:
            factors[name] = found
    for (doubt, _), names in doubts.items():
        unit = source.known[names[0]].unit or "a plain number"
        more = f" (and so are {', '.join(names[1:])})" if len(names) > 1 else ""
        each = ", ".join(f"{name}: {doubt.unit}" for name in names)
        advice = doubt.advice.replace("EACH", each).replace("NAMES", ", ".join(names))
        raise source.error(
            names[0],
            f"{doubt.problem}, the catalogue's {names[0]} is in {unit}{more}",
            advice.replace("UNIT", unit),
        )
    return factors


def _factor(name: str, column: Column, stated: str, settings: FileContent) -> float | Doubt | None:
    """Return the factor of a column, None if it is in the catalogue's unit, or what is wrong."""
    expected, asked = column.unit, settings.units.get(name)
    confirmed = name in settings.confirmed
    if pa.types.is_string(column.type) and asked is None:
        return None
    try:
        unit = None if confirmed else parse_unit(stated, expected)
    except ValueError:
        return Doubt(f"the file gives it in {stated!r}, a unit that is not known", REPAIR)
    if asked is None:
        if unit is None or equal(unit, expected):
            return None
        try:
            ratio(unit, expected)
            advice = CONVERT
        except ValueError:
            advice = REPAIR
        return Doubt(f"the file gives it in {stated!r}", advice, unit.to_string())
    try:
        wanted = parse_unit(asked, expected)
        factor = None if wanted is None else ratio(wanted, expected)
    except ValueError:
        factor = None
    if factor is None:
        return Doubt(
            f"source.units gives it in {asked!r}, which can't be converted exactly",
            "Take NAMES out of source.units, and convert the column in the file.",
        )
    if unit is not None and not equal(unit, wanted):
        return Doubt(
            f"source.units gives it in {asked!r}, the file in {stated!r}",
            "Take NAMES out of source.units, or write there what the file says. If the file is "
            "wrong, set source.confirmed: [NAMES].",
        )
    return factor
