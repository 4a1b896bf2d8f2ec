"""Units: what a file says a column is in, against what the catalogue has.

Nothing is converted without being asked to. A flux never becomes a magnitude here: SDSS magnitudes
are asinh magnitudes, whose softening differs by band, negative fluxes have no other, and the error
of a magnitude needs both columns.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import COLUMNS
from sdssflow.configuration.sources import FileSource

if TYPE_CHECKING:
    from sdssflow.acquire.readers import SourceTable

SPELLINGS = {
    "mag": "mag mags magnitude magnitudes abmag ab_mag mag_ab mag(ab) magab luptitude luptitudes",
    "deg": "deg deg. degs degree degrees °",
    "arcsec": "arcsec arcsecs arcsecond arcseconds asec \" ''",
    "arcmin": "arcmin arcmins arcminute arcminutes amin '",
    "rad": "rad rads radian radians",
    "hourangle": "hourangle h hr hrs hour hours",
    "d": "d day days mjd",
    "": "dimensionless unitless 1 redshift",
}
"""Spellings that are read as a unit, besides all that astropy reads; case and blanks don't count.
``h`` is the hour of angle for an angle, else that of time."""
NOTHING = ("", "-", "--", "---", "none", "null", "n/a", "nan", "unknown")
"""What files write where they state no unit."""
FORMATS = (None, "fits", "vounit", "cds", "ogip")
ANGLES = ("deg", "arcsec")
SIMPLE = 3_600_000

_BY_SPELLING = {word: unit for unit, words in SPELLINGS.items() for word in words.split()}


class Doubt(NamedTuple):
    """Why a column can't be taken, and what to do: `_filled` puts in names and unit."""

    problem: str
    advice: str
    unit: str = ""  # that of the file, as astropy writes it


def parse_unit(text: str, expected: str) -> Any:
    """Read a unit as files spell it.

    Parameters
    ----------
    text : str
        What the file says.
    expected : str
        The catalogue's unit, '' for none: what ``h`` means depends on it.

    Returns
    -------
    astropy.units.UnitBase or None
        None if the text is one of `NOTHING`.

    Raises
    ------
    ValueError
        If no spelling and no format of astropy reads it.

    Examples
    --------
    >>> parse_unit("Degrees", "deg"), parse_unit("AB mag", "mag"), parse_unit("--", "mag")
    (Unit("deg"), Unit("mag"), None)
    """
    from astropy import units

    word = text.strip().casefold()
    if word in NOTHING:
        return None
    word = _BY_SPELLING.get(word.replace(" ", "_"), _BY_SPELLING.get(word.replace(" ", "")))
    if word is not None and not (word == "hourangle" and expected not in ANGLES):
        return units.Unit(word)
    for kind in FORMATS:
        try:
            return units.Unit(text.strip(), format=kind, parse_strict="raise")
        except (ValueError, TypeError, KeyError):
            continue
    raise ValueError(f"{text!r} is no unit that is known")


