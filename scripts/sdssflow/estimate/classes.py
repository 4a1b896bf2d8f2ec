"""The classifiers of all folds, applied to objects without spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import set_codes
from sdssflow.estimate.given_tables import BundleError
from sdssflow.models.fast_predictions import quicken
from sdssflow.models.folders import ModelFolder, class_probabilities

if TYPE_CHECKING:
    from sdssflow.bundle import Manifest

CHUNK = 16_384  # objects that a thread predicts at once


class ClassModel:
    """Classifiers of all folds; their probabilities and thresholds are averaged."""

    def __init__(self, folder: ModelFolder, manifest: Manifest) -> None:
        self.folds = [quicken(folder.load_model(fold)) for fold in folder.card["folds"]]
        settings = folder.settings
        # whether all voters accept missing values is not in the card of a vote
        self.takes_missing = settings.takes_missing and not settings.voters
        calibrations = {entry.get("calibration", "") for entry in folder.card["training"].values()}
        raw = any(how.startswith("none") for how in calibrations)
        self.balanced = raw and getattr(settings, "class_weight", "none") == "balanced"
        self.trained = np.array([manifest.class_priors.get(name, np.nan) for name in CLASSES])
        known = [*manifest.class_thresholds.values()]
        self.thresholds = np.mean(known, axis=0) if known else None
        reaches = [value for value in manifest.class_reach.values() if value is not None]
        self.reach = float(np.mean(reaches)) if reaches else None

    @property
    def knows_mix(self) -> bool:
        """Whether the probabilities are for the class fractions of the training part."""
        return bool(not self.balanced and np.isfinite(self.trained).all())

    def require_known_mix(self) -> None:
        """Raise BundleError if `knows_mix` is false."""
        if not self.knows_mix:
            raise BundleError(
                "the class fractions that the probabilities of this classifier are for are not "
                "known (class_weight: balanced without calibration): calibrate it, or leave "
                "class_priors out"
            )

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: objects whose features the model accepts."""
        if self.takes_missing:
            return np.isfinite(features).any(axis=1)
        return np.isfinite(features).all(axis=1)

    def columns(
        self,
        features: np.ndarray,
        magnitude: np.ndarray,
        threads: int,
        priors: Mapping[str, float] | None = None,
    ) -> dict:
        """Return the columns of `Bundle.columns` for (n, f) features.

        Class sets are made from the probabilities before priors are changed: their coverage of each
        class does not depend on the class fractions.
        """
        own = np.zeros((len(features), len(CLASSES)))
        for fold in self.folds if len(features) else ():
            own += class_probabilities(fold, features, CHUNK, threads) / len(self.folds)
        probability = own
        if priors is not None:
            self.require_known_mix()
            wanted = np.array([priors[name] for name in CLASSES])
            probability = with_priors(own, self.trained, wanted)
        found = {"class_code": probability.argmax(axis=1).astype(np.uint8)}
        found |= {f"probability_{name}": probability[:, k] for k, name in enumerate(CLASSES)}
        if self.thresholds is not None:
            found["class_set_code"] = set_codes(own, self.thresholds)
        elif self.reach is not None:
            inside = own >= 1 - self.reach
            inside[np.arange(len(own)), own.argmax(axis=1)] = True  # as in format 1.0
            found["class_set_code"] = (inside @ (1 << np.arange(len(CLASSES)))).astype(np.uint8)
        return found


def with_priors(probability: np.ndarray, trained: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return probabilities for other class fractions, by Bayes' rule.

    The features of each class are assumed to have the same distribution.

    Parameters
    ----------
    probability : (n, 3) float64 array
        Probabilities for the fractions of the training part.
    trained, wanted : (3,) float64 array
        Fraction of each class in the training part, and the other fractions, above 0. A class that
        is not in the training part keeps its probability of 0.

    Returns
    -------
    (n, 3) float64 array
        Rows sum to 1.

    Examples
    --------
    >>> with_priors(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.9, 0.1]))
    array([[0.9, 0.1]])
    """
    weighted = probability * (wanted / np.where(trained > 0, trained, 1.0))
    return weighted / weighted.sum(axis=1, keepdims=True)
