"""A small catalogue as a user might have it, and ways to write it: the base of the tests here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.table import Table

from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.configuration.sources import FileSource

BANDS = ("u", "g", "r", "i", "z")
ROWS = 12


def good_frame() -> pd.DataFrame:
    """Return 12 objects with exact ids, under the names of a SkyServer export."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            # odd numbers: none of them could be a rounded float64
            "objID": 1237645941824356401 + 2 * np.arange(ROWS, dtype=np.int64),
            "specObjID": np.uint64(9223372036854775809) + np.arange(ROWS, dtype=np.uint64),
            "ra": np.round(rng.uniform(0, 360, ROWS), 8),
            "dec": np.round(rng.uniform(-10, 60, ROWS), 8),
            "plate": rng.integers(266, 3000, ROWS),
            "class": ["GALAXY", "QSO", "STAR"] * (ROWS // 3),
            "redshift": np.round(rng.uniform(0.01, 0.4, ROWS), 6),
        }
    )
    for band, base in zip(BANDS, (19.5, 18.0, 17.2, 16.9, 16.7), strict=True):
        frame[band] = np.round(base + rng.normal(0, 0.5, ROWS), 5)
    return frame


def good_columns() -> dict[str, str]:
    """Return the mapping that belongs to `good_frame`."""
    return {
        "objid": "objID",
        "specobjid": "specObjID",
        "ra": "ra",
        "dec": "dec",
        "plate": "plate",
        "spec_class": "class",
        "zspec": "redshift",
        **{f"model_mag_{band}": band for band in BANDS},
    }


# for a file of five magnitudes and something to learn
FEW = {"spec_class": "class", "zspec": "redshift", **{f"model_mag_{b}": b for b in BANDS}}
LABELLED = {name: to for name, to in FEW.items() if name != "zspec"}


def source(path: Path, **settings: Any) -> FileSource:
    """Return the source that `good_frame` is in a file; `settings` as in YAML."""
    return FileSource(kind="file", path=str(path), **{"columns": good_columns(), **settings})


def imported(path: Path, **settings: Any) -> tuple[pa.Table, pd.DataFrame]:
    """Return the catalogue of a file with the columns of `good_frame`, and its defects."""
    return read_catalogue(path, source(path, **settings), "good")


def catalogue(path: Path, **settings: Any) -> pa.Table:
    return imported(path, **settings)[0]


def with_cell(row: int, column: str, value: Any) -> pd.DataFrame:
    """Return `good_frame` with one other value."""
    frame = good_frame()
    if frame[column].dtype.kind in "iu" or isinstance(value, str):
        frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write `frame` in the format of the suffix, as the usual library writes it."""
    match path.suffix:
        case ".csv" | ".gz":
            frame.to_csv(path, index=False)
        case ".parquet":
            frame.to_parquet(path, index=False)
        case ".fits":
            Table.from_pandas(frame).write(path)
        case ".ecsv":
            Table.from_pandas(frame).write(path, format="ascii.ecsv")
        case ".vot":
            # VOTable has no unsigned 64-bit integers: archives write such ids as text
            as_text = frame.assign(specObjID=frame["specObjID"].astype(str))
            Table.from_pandas(as_text).write(path, format="votable")
        case ".npy":
            np.save(path, np.array(frame.to_records(index=False, column_dtypes={"class": "S6"})))
        case ".h5":
            write_groups(frame, path)
        case suffix:
            raise ValueError(f"no writer for {suffix}")
    return path


def write_groups(frame: pd.DataFrame, path: Path, group: str = "objects") -> Path:
    """Write an HDF5 group with one dataset per column."""
    with h5py.File(path, "a") as file:
        columns_in(file.require_group(group), frame)
    return path


def columns_in(group: h5py.Group, frame: pd.DataFrame | None = None, skip: Any = ()) -> None:
    """Write one dataset per column of the good table, or of another."""
    for name, values in (good_frame() if frame is None else frame).items():
        if name not in skip:
            text = not pd.api.types.is_numeric_dtype(values)
            data = values.astype(object).to_numpy() if text else values.to_numpy()
            group.create_dataset(name, data=data, dtype=h5py.string_dtype() if text else None)
