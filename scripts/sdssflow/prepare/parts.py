"""Read a part of a fold of a split: train, validation, calibration or test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sdssflow.tables import content_digest, metadata, read_parquet

PARTS = ("train", "validation", "calibration", "test")


@dataclass(frozen=True)
class Part:
    """The objects of one part of one fold, in the order of the file.

    Attributes
    ----------
    features : (n, f) float64 array
        Features of the models; NaN where missing.
    feature_names : tuple of str
        Names of the f features, from the file's metadata.
    row_id : (n,) int64 array
        Position of each object in its source.
    group_key : (n,) pyarrow text column
        Rows of a group must be in the same part; `group` is the same as an array of str.
    reference_mag : (n,) float32 array
        Reference magnitude in mag, NaN where missing.
    spec_class : (n,) array of str or None
        Spectroscopic class; None if the sample has no such column.
    zspec : (n,) float64 array or None
        Spectroscopic redshift, NaN where missing; None if the sample has no such column.
    digest : str
        Content digest of these rows, which depends on every value and the order.
    """

    features: np.ndarray
    feature_names: tuple[str, ...]
    row_id: np.ndarray
    group_key: pa.ChunkedArray
    reference_mag: np.ndarray
    spec_class: np.ndarray | None
    zspec: np.ndarray | None
    digest: str

    def __len__(self) -> int:
        return len(self.row_id)

    @property
    def group(self) -> np.ndarray:
        """Group of each object, an (n,) array of str: 100 bytes per object."""
        return _words(self.group_key)

    def truth(self, name: str) -> np.ndarray:
        """Return `spec_class` or `zspec`; ValueError if the sample has no such column."""
        values = {"spec_class": self.spec_class, "zspec": self.zspec}[name]
        if values is None:
            raise ValueError(f"the sample has no {name} to train on or to score")
        return values

    def subset(self, rows: slice | np.ndarray) -> Part:
        """Return some of the objects; the digest remains that of the whole part."""
        arrays = ("features", "row_id", "reference_mag", "spec_class", "zspec")
        chosen = {
            name: values[rows] for name in arrays if (values := getattr(self, name)) is not None
        }
        kept = np.arange(len(self))[rows]
        return replace(self, **chosen, group_key=self.group_key.take(pa.array(kept)))


def feature_names(path: str | Path) -> tuple[str, ...]:
    """Return the names of the features of a split table, in the order for models."""
    names = metadata(pq.read_schema(path)).get("features")
    if not names:
        raise ValueError(f"{path}: no features in its metadata; write it with rule split_sample")
    return tuple(names)


def folds(path: str | Path) -> list[int]:
    """Return the fold numbers of a split table, ascending; a holdout has one."""
    numbers = pc.unique(read_parquet(path, ["fold"]).column("fold")).to_pylist()
    if not numbers:
        raise ValueError(f"{path}: no rows; loosen the cuts of the sample")
    return sorted(numbers)


def read_part(path: str | Path, fold: int, part: str) -> Part:
    """Read a part, one of `PARTS`, of one fold of ``development.parquet`` or ``test.parquet``.

    It has zero rows if the fold has no such part: a split may have no validation or calibration
    part. KeyError if a column is missing, ValueError for another `part` or an infinite feature.
    """
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r}; known: {', '.join(PARTS)}")
    names = feature_names(path)
    present = pq.read_schema(path).names
    truths = [name for name in ("spec_class", "zspec") if name in present]
    columns = ["row_id", "fold", "part", "group", "reference_mag", *truths, *names]
    parts = read_parquet(path, ["fold", "part"])
    rows = pc.and_(pc.equal(parts["fold"], fold), pc.equal(parts["part"], part))
    # one column at a time, so that only the chosen rows stay in memory;
    # the reference magnitude may be a feature as well
    table = pa.table(
        {name: read_parquet(path, [name])[name].filter(rows) for name in dict.fromkeys(columns)}
    )
    features = np.empty((table.num_rows, len(names)), dtype=np.float64)
    for column, name in enumerate(names):
        features[:, column] = _numbers(table, name)
    _refuse_infinite(features, names, table, path)
    return Part(
        features=features,
        feature_names=names,
        row_id=table.column("row_id").to_numpy(),
        group_key=table.column("group"),
        reference_mag=_numbers(table, "reference_mag").astype(np.float32),
        spec_class=_words(table.column("spec_class")) if "spec_class" in truths else None,
        zspec=_numbers(table, "zspec") if "zspec" in truths else None,
        digest=content_digest(table),
    )


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy()


def _words(column: pa.ChunkedArray) -> np.ndarray:
    """Return a text column as a numpy array of str, '' for null."""
    return np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=str)


def _refuse_infinite(
    features: np.ndarray, names: tuple[str, ...], table: pa.Table, path: str | Path
) -> None:
    bad = np.argwhere(np.isinf(features))
    if len(bad):
        row, column = bad[0]
        row_id = table.column("row_id")[int(row)].as_py()
        raise ValueError(
            f"{path}: {names[column]} of row_id {row_id} is infinite; "
            "correct the source or cut the object"
        )