def unit_factors(source: SourceTable, settings: FileSource) -> dict[str, float]:
    """Return by which number each mapped column has to be multiplied.

    Parameters
    ----------
    source : SourceTable
        The file's columns; a field's unit stands in its metadata under ``unit``.
    settings : FileSource
        `units` and `confirmed`.

    Returns
    -------
    dict of str to float
        Only the columns that `settings.units` asks to convert.

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
        found = _factor(name, about.get(b"unit", b"").decode(), settings)
        if isinstance(found, Doubt):
            doubts.setdefault((found, COLUMNS[name].unit), []).append(name)
        elif found is not None:
            factors[name] = found
    for (doubt, _), names in doubts.items():
        unit = COLUMNS[names[0]].unit or "a plain number"
        more = f" (and so are {', '.join(names[1:])})" if len(names) > 1 else ""
        raise source.error(
            names[0],
            f"{doubt.problem}, the catalogue's {names[0]} is in {unit}{more}",
            _filled(doubt, names, unit),
        )
    return factors


def check_unit(path: str, column: str, name: str, stated: str) -> None:
    """Refuse a column of a file of SDSS itself that states another unit than the catalogue's.

    Parameters
    ----------
    path, column : str
        The file and its column, for the message.
    name : str
        The column's catalogue name; others pass.
    stated : str
        What the file says, '' for nothing.

    Raises
    ------
    CatalogueError
        If the units differ, or the file's is not known.
    """
    if name not in COLUMNS or pa.types.is_string(COLUMNS[name].type):
        return
    expected = COLUMNS[name].unit
    try:
        unit = parse_unit(stated, expected)
    except ValueError:
        unit = stated
    if unit is None or (not isinstance(unit, str) and _equal(unit, expected)):
        return
    raise CatalogueError(
        path,
        f"the file gives it in {stated!r}, {name} is in {expected or 'a plain number'}",
        "Take the file as SDSS offers it. If the unit is wrong, correct TUNIT: astropy's "
        "fits.setval.",
        column=column,
    )


def _factor(name: str, stated: str, settings: FileSource) -> float | Doubt | None:
    """Return the factor of a column, None if it is in the catalogue's unit, or what is wrong."""
    expected, asked = COLUMNS[name].unit, settings.units.get(name)
    confirmed = name in settings.confirmed
    if pa.types.is_string(COLUMNS[name].type) and asked is None:
        return None
    try:
        unit = None if confirmed else parse_unit(stated, expected)
    except ValueError:
        return Doubt(f"the file gives it in {stated!r}, a unit that is not known", _REPAIR)
    if asked is None:
        if unit is None or _equal(unit, expected):
            return None
        return Doubt(f"the file gives it in {stated!r}", _advice(unit, expected), unit.to_string())
    try:
        wanted = parse_unit(asked, expected)
        factor = None if wanted is None else _ratio(wanted, expected)
    except ValueError:
        factor = None
    if factor is None:
        return Doubt(
            f"source.units gives it in {asked!r}, which can't be converted exactly",
            "Take NAMES out of source.units, and convert the column in the file.",
        )
    if unit is not None and not _equal(unit, wanted):
        return Doubt(
            f"source.units gives it in {asked!r}, the file in {stated!r}",
            "Take NAMES out of source.units, or write there what the file says. If the file is "
            "wrong, set source.confirmed: [NAMES].",
        )
    return factor


_REPAIR = (
    "Map another column, or convert it in the file. If the unit is wrong and the column is in "
    "UNIT all the same, set source.confirmed: [NAMES]."
)


def _filled(doubt: Doubt, names: list[str], unit: str) -> str:
    each = ", ".join(f"{name}: {doubt.unit}" for name in names)
    told = doubt.advice.replace("EACH", each).replace("NAMES", ", ".join(names))
    return told.replace("UNIT", unit)


def _advice(unit: Any, expected: str) -> str:
    try:
        _ratio(unit, expected)
    except ValueError:
        return _REPAIR
    return (
        "To have it converted, set source.units: {EACH}. If the unit is "
        "wrong, set source.confirmed: [NAMES]."
    )


def _equal(unit: Any, other: Any) -> bool:
    try:
        return _ratio(unit, other) == 1
    except ValueError:
        return False


def _ratio(unit: Any, other: Any) -> float:
    """Return how many `other` one `unit` is; only between units that differ by a factor."""
    from astropy import units

    other = units.Unit(other)
    if not isinstance(unit, units.UnitBase) or not isinstance(other, units.UnitBase):
        raise ValueError(f"{unit} is logarithmic")
    try:
        ratio = float(unit.to(other))
    except units.UnitConversionError as error:
        raise ValueError(str(error)) from error
    if ratio <= 0:
        raise ValueError(f"{unit} counts the other way")
    # an hour is 15 degrees, not 14.999999999999998
    simple = float(Fraction(ratio).limit_denominator(SIMPLE))
    return simple if math.isclose(simple, ratio, rel_tol=1e-14) else ratio
