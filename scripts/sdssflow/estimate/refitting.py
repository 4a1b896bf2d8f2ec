"""Train an evaluated model again, on all objects of its sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from sdssflow.classify.held_out import write_held_out
from sdssflow.classify.training import train_classifier
from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.configuration.splits import WholeSample
from sdssflow.models.estimators import save_estimator
from sdssflow.models.folders import ModelFolder, fit_regressor, learnt_from, model_path, write_card
from sdssflow.prepare.parts import folds, read_part
from sdssflow.prepare.splits import split_sample
from sdssflow.tables import write_parquet

PARTS = ("train", "validation", "calibration")


def refit(
    evaluated: ModelFolder,
    features: pa.Table,
    split: WholeSample,
    folder: Path,
    calibration: PdfCalibration,
    **how: Any,
) -> None:
    """Train a model with the settings of the evaluated one, including those that a search chose.

    Parameters
    ----------
    evaluated : ModelFolder
        The evaluated model.
    features : pyarrow.Table
        All objects of its sample.
    split : WholeSample
        Fractions held back for early stopping and calibration.
    folder : pathlib.Path
        For ``development.parquet``, the folder ``model`` and, of a regressor, the calibration of
        its p(z) in ``calibration.json`` and ``reference.parquet``.
    calibration : PdfCalibration
        Settings of the calibration of p(z).
    **how
        `threads` for a kind of scikit-learn; `device` for one of torch.
    """
    card, settings = evaluated.card, evaluated.settings
    development, _, _ = split_sample(features, split, card["split"], card["seed"])
    rows, model = folder / "development.parquet", folder / "model"
    write_parquet(development, rows)
    (fold,) = folds(rows)
    parts = {name: read_part(rows, fold, name) for name in PARTS}
    chosen = evaluated.fold_settings(card["folds"][0])
    model.mkdir()
    path, learnt = model_path(model, settings, fold), learnt_from(parts)
    if settings.task == "classify":
        classifier = train_classifier(chosen, parts, card["seed"], **how)
        save_estimator(classifier.estimator, path)
        write_held_out(model, {fold: classifier.held_out})
        learnt = {**classifier.about, **learnt}
    else:
        fitted = fit_regressor(chosen, card["seed"], parts["train"], parts["validation"], **how)
        fitted.save(path) if settings.needs_torch else save_estimator(fitted, path)
        if chosen != settings:
            learnt["settings"] = chosen.model_dump(mode="json")
    write_card(model, rows, card["model"], settings, card["seed"], {fold: learnt})
    if settings.gives_pdf:
        from sdssflow.regress.calibrations import calibrate_model, write_calibration

        found = calibrate_model(model, rows, card["model"], calibration, card["seed"])
        write_calibration(found, folder / "calibration.json", folder / "reference.parquet")
