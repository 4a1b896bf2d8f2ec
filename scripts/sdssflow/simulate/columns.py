"""The columns of the two tables, named as in the SkyServer (DR17)."""

from __future__ import annotations

import pyarrow as pa

BANDS = ("u", "g", "r", "i", "z")

SPECOBJ = pa.schema(
    [
        ("specObjID", pa.uint64()),
        ("bestObjID", pa.int64()),
        ("plate", pa.int32()),
        ("mjd", pa.int32()),
        ("fiberID", pa.int32()),
        ("run2d", pa.string()),
        ("class", pa.string()),
        ("subClass", pa.string()),
        ("z", pa.float32()),
        ("zErr", pa.float32()),
        ("zWarning", pa.int32()),
        ("sciencePrimary", pa.int32()),
        ("ra", pa.float64()),
        ("dec", pa.float64()),
        ("survey", pa.string()),
        ("programname", pa.string()),
        ("legacy_target1", pa.int64()),
        ("boss_target1", pa.int64()),
    ]
)

PHOTOOBJ = pa.schema(
    [
        ("objID", pa.int64()),
        *((name, pa.int32()) for name in ("run", "rerun", "camcol", "field", "obj")),
        *((name, pa.int32()) for name in ("mode", "type", "clean")),
        ("ra", pa.float64()),
        ("dec", pa.float64()),
        *((band, pa.float32()) for band in BANDS),
        *((f"err_{band}", pa.float32()) for band in BANDS),
        *((f"psfMag_{band}", pa.float32()) for band in BANDS),
        *((f"psfMagErr_{band}", pa.float32()) for band in BANDS),
        *((f"petroMag_{band}", pa.float32()) for band in BANDS),
        *((f"petroMagErr_{band}", pa.float32()) for band in BANDS),
        ("petroRad_r", pa.float32()),
        ("petroR50_r", pa.float32()),
        *((f"extinction_{band}", pa.float32()) for band in BANDS),
    ]
)
