"""The calibration of a model's p(z): fitted, saved and applied.

For each fold: the factor of the widths (`recalibration`) and the half widths of conformal intervals
(`conformal`), both from the part `calibration`, which no training used; and the training objects
that distances are measured to (`training_support`), from the part `train`. They are saved as JSON
and a table of training objects.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter, ValidationError

from sdssflow.configuration.kinds import ModelSettings
from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.files import write_json
from sdssflow.models.folders import open_folder
from sdssflow.models.inputs import require_usable
from sdssflow.prepare.parts import Part, feature_names, folds, read_part
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.pit import pit_ks
from sdssflow.regress.conformal import ConformalTable, fit_conformal
from sdssflow.regress.recalibration import BOUNDS, FEWEST_OBJECTS, fit_width, shrunk_width
from sdssflow.regress.records import OR_NAN, RECORD
from sdssflow.regress.training_support import TrainingSupport, fit_support
from sdssflow.tables import content_digest, metadata, read_parquet, write_parquet

BLOCK = 4096  # objects whose mixtures are in memory at once
MOST_FITTED = 16_384  # objects that the width is fitted to: enough for 1 % accuracy
_Result = TypeVar("_Result")
LoadedPdf = Callable[[np.ndarray], Mixture]


@dataclass(frozen=True)
class FoldCalibration:
    """The calibration of one fold's model.

    Attributes
    ----------
    objects : int
        Objects of the calibration part; may be 0.
    digest, training_digest : str
        Content digests of the calibration and the train part.
    width : float
        Factor of the widths of p(z).
    pit_ks_before, pit_ks_after : float
        Kolmogorov-Smirnov distance from uniform of the calibration part's PIT, without and with
        that factor; NaN without objects.
    conformal : ConformalTable
        From the recalibrated p(z).
    support : TrainingSupport
        The training objects that distances are measured to.
    note : str
        What was not fitted, and why; '' if everything was.
    """

    objects: Annotated[int, Field(ge=0)]
    digest: str
    training_digest: str
    width: Annotated[float, Field(ge=BOUNDS[0], le=BOUNDS[1])]
    pit_ks_before: Annotated[float, OR_NAN]
    pit_ks_after: Annotated[float, OR_NAN]
    conformal: ConformalTable
    support: TrainingSupport
    note: str

    __pydantic_config__ = RECORD

    def recalibrate(self, pdf: Mixture) -> Mixture:
        """Return p(z) with its widths times `width`."""
        return pdf if self.width == 1 else pdf.rescaled(self.width)

    def columns(
        self, pdf: Mixture, features: np.ndarray, names: tuple[str, ...], reference_mag: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return conformal intervals and distances to the training part of n objects.

        Parameters
        ----------
        pdf : Mixture
            Their recalibrated p(z).
        features : (n, f) float64 array
            Their features.
        names : tuple of str
            Names of the features.
        reference_mag : (n,) array
            Reference magnitudes in mag, NaN where missing.

        Returns
        -------
        dict of str to (n,) array
            `conformal_low_68`, `conformal_high_68`, `conformal_low_95`, `conformal_high_95`
            (float64; NaN if there was no calibration part), `train_distance` (float64) and
            `outside_training` (bool).
        """
        distance = self.support.distances(features, names)
        return {
            **self.conformal.intervals(pdf, reference_mag),
            "train_distance": distance,
            "outside_training": self.support.outside(distance),
        }


@dataclass(frozen=True)
class Calibration:
    """The calibrations of all folds of one model and seed.

    Attributes
    ----------
    model, sample, split : str
        What was calibrated.
    seed : int
        Seed of split and model.
    features : tuple of str
        Names of the features.
    settings : PdfCalibration
        Settings of the calibration.
    folds : dict of int to FoldCalibration
        By fold number.
    reference_digest : str
        Content digest of the table of training objects, once it is written.
    """

    model: str
    sample: str
    split: str
    seed: int
    features: tuple[str, ...]
    settings: PdfCalibration
    folds: Annotated[dict[int, FoldCalibration], Field(min_length=1)]
    reference_digest: str = ""

    __pydantic_config__ = RECORD

    def __post_init__(self) -> None:
        for number, fold in self.folds.items():
            if not set(fold.support.colors) <= set(self.features):
                raise ValueError(f"colors of fold {number} are not among the features")


