"""The catalogue schema: names, types, units and meanings of all columns.

SDSS column descriptions follow the SkyServer schema browser (tables PhotoObjAll, SpecObjAll).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sdssflow.bands import BANDS
from sdssflow.configuration.declared import SHIPPED, Declared

MAGNITUDES = ("model", "psf", "petro", "cmodel")
CLASSES = ("GALAXY", "QSO", "STAR")
PARTS = ("train", "test")
# Bit fields of ids: lowest bit and number of bits. A specObjID is plate << 50 | fibre << 38 |
# (mjd - 50000) << 24 | run2d << 10, an objID sky version << 59 | rerun << 48 | run << 32 |
# camcol << 29 | first field << 28 | field << 16 | number (https://www.sdss.org/dr17/help/glossary/)
ID_BITS = {
    "specobjid": {"plate": (50, 14), "fiberid": (38, 12)},
    "objid": {"rerun": (48, 11), "run": (32, 16), "camcol": (29, 3), "field": (16, 12)},
}
PLATE_SHIFT = ID_BITS["specobjid"]["plate"][0]


class Column(NamedTuple):
    """One column of a catalogue.

    Attributes
    ----------
    type : pyarrow.DataType
        Type on disk.
    unit : str
        Unit, '' if dimensionless.
    low, high : float or None
        Physically possible range, inclusive; None where unlimited.
    meaning : str
        Description.
    missing : {'', 'not_observed', 'not_detected'}
        Meaning of a missing value, for columns beyond ugriz.
    limit_without : str
        Column whose absence makes the number an upper or lower limit; '' if there is none.
    """

    type: pa.DataType
    unit: str
    low: float | None
    high: float | None
    meaning: str
    missing: str = ""
    limit_without: str = ""

    @classmethod
    def of(cls, declared: Declared, kind: pa.DataType | None = None) -> Column:
        """Return the catalogue column for a declared one."""
        return cls(
            kind or pa.float64(),
            declared.unit,
            declared.minimum,
            declared.maximum,
            declared.meaning,
            declared.missing,
            declared.limit_without or "",
        )


def _columns() -> dict[str, Column]:
    columns = {
        "row_id": Column(pa.int64(), "", 0, None, "position of the row in its source"),
        "objid": Column(pa.int64(), "", 1, None, "photometric object id"),
        "specobjid": Column(pa.uint64(), "", 1, None, "spectroscopic object id"),
        "ra": Column(pa.float64(), "deg", 0, 360, "right ascension, ICRS"),
        "dec": Column(pa.float64(), "deg", -90, 90, "declination, ICRS"),
        "run": Column(pa.int32(), "", 0, None, "imaging run"),
        "rerun": Column(pa.int32(), "", 0, None, "processing of the run"),
        "camcol": Column(pa.int32(), "", 1, 6, "camera column"),
        "field": Column(pa.int32(), "", 0, None, "field of the run"),
        "plate": Column(pa.int32(), "", 0, None, "spectroscopic plate"),
        "mjd": Column(pa.int32(), "d", 40000, 80000, "modified Julian date of the spectrum"),
        "fiberid": Column(pa.int32(), "", 1, 1000, "fibre on the plate"),
        "spec_class": Column(pa.string(), "", None, None, "spectroscopic class"),
        "zspec": Column(pa.float64(), "", -0.1, 10, "spectroscopic redshift"),
        "zspec_err": Column(pa.float64(), "", 0, None, "its error"),
        "z_warning": Column(
            pa.int32(), "", 0, None, "bits of the spectroscopic pipeline's warning"
        ),
        "spec_subclass": Column(pa.string(), "", None, None, "spectroscopic subclass"),
        "science_primary": Column(pa.int32(), "", 0, 1, "1 for the best spectrum of its object"),
        "photo_type": Column(pa.int32(), "", 0, 9, "3 extended, 6 point-like on the image"),
        "clean": Column(pa.int32(), "", 0, 1, "1 for photometry without known trouble"),
        "mode": Column(pa.int32(), "", 1, 5, "1 primary, 2 secondary, 3 family of the imaging"),
    }
    for kind in MAGNITUDES:
        for band in BANDS:
            columns[f"{kind}_mag_{band}"] = Column(
                pa.float32(), "mag", 5, 35, f"{kind} magnitude in {band}"
            )
        for band in BANDS:
            columns[f"{kind}_mag_err_{band}"] = Column(
                pa.float32(), "mag", 0, 100, f"its error in {band}"
            )
    for band in BANDS:
        columns[f"extinction_{band}"] = Column(
            pa.float32(), "mag", 0, 30, f"Galactic extinction in {band}"
        )
    columns["petro_rad_r"] = Column(pa.float32(), "arcsec", 0, 1000, "Petrosian radius in r")
    columns["petro_r50_r"] = Column(
        pa.float32(), "arcsec", 0, 1000, "radius of half the Petrosian flux in r"
    )
    columns["published_part"] = Column(pa.string(), "", None, None, "part of the published split")
    # Photoz has no NULL: failed fits are -9999 (schema browser, DR17)
    columns |= {
        "sdss_photoz": Column(pa.float32(), "", -1, 10, "redshift of SDSS's own table Photoz"),
        "sdss_photoz_err": Column(pa.float32(), "", 0, 10, "its error; none where its fit failed"),
        "sdss_photoz_neighbours": Column(
            pa.int32(), "", 0, 100, "nearest neighbours that it was fitted to, at most 100"
        ),
        "sdss_photoz_error_class": Column(
            pa.int32(), "", -7, 7, "1: its error is reliable; negative: extrapolated"
        ),
    }
    columns["wise_id"] = Column(pa.int64(), "", 1, None, "WISE source that is the object, cntr")
    columns |= {name: Column.of(one, pa.float32()) for name, one in SHIPPED.items()}
    return columns


COLUMNS: dict[str, Column] = _columns()


def columns_of(declared: Mapping[str, Declared]) -> dict[str, Column]:
    """Return all columns of a source: those of the schema and those it declares."""
    return COLUMNS | {name: Column.of(one) for name, one in declared.items()}


def field(name: str, known: Mapping[str, Column] = COLUMNS) -> pa.Field:
    """Return the Arrow field of a column, with its description in the metadata.

    Keys are ``description`` and, if any, ``unit``; for columns beyond ugriz also ``missing`` and,
    if any, ``limit_without``, ``minimum`` and ``maximum``.
    """
    column = known[name]
    described = {"description": column.meaning}
    if column.missing:
        described["missing"] = column.missing
        limits = {"minimum": column.low, "maximum": column.high}
        described |= {key: repr(value) for key, value in limits.items() if value is not None}
    described |= {
        key: value
        for key, value in (("unit", column.unit), ("limit_without", column.limit_without))
        if value
    }
    return pa.field(name, column.type, metadata=described)


def column_of(found: pa.Field) -> Column | None:
    """Return the description of a catalogue column from the schema or its field's metadata.

    None if neither has one.
    """
    about = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
    if found.name in COLUMNS or "missing" not in about:
        return COLUMNS.get(found.name)
    low, high = (float(about[key]) if key in about else None for key in ("minimum", "maximum"))
    texts = (about.get(key, "") for key in ("description", "missing", "limit_without"))
    return Column(found.type, about.get("unit", ""), low, high, *texts)


def known_column(found: pa.Field) -> Column:
    """Return the result of `column_of`; ValueError instead of None."""
    column = column_of(found)
    if column is None:
        raise ValueError(f"column {found.name!r} is unknown, and its field has no description")
    return column


def declaration(found: pa.Field) -> dict[str, object]:
    """Return the declaration of a column, as in `source.declared`, from its field."""
    about = known_column(found)
    return {
        "unit": about.unit,
        "minimum": about.low,
        "maximum": about.high,
        "missing": about.missing,
        "limit_without": about.limit_without or None,
        "meaning": about.meaning,
    }


def id_parts(name: str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns encoded in ids, (n,) uint64: int64 arrays of shape (n,).

    >>> parts = id_parts("objid", np.array([1237648720693755918], dtype=np.uint64))
    >>> {name: int(values[0]) for name, values in parts.items()}
    {'rerun': 301, 'run': 756, 'camcol': 2, 'field': 427}
    """
    return {
        part: ((ids >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)
        for part, (shift, bits) in ID_BITS.get(name, {}).items()
    }
