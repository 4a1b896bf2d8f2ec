"""A classifier of all folds, as it is applied to objects without spectra."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdssflow.acquire.schema import CLASSES
from sdssflow.models.folders import ModelFolder, class_probabilities
from sdssflow.models.tree_tables import look_up_trees

CHUNK = 16_384  # objects whose classes one thread predicts at a time


class ClassModel:
    """Classifiers of all folds, whose probabilities are averaged."""

    def __init__(self, folder: ModelFolder, reach: Mapping[str, float | None]) -> None:
        self.folds = [look_up_trees(folder.load_model(fold)) for fold in folder.card["folds"]]
        settings = folder.settings
        # a vote takes what all of its voters take, which its card doesn't say
        self.takes_missing = settings.takes_missing and not settings.voters
        known = [value for value in reach.values() if value is not None]
        self.reach = float(np.mean(known)) if known else None

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n, f) features the model can take."""
        if self.takes_missing:
            return np.isfinite(features).any(axis=1)
        return np.isfinite(features).all(axis=1)

    def columns(self, features: np.ndarray, magnitude: np.ndarray, threads: int) -> dict:
        """Return the columns of `Bundle.columns` for (n, f) features."""
        probability = np.zeros((len(features), len(CLASSES)))
        for fold in self.folds if len(features) else ():
            probability += class_probabilities(fold, features, CHUNK, threads) / len(self.folds)
        code = probability.argmax(axis=1).astype(np.uint8)
        found = {"class_code": code}
        found |= {f"probability_{name}": probability[:, k] for k, name in enumerate(CLASSES)}
        if self.reach is not None:
            inside = probability >= 1 - self.reach
            inside[np.arange(len(code)), code] = True  # no set is empty
            found["class_set_code"] = (inside @ (1 << np.arange(len(CLASSES)))).astype(np.uint8)
        return found
