"""Predict the p(z) of test objects: recalibrated, summarised, scored, with conformal intervals.

Objects are processed in blocks, to keep only the mixtures of one block in memory: each block's p(z)
is written before the next is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sdssflow.models.folders import ModelFolder, open_folder
from sdssflow.models.inputs import require_usable
from sdssflow.prepare.parts import Part
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.calibrations import Calibration, FoldCalibration, by_block


@dataclass(frozen=True)
class PdfPredictor:
    """The `predict` of `prediction_tables.predict_tests` for models with p(z).

    `calibrations` are by model folder. `write`, from `qp_files.pdf_writer`, takes the recalibrated
    p(z) of each block with `row_id`, `seed` and `fold`. Blocks are predicted by `threads` threads;
    the result doesn't depend on their number.
    """

    calibrations: Mapping[Path, Calibration]
    write: Callable[[Mixture, dict[str, np.ndarray]], None]
    threads: int = 1

    def __call__(self, folder: Path, fold: int, part: Part) -> dict[str, np.ndarray]:
        """Return the columns of `predict_part` for the objects of a part, and write their p(z)."""
        opened = open_folder(folder)
        calibration = calibration_of(opened, self.calibrations[folder], fold)

        def see(pdf: Mixture, rows: slice) -> None:
            row_id = part.row_id[rows]
            about = {"seed": opened.card["seed"], "fold": fold}
            numbers = {name: np.full(len(row_id), value, np.int32) for name, value in about.items()}
            self.write(pdf, {"row_id": row_id, **numbers})

        return predict_part(opened, fold, calibration, part, see, self.threads)


def calibration_of(opened: ModelFolder, calibration: Calibration, fold: int) -> FoldCalibration:
    """Return the calibration of one fold; ValueError if it is that of another model."""
    card = opened.card
    found = calibration.folds.get(fold)
    wanted = (card["model"], card["seed"], tuple(card["features"]), opened.trained_on(fold))
    given = (calibration.model, calibration.seed, calibration.features)
    if found is None or wanted != (*given, found.training_digest):
        raise ValueError(
            f"{opened.path}: the calibration is that of model {calibration.model!r}, seed "
            f"{calibration.seed}, folds {sorted(calibration.folds)}, not that of fold {fold} of "
            "this model as trained; delete the calibration and run again"
        )
    return found


def predict_calibration_parts(
    folder: str | Path, calibration: Calibration, parts: Mapping[int, Part]
) -> dict[str, np.ndarray]:
    """Predict the calibration part of each fold; return the columns of `predict_part`.

    Widths of p(z) and conformal intervals were fitted to the same objects, so their calibration is
    in-sample here (one parameter for the width and a few for the intervals). At least one part has
    objects.
    """
    opened = open_folder(folder)
    found = [
        predict_part(opened, fold, calibration_of(opened, calibration, fold), part)
        for fold, part in parts.items()
        if len(part)
    ]
    return {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}


def predict_part(
    opened: ModelFolder,
    fold: int,
    calibration: FoldCalibration,
    part: Part,
    see: Callable[[Mixture, slice], None] | None = None,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Predict the n > 0 objects of a part with the model of a fold, block by block.

    `see` is called with the recalibrated p(z) of each block and its rows; `threads` blocks are
    predicted at a time.

    Returns
    -------
    dict of str to (n,) array
        `zspec` and the columns of `summaries.summarise`, `scores.pdf_scores` and
        `FoldCalibration.columns`; float64 except `outside_training`.

    Raises
    ------
    ValueError
        If there are no objects, or a redshift or a feature that the model needs is missing.
    """
    require_usable(part, opened.settings, "test")
    pdf_of, point = opened.load_pdf(fold), opened.fold_settings(fold).point
    zspec = part.truth("zspec")
    found = []

    def predict(rows: slice) -> tuple[Mixture, dict[str, np.ndarray]]:
        features = part.features[rows]
        pdf = calibration.recalibrate(pdf_of(features))
        return pdf, {
            **summarise(pdf, point),
            **pdf_scores(pdf, zspec[rows]),
            **calibration.columns(pdf, features, part.feature_names, part.reference_mag[rows]),
        }

    for block, (pdf, columns) in by_block(predict, len(part), threads):
        found.append(columns)
        if see is not None:
            see(pdf, block)
    together = {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}
    return {"zspec": zspec, **together}
