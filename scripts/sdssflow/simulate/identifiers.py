"""Object and spectrum identifiers of the SDSS: fields packed into 64 bits.

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

Both layouts are those of ``sdss_objid`` and ``sdss_specobjid`` of pydl (BSD), which quote the SDSS
glossary.
"""

from __future__ import annotations

import re

import numpy as np

SKY_VERSION = 2
RERUN = 301
FIRST_MJD = 50000
_TAG = re.compile(r"v(\d+)_(\d+)_(\d+)")


def run2d_code(run2d: str) -> int:
    """Return the number that stands for a pipeline version in a specObjID.

    Parameters
    ----------
    run2d : str
        A number (``26``, ``103``, ``104``) or a tag (``v5_13_2``).

    Raises
    ------
    ValueError
        If it is neither, or does not fit in 14 bits.

    Examples
    --------
    >>> run2d_code("26"), run2d_code("v5_13_2")
    (26, 1302)
    """
    tag = _TAG.fullmatch(run2d)
    if tag:
        major, minor, patch = (int(part) for part in tag.groups())
        code = (major - 5) * 10000 + minor * 100 + patch
    elif run2d.isdigit():
        code = int(run2d)
    else:
        raise ValueError(f"run2d {run2d!r} is neither a number nor a tag such as v5_13_2")
    if not 0 <= code < 1 << 14:
        raise ValueError(f"run2d {run2d!r} gives {code}, which does not fit in 14 bits")
    return code


def pack_specobjid(
    plate: np.ndarray, fiber: np.ndarray, mjd: np.ndarray, code: np.ndarray | int
) -> np.ndarray:
    """Pack plates, fibres and nights into specObjIDs.

    Parameters
    ----------
    plate, fiber, mjd : (n,) integer arrays
        Plate number, fibre number, Modified Julian Date of the observation.
    code : (n,) integer array or int
        Pipeline version as a number: see `run2d_code`.

    Returns
    -------
    (n,) array of uint64

    Raises
    ------
    ValueError
        If a number does not fit in its bits.

    Examples
    --------
    >>> int(pack_specobjid(np.array(751), np.array(160), np.array(52251), 26))
    845594848269461504
    """
    night = np.asarray(mjd, dtype=np.int64) - FIRST_MJD
    fields = ((plate, 50, 14), (fiber, 38, 12), (night, 24, 14), (code, 10, 14))
    return _pack(fields)


def unpack_specobjid(specobjid: np.ndarray) -> dict[str, np.ndarray]:
    """Plate, fiberID, mjd and run2d code (int64 arrays) of specObjIDs."""
    packed = np.asarray(specobjid, dtype=np.uint64)
    return {
        "plate": _bits(packed, 50, 14),
        "fiberID": _bits(packed, 38, 12),
        "mjd": _bits(packed, 24, 14) + FIRST_MJD,
        "run2d": _bits(packed, 10, 14),
    }


def pack_objid(
    run: np.ndarray,
    camcol: np.ndarray,
    field: np.ndarray,
    obj: np.ndarray,
    rerun: int = RERUN,
    first_field: np.ndarray | int = 0,
) -> np.ndarray:
    """Pack imaging runs, camera columns, fields and object numbers into objIDs.

    Parameters
    ----------
    run, camcol, field, obj : (n,) integer arrays
        As in the tables of the SkyServer.
    rerun : int
        Version of the imaging reduction.
    first_field : (n,) integer array or int
        1 for objects in the first field of a segment.

    Returns
    -------
    (n,) array of int64

    Raises
    ------
    ValueError
        If a number does not fit in its bits.
    """
    fields = (
        *((SKY_VERSION, 59, 4), (rerun, 48, 11), (run, 32, 16), (camcol, 29, 3)),
        *((first_field, 28, 1), (field, 16, 12), (obj, 0, 16)),
    )
    return _pack(fields).astype(np.int64)


def unpack_objid(objid: np.ndarray) -> dict[str, np.ndarray]:
    """Sky version, rerun, run, camcol, first field, field, obj (int64 arrays) of objIDs."""
    packed = np.asarray(objid).astype(np.uint64)
    return {
        "sky_version": _bits(packed, 59, 4),
        "rerun": _bits(packed, 48, 11),
        "run": _bits(packed, 32, 16),
        "camcol": _bits(packed, 29, 3),
        "first_field": _bits(packed, 28, 1),
        "field": _bits(packed, 16, 12),
        "obj": _bits(packed, 0, 16),
    }


def _pack(fields: tuple[tuple[np.ndarray | int, int, int], ...]) -> np.ndarray:
    packed = np.uint64(0)
    for values, shift, width in fields:
        values = np.asarray(values, dtype=np.int64)
        if np.any(values < 0) or np.any(values >> width):
            raise ValueError(f"a value outside 0..{(1 << width) - 1} for the bits from {shift} on")
        packed = packed | (values.astype(np.uint64) << np.uint64(shift))
    return packed


def _bits(packed: np.ndarray, shift: int, width: int) -> np.ndarray:
    return ((packed >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.int64)
