"""Compare the units stated in files with those of the catalogue.

Columns are converted only on request. Fluxes are never converted to magnitudes: SDSS magnitudes are
asinh magnitudes with a softening that depends on the band, negative fluxes have no other magnitude,
and magnitude errors need both columns.
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
    "Map another column, or convert it in the file. If the stated unit is wrong and the column is "
    "in UNIT, set source.confirmed: [NAMES]."
)
CONVERT = (
    "To convert it, set source.units: {EACH}. If the stated unit is wrong, set source.confirmed: "
    "[NAMES]."
)


class Doubt(NamedTuple):
    """Why a column is refused, and what to do; EACH, NAMES and UNIT are placeholders."""

    problem: str
    advice: str
    unit: str = ""  # of the file, as written by astropy


def unit_factors(source: SourceTable, settings: FileContent) -> dict[str, float]:
    """Return the conversion factors of the columns in `settings.units`.

    Raises
    ------
    CatalogueError
        If a stated unit is neither the catalogue's nor that in `settings.units`; all columns with
        the same problem are named at once.
    """
    for key, named in (("units", settings.units), ("confirmed", settings.confirmed)):
        for name in named:
            if name not in source.columns:
                raise CatalogueError(
                    source.path,
                    f"source.{key} names {name!r}, which source.columns does not map",
                    f"Remove it from source.{key}, or map it: keys are catalogue names, as in "
                    "source.columns.",
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
        unit = source.known[names[0]].unit
        more = f" (likewise {', '.join(names[1:])})" if len(names) > 1 else ""
        each = ", ".join(f"{name}: {doubt.unit}" for name in names)
        advice = doubt.advice.replace("EACH", each).replace("NAMES", ", ".join(names))
        raise source.error(
            names[0],
            f"{doubt.problem}, the catalogue's {names[0]} is "
            f"{f'in {unit}' if unit else 'dimensionless'}{more}",
            advice.replace("in UNIT", f"in {unit}" if unit else "dimensionless"),
        )
    return factors


def _factor(name: str, column: Column, stated: str, settings: FileContent) -> float | Doubt | None:
    """Return the factor of a column, None if it needs no conversion, or what is wrong."""
    expected, asked = column.unit, settings.units.get(name)
    confirmed = name in settings.confirmed
    if pa.types.is_string(column.type) and asked is None:
        return None
    try:
        unit = None if confirmed else parse_unit(stated, expected)
    except ValueError:
        return Doubt(f"the file gives it in {stated!r}, an unknown unit", REPAIR)
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
            "Remove NAMES from source.units, and convert the column in the file.",
        )
    if unit is not None and not equal(unit, wanted):
        return Doubt(
            f"source.units gives it in {asked!r}, the file in {stated!r}",
            "Remove NAMES from source.units, or give the unit of the file. If the file is wrong, "
            "set source.confirmed: [NAMES].",
        )
    return factor
