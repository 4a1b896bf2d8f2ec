"""The one catalogue schema: names, types, units and meaning of every column.

SDSS column descriptions follow the SkyServer schema browser (tables PhotoObjAll, SpecObjAll).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

BANDS = ("u", "g", "r", "i", "z")
MAGNITUDES = ("model", "psf", "petro", "cmodel")
CLASSES = ("GALAXY", "QSO", "STAR")
PARTS = ("train", "test")
# What ids contain: lowest bit and number of bits. A specObjID is plate << 50 | fibre << 38 |
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
        Unit, '' if it has none.
    low, high : float or None
        Physically possible range, ends included; None where there is no limit.
    meaning : str
        What the number is.
    """

    type: pa.DataType
    unit: str
    low: float | None
    high: float | None
    meaning: str


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
    return columns


COLUMNS: dict[str, Column] = _columns()


def field(name: str) -> pa.Field:
    """Return the Arrow field of a column, its metadata ``description`` and, if any, ``unit``."""
    column = COLUMNS[name]
    described = {"description": column.meaning}
    if column.unit:
        described["unit"] = column.unit
    return pa.field(name, column.type, metadata=described)


def id_parts(name: str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the ids (n,) of a column, as uint64, contain of other columns: int64, (n,) each.

    Examples
    --------
    >>> parts = id_parts("objid", np.array([1237648720693755918], dtype=np.uint64))
    >>> {name: int(values[0]) for name, values in parts.items()}
    {'rerun': 301, 'run': 756, 'camcol': 2, 'field': 427}
    """
    return {
        part: ((ids >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)
        for part, (shift, bits) in ID_BITS.get(name, {}).items()
    }