_FILE = TypeAdapter(Calibration)


def calibrate_model(
    folder: str | Path, development: str | Path, model: str, settings: PdfCalibration, seed: int
) -> Calibration:
    """Calibrate the models of all folds of a split.

    Parameters
    ----------
    folder : path-like
        Model folder.
    development : path-like
        ``development.parquet`` that it was trained on.
    model : str
        Name of the regressor.
    settings : PdfCalibration
        Settings of the calibration.
    seed : int
        Seed of split and model.

    Raises
    ------
    ValueError
        If the folder was trained on other rows, or a calibration part lacks a redshift or feature.
    """
    opened = open_folder(folder)
    about = metadata(pq.read_schema(development))
    fitted = {}
    for fold in folds(development):
        train, calibration = (read_part(development, fold, p) for p in ("train", "calibration"))
        trained = opened.trained_on(fold)
        if trained != train.digest:
            raise ValueError(
                f"{folder}: fold {fold} was trained on rows of digest {trained!r}, but those of "
                f"{development} have {train.digest!r}; delete the model folder and train again"
            )
        pdf_of = opened.load_pdf(fold)
        try:
            fitted[fold] = calibrate_fold(
                pdf_of, calibration, train, opened.settings, settings, seed
            )
        except ValueError as error:
            raise ValueError(f"{development}, fold {fold}: {error}") from error
    return Calibration(
        model=model,
        sample=about.get("sample", ""),
        split=about.get("split", ""),
        seed=seed,
        features=feature_names(development),
        settings=settings,
        folds=fitted,
    )


def calibrate_fold(
    pdf_of: LoadedPdf,
    calibration: Part,
    train: Part,
    regressor: ModelSettings,
    settings: PdfCalibration,
    seed: int,
) -> FoldCalibration:
    """Calibrate the model of one fold.

    Parameters
    ----------
    pdf_of : callable
        From (n, f) features to p(z), `ModelFolder.load_pdf`.
    calibration : Part
        Objects that no training used; may be empty.
    train : Part
        Objects the model was trained on.
    regressor : ModelSettings
        Settings of the model.
    settings : PdfCalibration
        Settings of the calibration.
    seed : int
        Seed of the draw of reference objects.

    Raises
    ------
    ValueError
        If the calibration part lacks a redshift or a feature that the model needs.
    """
    if len(calibration):
        require_usable(calibration, regressor, "calibration")
    width, note = _fit_width(pdf_of, calibration, settings)
    before, after = _pits(pdf_of, calibration, width)
    return FoldCalibration(
        objects=len(calibration),
        digest=calibration.digest,
        training_digest=train.digest,
        width=width,
        pit_ks_before=pit_ks(before),
        pit_ks_after=pit_ks(after),
        conformal=fit_conformal(after, calibration.reference_mag, settings.magnitude_bins),
        support=fit_support(train.features, train.feature_names, settings, seed),
        note=note,
    )


def _fit_width(pdf_of: LoadedPdf, calibration: Part, settings: PdfCalibration) -> tuple[float, str]:
    """Return the factor of the widths, and a note if it was not fitted."""
    if not len(calibration):
        return 1.0, (
            "the split has no calibration part: p(z) is as the model gives it, and there are no "
            "conformal intervals; set the split's calibration fraction"
        )
    if settings.recalibration == "none":
        return 1.0, "recalibration is none: p(z) is as the model gives it"
    if len(calibration) < FEWEST_OBJECTS:
        return 1.0, (
            f"the calibration part has {len(calibration)} objects, fewer than {FEWEST_OBJECTS}: "
            "p(z) is as the model gives it"
        )
    spread = np.linspace(0, len(calibration) - 1, min(len(calibration), MOST_FITTED))
    rows = np.unique(spread.astype(int))
    width = fit_width(pdf_of(calibration.features[rows]), calibration.truth("zspec")[rows])
    low, high = BOUNDS
    if not low * 1.01 < width < high / 1.01:
        return width, f"the best factor of the widths is beyond its bound {width:.2g}"
    return shrunk_width(width, len(rows)), ""


