"""Units that tables carry in metadata: those of Arrow fields, of astropy's YAML, of a VOTable."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

UNIT_WORDS = ("unit", "units", "tunit")
ASTROPY = b"table_meta_yaml"
PANDAS = b"PANDAS_ATTRS"
VOTABLE = b"IVOA.VOTable-Parquet.content"


def stated_unit(attributes: Mapping[Any, Any]) -> str | None:
    """Return the unit among the attributes of a column, under whichever of the usual names.

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
    """Return bytes, NumPy scalars and arrays of one as text."""
    value = getattr(value, "tolist", lambda: value)()
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def units_of_schema(schema: pa.Schema) -> dict[str, str]:
    """Return what a Parquet file says of the units of its columns.

    Looked for in the metadata of the fields, in what astropy and pandas write beside them
    (``df.attrs["units"]``), and in the VOTable of a file of the IVOA's kind.
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
    """Return the units in the header that astropy writes beside a table."""
    from astropy.table.meta import get_header_from_yaml

    described = get_header_from_yaml(list(lines))["datatype"]
    return {column["name"]: str(column["unit"]) for column in described if column.get("unit")}


def _of_votable(xml: bytes) -> dict[str, str]:
    from astropy.io.votable import parse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = parse(io.BytesIO(xml)).get_first_table().fields
    return {
        field.name: field.unit if isinstance(field.unit, str) else field.unit.to_string()
        for field in fields
        if field.unit is not None
    }
