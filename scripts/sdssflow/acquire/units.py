"""Parse units as files spell them, and compare them with the catalogue's."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import Column

UNIT_WORDS = ("unit", "units", "tunit")
ASTROPY = b"table_meta_yaml"
PANDAS = b"PANDAS_ATTRS"
VOTABLE = b"IVOA.VOTable-Parquet.content"

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
"""Spellings of units besides those that astropy reads; case and blanks are ignored. ``h`` is the
hour angle for angles, else the unit of time."""
NOTHING = ("", "-", "--", "---", "none", "null", "n/a", "nan", "unknown")
"""What files write instead of a unit."""
FORMATS = (None, "fits", "vounit", "cds", "ogip")
ANGLES = ("deg", "arcsec")
SIMPLE = 3_600_000

_BY_SPELLING = {word: unit for unit, words in SPELLINGS.items() for word in words.split()}


def parse_unit(text: str, expected: str) -> Any:
    """Return the astropy unit for a text; None if it is one of `NOTHING`.

    The meaning of ``h`` depends on the `expected` unit. ValueError if neither `SPELLINGS` nor
    astropy knows the text.

    >>> parse_unit("Degrees", "deg"), parse_unit("AB mag", "mag"), parse_unit("--", "mag")
    (Unit("deg"), Unit("mag"), None)
    """
    from astropy import units

    word = text.strip().casefold()
    if word in NOTHING:
        return None
    unit = _BY_SPELLING.get(word.replace(" ", "_"), _BY_SPELLING.get(word.replace(" ", "")))
    if unit is not None and not (unit == "hourangle" and expected not in ANGLES):
        return units.Unit(unit)
    for kind in FORMATS:
        try:
            return units.Unit(text.strip(), format=kind, parse_strict="raise")
        except (ValueError, TypeError, KeyError):
            continue
    raise ValueError(f"unknown unit {text!r}")


def check_unit(
    path: str, column: str, name: str, known: Column | None, stated: str, advice: str
) -> None:
    """Refuse a column of SDSS itself that states a unit other than the catalogue's.

    `path` is its file or service, `name` the column's catalogue name and `known` its description;
    None passes.
    """
    if known is None or pa.types.is_string(known.type):
        return
    expected = known.unit
    try:
        unit = parse_unit(stated, expected)
    except ValueError:
        unit = stated
    if unit is None or (not isinstance(unit, str) and equal(unit, expected)):
        return
    catalogue_unit = f"in {expected}" if expected else "dimensionless"
    raise CatalogueError(
        path,
        f"its unit is {stated!r}, {name} is {catalogue_unit}",
        advice,
        column=column,
    )


def equal(unit: Any, other: Any) -> bool:
    """Return whether two units are the same."""
    try:
        return ratio(unit, other) == 1
    except ValueError:
        return False


def ratio(unit: Any, other: Any) -> float:
    """Return `unit` in units of `other`; ValueError unless they differ by a factor."""
    from astropy import units

    other = units.Unit(other)
    if not isinstance(unit, units.UnitBase) or not isinstance(other, units.UnitBase):
        raise ValueError(f"{unit} is logarithmic")
    try:
        found = float(unit.to(other))
    except units.UnitConversionError as error:
        raise ValueError(str(error)) from error
    if found <= 0:
        raise ValueError(f"{unit} has the opposite sign")
    # 1 hour is 15 degrees, not 14.999999999999998
    simple = float(Fraction(found).limit_denominator(SIMPLE))
    return simple if math.isclose(simple, found, rel_tol=1e-14) else found


def stated_unit(attributes: Mapping[Any, Any]) -> str | None:
    """Return the unit among the attributes of a column, under any of the usual names.

    Examples
    --------
    >>> stated_unit({"description": "model magnitude", "UNIT": "mag"})
    'mag'
    """
    for name, value in attributes.items():
        if as_word(name).rpartition(":")[2].rpartition(".")[2].lower() in UNIT_WORDS:
            return as_word(value)
    return None


def as_word(value: Any) -> str:
    """Convert bytes, NumPy scalars and arrays of one element to text."""
    value = getattr(value, "tolist", lambda: value)()
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def units_of_schema(schema: pa.Schema) -> dict[str, str]:
    """Return the units that a Parquet file states for its columns.

    Sources are the metadata of the fields, those of astropy and pandas (``df.attrs["units"]``), and
    the VOTable header of the IVOA convention.
    """
    about = schema.metadata or {}
    found: dict[str, str] = {}
    if VOTABLE in about:
        found |= _of_votable(about[VOTABLE])
    if PANDAS in about:
        attributes = json.loads(about[PANDAS])
        units = next((attributes[word] for word in attributes if word.lower() in UNIT_WORDS), None)
        if isinstance(units, dict):
            found |= {name: str(unit) for name, unit in units.items() if unit}
    if ASTROPY in about:
        found |= units_of_yaml(about[ASTROPY].decode("utf-8", "replace").splitlines())
    for field in schema:
        unit = stated_unit(field.metadata or {})
        if unit:
            found[field.name] = unit
    return found


def units_of_yaml(lines: Iterable[str]) -> dict[str, str]:
    """Return the units in the YAML header that astropy adds to a table."""
    from astropy.table.meta import get_header_from_yaml

    described = get_header_from_yaml(list(lines))["datatype"]
    return {column["name"]: str(column["unit"]) for column in described if column.get("unit")}


def _of_votable(xml: bytes) -> dict[str, str]:
    from astropy.io.votable import parse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = parse(io.BytesIO(xml)).get_first_table().fields
    return {field.name: unit for field in fields if (unit := votable_unit(field))}


def votable_unit(field: Any) -> str:
    """Return the unit of a FIELD of astropy as text, '' without one."""
    if field.unit is None:
        return ""
    return field.unit if isinstance(field.unit, str) else field.unit.to_string()