def _pits(pdf_of: LoadedPdf, part: Part, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) PIT of a part without and with the factor of the widths."""
    before, after, zspec = np.empty(len(part)), np.empty(len(part)), part.truth("zspec")
    for block in blocks(len(part)):
        pdf = pdf_of(part.features[block])
        before[block] = pdf.cdf(zspec[block])
        after[block] = pdf.rescaled(width).cdf(zspec[block]) if width != 1 else before[block]
    return before, after


def by_block(
    function: Callable[[slice], _Result], n: int, threads: int = 1
) -> Iterator[tuple[slice, _Result]]:
    """Yield each of the `blocks` and the function's result for it, in order.

    The function runs in `threads` threads; neither blocks nor results depend on their number.
    """
    if threads == 1:
        yield from ((block, function(block)) for block in blocks(n))
        return
    with ThreadPoolExecutor(threads, initializer=one_torch_thread) as pool:
        pending: deque[tuple[slice, Future[_Result]]] = deque()
        for block in blocks(n):
            pending.append((block, pool.submit(function, block)))
            if len(pending) > threads:
                first, result = pending.popleft()
                yield first, result.result()
        for first, result in pending:
            yield first, result.result()


def one_torch_thread() -> None:
    """Make torch, if a model has imported it, compute in this thread, not in one per core."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def blocks(n: int) -> Iterator[slice]:
    """Yield slices of at most `BLOCK` objects that cover n objects."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def write_calibration(calibration: Calibration, path: str | Path, reference: str | Path) -> None:
    """Save a calibration, each file atomically.

    Parameters
    ----------
    calibration : Calibration
        What to save.
    path : path-like
        The JSON file.
    reference : path-like
        The Parquet table of the training objects that distances are measured to: `fold` and the
        colours, null where missing.
    """
    supports = {number: fold.support for number, fold in sorted(calibration.folds.items())}
    counts = [support.objects for support in supports.values()]
    points = np.concatenate([support.points for support in supports.values()])
    columns = {"fold": pa.array(np.repeat(list(supports), counts), pa.int32())}
    for place, name in enumerate(next(iter(supports.values())).colors):
        columns[name] = pa.array(points[:, place], pa.float64(), from_pandas=True)
    table = pa.table(columns)
    write_parquet(table, reference)
    known = replace(calibration, reference_digest=content_digest(table))
    write_json(path, json.loads(_FILE.dump_json(known)))


def read_calibration(path: str | Path, reference: str | Path) -> Calibration:
    """Read back what `write_calibration` wrote, bit for bit.

    Raises
    ------
    FileNotFoundError
        If one of the files is missing.
    ValueError
        If a file was changed, or the two belong to different calibrations.
    """
    try:
        calibration = _FILE.validate_json(Path(path).read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(
            f"{path}: not a calibration ({key}: {first['msg']}); delete it and run again"
        ) from None
    table = read_parquet(reference)
    if content_digest(table) != calibration.reference_digest:
        raise ValueError(
            f"{reference}: not the training objects that {path} was written with; delete both and "
            "run again"
        )
    folds = {
        number: _with_points(fold, number, table) for number, fold in calibration.folds.items()
    }
    return replace(calibration, folds=folds)


def _with_points(fold: FoldCalibration, number: int, reference: pa.Table) -> FoldCalibration:
    rows = reference.filter(pc.field("fold") == number)
    values = [rows.column(color).fill_null(np.nan).to_numpy() for color in fold.support.colors]
    return replace(fold, support=replace(fold.support, points=np.column_stack(values)))
