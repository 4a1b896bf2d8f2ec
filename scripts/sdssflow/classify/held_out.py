"""Out-of-fold probabilities of calibration parts, from which thresholds are computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES
from sdssflow.tables import read_parquet, write_parquet

HELD_OUT = "calibration.parquet"  # in the folder of a classifier


def write_held_out(folder: str | Path, held_out: Mapping[int, pa.Table]) -> None:
    """Write the probabilities of the calibration parts of all folds, with the column `fold`."""
    tables = [
        table.add_column(0, "fold", pa.array(np.full(len(table), fold, np.int32)))
        for fold, table in held_out.items()
    ]
    write_parquet(pa.concat_tables(tables), Path(folder, HELD_OUT))


def read_held_out(folder: str | Path, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) probabilities of a fold's calibration objects and (n,) true classes.

    The classes are indices of `CLASSES`. n is 0 if the fold has no calibration part.
    """
    table = read_parquet(Path(folder, HELD_OUT))
    table = table.filter(pc.equal(table["fold"], fold))
    probability = [table[f"probability_{name}"].to_numpy() for name in CLASSES]
    truth = [CLASSES.index(name) for name in table["spec_class"].to_pylist()]
    return np.column_stack(probability), np.array(truth, dtype=int)
