"""Calibrations on disk: a JSON file that can be read, and a table of the training objects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.files import write_json
from sdssflow.regress.calibrations import Calibration, FoldCalibration
from sdssflow.regress.conformal import LEVELS, ConformalTable
from sdssflow.regress.recalibration import BOUNDS
from sdssflow.regress.training_support import TrainingSupport
from sdssflow.tables import content_digest, read_parquet, write_parquet

Count = Annotated[int, Field(ge=0)]
Reach = Annotated[float, Field(ge=0, le=0.5)]


class _Record(BaseModel):
    """A block of the JSON file: known keys only, finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Conformal(_Record):
    edges: list[float]
    objects: list[Count]
    reach: dict[str, list[Reach | None]]
    reach_of_all: dict[str, Reach | None]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        rows = {len(self.edges) + 1, len(self.objects), *map(len, self.reach.values())}
        names = {frozenset(LEVELS), frozenset(self.reach), frozenset(self.reach_of_all)}
        if len(rows) > 1 or len(names) > 1 or self.edges != sorted(self.edges):
            raise ValueError(f"no table of bins by levels {', '.join(LEVELS)}")
        return self


class _Support(_Record):
    colors: list[str] = Field(min_length=1)
    center: list[float]
    scale: list[Annotated[float, Field(gt=0)]]
    neighbours: Annotated[int, Field(ge=1)]
    limit: Annotated[float, Field(ge=0)]
    objects: Count

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.colors) == len(self.center) == len(self.scale):
            raise ValueError("not one center and scale for each color")
        return self


class _Fold(_Record):
    objects: Count
    digest: str
    training_digest: str
    width: Annotated[float, Field(ge=BOUNDS[0], le=BOUNDS[1])]
    pit_ks_before: float | None
    pit_ks_after: float | None
    conformal: _Conformal
    support: _Support
    note: str


class _File(_Record):
    model: str
    sample: str
    split: str
    seed: int
    features: list[str]
    settings: PdfCalibration
    folds: dict[str, _Fold] = Field(min_length=1)
    reference_digest: str

    @model_validator(mode="after")
    def _known_colors(self) -> Self:
        for name, fold in self.folds.items():
            if not name.isdigit():
                raise ValueError(f"{name!r} is no number of a fold")
            if not set(fold.support.colors) <= set(self.features):
                raise ValueError(f"colors of fold {name} are no features")
        return self


def write_calibration(calibration: Calibration, path: str | Path, reference: str | Path) -> None:
    """Save a calibration, each file whole or not at all.

    Parameters
    ----------
    calibration : Calibration
        What to save.
    path : path-like
        The JSON file.
    reference : path-like
        The Parquet table of the training objects that distances are taken to: `fold` and the
        colours, null where missing.
    """
    table = _reference_table(calibration)
    write_parquet(table, reference)
    folds = {str(number): _fold_record(fold) for number, fold in calibration.folds.items()}
    content = {
        "model": calibration.model,
        "sample": calibration.sample,
        "split": calibration.split,
        "seed": calibration.seed,
        "features": list(calibration.features),
        "settings": calibration.settings.model_dump(mode="json"),
        "folds": folds,
        "reference_digest": content_digest(table),
    }
    write_json(path, content)


def read_calibration(path: str | Path, reference: str | Path) -> Calibration:
    """Read back what `write_calibration` wrote, to the bit.

    Raises
    ------
    FileNotFoundError
        If one of the files is missing.
    ValueError
        If a file is not what was written, or they are not of one calibration.
    """
    try:
        content = _File.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"]) or "content"
        raise ValueError(
            f"{path}: not a calibration ({place}: {first['msg']}); delete it and run again"
        ) from None
    table = read_parquet(reference)
    if content_digest(table) != content.reference_digest:
        raise ValueError(
            f"{reference}: not the training objects that {path} was written with; delete both and "
            "run again"
        )
    return Calibration(
        model=content.model,
        sample=content.sample,
        split=content.split,
        seed=content.seed,
        features=tuple(content.features),
        settings=content.settings,
        folds={int(name): _fold(name, fold, table) for name, fold in content.folds.items()},
    )


def _reference_table(calibration: Calibration) -> pa.Table:
    """Return fold and colours of the reference objects, fold after fold."""
    supports = {number: fold.support for number, fold in sorted(calibration.folds.items())}
    counts = [len(support.points) for support in supports.values()]
    points = np.concatenate([support.points for support in supports.values()])
    colors = next(iter(supports.values())).colors
    columns = {"fold": pa.array(np.repeat(list(supports), counts), pa.int32())}
    for place, name in enumerate(colors):
        columns[name] = pa.array(points[:, place], pa.float64(), from_pandas=True)
    return pa.table(columns)


def _fold_record(fold: FoldCalibration) -> dict[str, Any]:
    table, support = fold.conformal, fold.support
    return {
        "objects": fold.objects,
        "digest": fold.digest,
        "training_digest": fold.training_digest,
        "width": fold.width,
        "pit_ks_before": _null_for_nan(fold.pit_ks_before),
        "pit_ks_after": _null_for_nan(fold.pit_ks_after),
        "note": fold.note,
        "conformal": {
            "edges": table.edges.tolist(),
            "objects": table.counts.tolist(),
            "reach": {
                name: [_null_for_nan(q) for q in values.tolist()]
                for name, values in table.reaches.items()
            },
            "reach_of_all": {name: _null_for_nan(q) for name, q in table.pooled.items()},
        },
        "support": {
            "colors": list(support.colors),
            "center": support.center.tolist(),
            "scale": support.scale.tolist(),
            "neighbours": support.neighbours,
            "limit": support.limit,
            "objects": len(support.points),
        },
    }


def _fold(name: str, fold: _Fold, reference: pa.Table) -> FoldCalibration:
    colors = fold.support.colors
    rows = reference.filter(pc.field("fold") == int(name))
    values = [rows.column(color).fill_null(np.nan).to_numpy() for color in colors]
    conformal = fold.conformal
    return FoldCalibration(
        objects=fold.objects,
        digest=fold.digest,
        training_digest=fold.training_digest,
        width=fold.width,
        pit_ks_before=_nan_for_null(fold.pit_ks_before),
        pit_ks_after=_nan_for_null(fold.pit_ks_after),
        conformal=ConformalTable(
            edges=np.array(conformal.edges),
            counts=np.array(conformal.objects),
            reaches={
                key: np.array([_nan_for_null(q) for q in values])
                for key, values in conformal.reach.items()
            },
            pooled={key: _nan_for_null(q) for key, q in conformal.reach_of_all.items()},
        ),
        support=TrainingSupport(
            colors=tuple(colors),
            points=np.column_stack(values),
            center=np.array(fold.support.center),
            scale=np.array(fold.support.scale),
            neighbours=fold.support.neighbours,
            limit=fold.support.limit,
        ),
        note=fold.note,
    )


def _null_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _nan_for_null(value: float | None) -> float:
    return math.nan if value is None else value
