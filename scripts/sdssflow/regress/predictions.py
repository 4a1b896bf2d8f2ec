"""From saved regressors and test objects to redshifts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdssflow.prepare.parts import Part
from sdssflow.regress.inputs import require_features
from sdssflow.regress.model_folders import open_folder


def redshift_columns(folder: Path, fold: int, part: Part) -> dict[str, np.ndarray]:
    """Return zspec and zphot, (n,) float64 each, of the n objects of a part.

    Parameters
    ----------
    folder : pathlib.Path
        Model folder.
    fold : int
        Fold whose model predicts.
    part : Part
        The objects; n may be 0.

    Raises
    ------
    ValueError
        If the part has no redshifts, or lacks a feature that the model needs.
    """
    if part.zspec is None:
        raise ValueError("no column 'zspec'; take 'regress' out of the sample's tasks")
    opened = open_folder(folder)
    require_features(part.features, part.feature_names, part.row_id, opened.settings.kind)
    zphot = opened.load(fold)(part.features) if len(part) else np.empty(0)
    return {"zspec": part.zspec, "zphot": zphot}
