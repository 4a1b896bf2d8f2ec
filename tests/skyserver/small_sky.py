"""A sky of a few hundred made-up spectra with everything that is awkward, and slow references."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

PLATES = (266, 752, 3586, 8500, 12000)  # ids of the last two do not fit a signed integer
FIBERS = 80
BANDS = "ugriz"
STEMS = ("", "err_", "psfMag_", "psfMagErr_", "petroMag_", "petroMagErr_", "extinction_")
DATA_COLUMNS = [
    *(f"p.{name}" for name in ("objID", "ra", "dec")),
    *(f"p.{stem}{band}" for stem in ("", "err_", "psfMag_", "extinction_") for band in BANDS),
    *(f"p.{name}" for name in ("petroRad_r", "petroR50_r", "type", "clean", "mode", "run")),
    *(f"p.{name}" for name in ("rerun", "camcol", "field")),
    *(f"s.{name}" for name in ("specObjID", "plate", "mjd", "fiberID", "class", "subClass")),
    *("s.z AS redshift", "s.zErr", "s.zWarning", "s.sciencePrimary"),
]
JOIN = "FROM SpecObjAll s JOIN PhotoObjAll p ON p.objID=s.bestObjID"
PLAN = (
    "SELECT TOP 500000 s.plate, COUNT_BIG(*) AS n FROM SpecObjAll s "
    "WHERE s.zWarning=0 GROUP BY s.plate ORDER BY s.plate"
)
COUNT = (
    "SELECT COUNT_BIG(*) AS n,MIN(s.specObjID) AS lo,MAX(s.specObjID) AS hi,"
    "SUM(CAST(s.specObjID%1000003 AS bigint)) AS h1,SUM(CAST(p.objID%1000003 AS bigint)) AS h2 "
    f"{JOIN} WHERE s.specObjID>=0 AND s.specObjID<18000000000000000000"
)
DATA = (
    f"SELECT TOP 500000 {','.join(DATA_COLUMNS)} {JOIN} "
    "WHERE s.specObjID>=0 AND s.specObjID<18000000000000000000 ORDER BY s.specObjID"
)
QUERIES = {"plan": PLAN, "count": COUNT, "data": DATA}


def make_small_sky() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return spectra and photometry, both in the order of their ids."""
    rng = np.random.default_rng(11)
    n = len(PLATES) * FIBERS
    plate, fiber = np.repeat(PLATES, FIBERS), np.tile(np.arange(1, FIBERS + 1), len(PLATES))
    ids = [
        (int(p) << 50) | (int(f) << 38) | (2000 << 24) | (26 << 10)
        for p, f in zip(plate, fiber, strict=True)
    ]
    objects = 1237645876861272065 + 3 * np.arange(n, dtype="i8")
    best = np.where(rng.random(n) < 0.1, 0, objects)  # no match in the imaging
    best[7] = objects[9]  # two spectra of one object
    spec = pd.DataFrame({"specObjID": np.array(ids, "u8"), "bestObjID": best})
    for name, values in {"plate": plate, "mjd": 52000 + plate % 100, "fiberID": fiber}.items():
        spec[name] = values.astype("i4")
    spec["run2d"] = np.where(plate > 3000, "v5_13_2", "26")
    spec["class"] = rng.choice(["GALAXY", "QSO", "STAR"], n)
    spec["subClass"] = rng.choice(["", "STARFORMING", "F2 (7511), x", 'A0 "x"', None], n)
    spec["z"] = rng.exponential(0.3, n).astype("f4")
    spec["zErr"] = (10 ** rng.uniform(-9, -2, n)).astype("f4")
    spec["zWarning"] = rng.choice([0, 0, 4, 36], n).astype("i4")
    spec["sciencePrimary"] = rng.integers(0, 2, n).astype("i4")
    spec["ra"], spec["dec"] = rng.uniform(0, 360, n), rng.uniform(-20, 70, n)
    spec["survey"], spec["programname"] = "sdss", "legacy"
    spec["legacy_target1"] = rng.integers(0, 2**40, n)
    spec["boss_target1"] = rng.integers(0, 2**62, n)
    return spec, _photometry(objects, rng)


def _photometry(objects: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    n = len(objects)
    photo = pd.DataFrame({"objID": objects})
    for name in ("run", "rerun", "camcol", "field", "obj", "mode", "type", "clean"):
        photo[name] = rng.integers(1, 4, n).astype("i4")
    photo["ra"], photo["dec"] = rng.uniform(0, 360, n), rng.uniform(-20, 70, n)
    for stem in STEMS:
        for band in BANDS:
            photo[f"{stem}{band}"] = np.round(rng.normal(19, 2, n), 2).astype("f4")
    photo["petroRad_r"] = rng.exponential(3, n).astype("f4")
    photo["petroR50_r"] = np.where(rng.random(n) < 0.1, np.nan, rng.exponential(2, n)).astype("f4")
    photo.loc[::17, "u"] = -9999
    photo.loc[:2, "g"] = [0.0, 1e-5, 1.5e9]
    return photo


def write_small_sky(folder: Path) -> None:
    """Write both tables; NaN becomes NULL. Row groups are small, so that some can be skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in zip(("specobj", "photoobj"), make_small_sky(), strict=True):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=FIBERS)


def dotnet(value: float, digits: int) -> str:
    """Write a number as .NET Framework's ToString() with `digits` significant digits, slowly."""
    exact, context = Decimal(value), Context(prec=1500)
    if exact == 0:
        return "0"
    quantum = Decimal(1).scaleb(exact.adjusted() - digits + 1, context)
    rounded = exact.quantize(quantum, ROUND_HALF_UP, context).normalize(context)
    exponent = rounded.adjusted()
    if -5 < exponent < digits:
        return format(rounded, "f")
    mantissa = format(rounded.scaleb(-exponent, context), "f")
    return f"{mantissa}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def cell(value: object) -> str:
    """Write one value as the web service does, slowly."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, np.float32):
        return dotnet(float(value), 7)
    if isinstance(value, float):
        return dotnet(value, 15)
    text = str(value)
    return f'"{text}"' if "," in text and not text.startswith('"') else text


def reference_csv(frame: pd.DataFrame) -> str:
    """Write a whole answer, slowly; the columns are those of `frame`."""
    columns = [frame[name].array for name in frame.columns]
    rows = [",".join(cell(column[row]) for column in columns) for row in range(len(frame))]
    return "".join(f"{line}\n" for line in ["#Table1", ",".join(frame.columns), *rows])


def joined() -> pd.DataFrame:
    """Return spectra with photometry, `s.` and `p.` before the names, ordered by specObjID."""
    spec, photo = make_small_sky()
    return (
        spec.add_prefix("s.")
        .merge(photo.add_prefix("p."), left_on="s.bestObjID", right_on="p.objID", how="inner")
        .sort_values("s.specObjID", ignore_index=True)
    )
