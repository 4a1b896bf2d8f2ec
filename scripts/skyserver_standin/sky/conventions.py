"""Conventions of the SDSS: columns of two tables, identifiers, bits of the target selection.

Identifiers are fields packed into 64 bits, by the layouts of ``sdss_objid`` and
``sdss_specobjid`` of pydl (BSD), which quote the SDSS glossary:

==================== ===== =========================================================
objID                bits  holds
==================== ===== =========================================================
sky version          59-62 2 in all releases since DR8 (bit 63, the sign, is 0)
rerun                48-58 301 in the tables of the SkyServer
run                  32-47
camcol               29-31 1 to 6
first field          28    1 if the field is the first of its segment
field                16-27
obj                  0-15
==================== ===== =========================================================

==================== ===== =========================================================
specObjID            bits  holds
==================== ===== =========================================================
plate                50-63 so from plate 8192 on the id is above 2^63: unsigned
fiberID              38-49
MJD - 50000          24-37
run2d                10-23 the number, or (N-5)*10000 + M*100 + P of ``vN_M_P``
line or index        0-9   0 for a spectrum
==================== ===== =========================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

BANDS = ("u", "g", "r", "i", "z")
SPECOBJ = pa.schema(
    [
        *(("specObjID", pa.uint64()), ("bestObjID", pa.int64())),
        *((name, pa.int32()) for name in ("plate", "mjd", "fiberID")),
        *((name, pa.string()) for name in ("run2d", "class", "subClass")),
        *(("z", pa.float32()), ("zErr", pa.float32())),
        *(("zWarning", pa.int32()), ("sciencePrimary", pa.int32())),
        *(("ra", pa.float64()), ("dec", pa.float64())),
        *(("survey", pa.string()), ("programname", pa.string())),
        *(("legacy_target1", pa.int64()), ("boss_target1", pa.int64())),
    ]
)
_GRIDS = ("", "err_", "psfMag_", "psfMagErr_", "petroMag_", "petroMagErr_")
PHOTOOBJ = pa.schema(
    [
        ("objID", pa.int64()),
        *((name, pa.int32()) for name in ("run", "rerun", "camcol", "field", "obj")),
        *((name, pa.int32()) for name in ("mode", "type", "clean")),
        *(("ra", pa.float64()), ("dec", pa.float64())),
        *((f"{stem}{band}", pa.float32()) for stem in _GRIDS for band in BANDS),
        *((name, pa.float32()) for name in ("petroRad_r", "petroR50_r", "petroR90_r")),
        *((name, pa.float32()) for name in ("deVAB_r", "expAB_r", "fracDeV_r")),
        *((f"extinction_{band}", pa.float32()) for band in BANDS),
    ]
)

SKY_VERSION, RERUN, FIRST_MJD = 2, 301, 50000
# field: lowest bit, number of bits
OBJID = {
    **{"sky_version": (59, 4), "rerun": (48, 11), "run": (32, 16), "camcol": (29, 3)},
    **{"first_field": (28, 1), "field": (16, 12), "obj": (0, 16)},
}
SPECOBJID = {"plate": (50, 14), "fiberID": (38, 12), "mjd": (24, 14), "run2d": (10, 14)}


# bits of sdssMaskbits.par of idlutils: TARGET, the mask of LEGACY_TARGET1
QSO_HIZ, QSO_CAP, QSO_SKIRT = 1 << 0, 1 << 1, 1 << 2
GALAXY_RED, GALAXY_MAIN = 1 << 5, 1 << 6
STAR_BHB, STAR_RED_DWARF, STAR_WHITE_DWARF = 1 << 13, 1 << 18, 1 << 19
SERENDIP_BLUE, SERENDIP_DISTANT = 1 << 20, 1 << 23
# BOSS_TARGET1
GAL_LOZ, GAL_CMASS, GAL_CMASS_ALL = 1 << 0, 1 << 1, 1 << 7
STD_FSTAR, STD_WD = 1 << 20, 1 << 21
QSO_CORE_MAIN, QSO_BONUS_MAIN = 1 << 40, 1 << 41


def run2d_code(run2d: str) -> int:
    """Return the code of a version of the pipeline in a specObjID.

    >>> run2d_code("26"), run2d_code("v5_13_2")
    (26, 1302)
    """
    if not run2d.startswith("v"):
        return int(run2d)
    major, minor, patch = map(int, run2d[1:].split("_"))
    return (major - 5) * 10000 + minor * 100 + patch


def pack_specobjid(
    plate: np.ndarray, fiber: np.ndarray, mjd: np.ndarray, code: np.ndarray | int
) -> np.ndarray:
    """Pack plates, fibres, nights (MJD) and `run2d_code` into specObjIDs, (n,) uint64.

    Raises ValueError if a number does not fit in its bits.

    >>> int(pack_specobjid(np.array(751), np.array(160), np.array(52251), 26))
    845594848269461504
    """
    night = np.asarray(mjd, dtype=np.int64) - FIRST_MJD
    return _pack(SPECOBJID, plate=plate, fiberID=fiber, mjd=night, run2d=code)


def unpack_specobjid(specobjid: np.ndarray) -> dict[str, np.ndarray]:
    """Plate, fiberID, mjd and run2d code (int64 arrays) of specObjIDs."""
    parts = _unpack(SPECOBJID, specobjid)
    return parts | {"mjd": parts["mjd"] + FIRST_MJD}


def pack_objid(
    run: np.ndarray,
    camcol: np.ndarray,
    field: np.ndarray,
    obj: np.ndarray,
    rerun: int = RERUN,
    first_field: np.ndarray | int = 0,
) -> np.ndarray:
    """Pack into objIDs, (n,) int64; a number that does not fit in its bits is a ValueError."""
    where = {"run": run, "camcol": camcol, "field": field, "obj": obj, "first_field": first_field}
    return _pack(OBJID, sky_version=SKY_VERSION, rerun=rerun, **where).astype(np.int64)


def unpack_objid(objid: np.ndarray) -> dict[str, np.ndarray]:
    """Return the fields of objIDs by the names of `OBJID` (int64 arrays)."""
    return _unpack(OBJID, objid)


def _pack(layout: dict[str, tuple[int, int]], **fields: np.ndarray | int) -> np.ndarray:
    packed: Any = np.uint64(0)
    for name, (shift, width) in layout.items():
        values = np.asarray(fields[name], dtype=np.int64)
        if np.any(values < 0) or np.any(values >> width):
            raise ValueError(f"a value outside 0..{(1 << width) - 1} for the bits from {shift} on")
        packed = packed | (values.astype(np.uint64) << np.uint64(shift))
    return packed


def _unpack(layout: dict[str, tuple[int, int]], packed: np.ndarray) -> dict[str, np.ndarray]:
    packed = np.asarray(packed).astype(np.uint64)
    return {
        name: ((packed >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.int64)
        for name, (shift, width) in layout.items()
    }
