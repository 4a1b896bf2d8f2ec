"""Train one classifier on one fold: fit, calibrate, vote."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.calibration import calibrate, calibrate_by_cross_validation, obstacle
from sdssflow.classify.classifiers import (
    TAKES_MISSING_VALUES,
    build_classifier,
    fit_classifier,
    slim_vote,
)
from sdssflow.classify.photoz_boosting import fit_photoz_boosting
from sdssflow.configuration.classifiers import (
    Classifier,
    ClassifierSettings,
    PhotozBoosting,
    SoftVote,
)
from sdssflow.prepare.parts import Part

logger = logging.getLogger(__name__)
_SETTINGS: TypeAdapter[Classifier] = TypeAdapter(ClassifierSettings)


@dataclass(frozen=True)
class TrainedClassifier:
    """A fitted classifier and how its probabilities came about.

    Attributes
    ----------
    estimator : scikit-learn classifier
        Fitted and calibrated; `classes_` are the classes of the training part.
    calibration : str
        The method, or why there was none.
    """

    estimator: Any
    calibration: str


def read_settings(text: str) -> Classifier:
    """Read the canonical JSON of one classifier's settings, of whichever kind."""
    return _SETTINGS.validate_json(text)


def train_classifier(
    settings: Classifier,
    parts: Mapping[str, Part],
    seed: int,
    members: Mapping[str, Classifier] | None = None,
    threads: int = 1,
) -> TrainedClassifier:
    """Fit a classifier on `train`, stop it on `validation`, calibrate it on `calibration`.

    Members of a vote are each fitted and calibrated as they would be alone; the mean of their
    probabilities is then calibrated once more by the vote's own setting.

    Where the calibration part is of no use (`calibration.obstacle`), a classifier keeps its own
    probabilities, and the log and the card say so. A support vector machine has none of its own:
    it is then calibrated by cross-validation on the training part.

    Parameters
    ----------
    settings : Classifier
        What to train.
    parts : mapping of str to Part
        `train`, `validation` and `calibration` of one fold; the last two may be empty.
    seed : int
        Seed of every random draw.
    members : mapping of str to Classifier
        Settings of the members of a vote, by name.
    threads : int
        Threads to use.

    Raises
    ------
    ValueError
        If the training part is empty, has one class only, has an object without a class, or has a
        missing value that the classifier can't take; or as `photoz_boosting.fit_photoz_boosting`.
    """
    train = parts["train"]
    _check_classes(parts)
    if isinstance(settings, SoftVote):
        fitted: Any = _vote(settings, parts, seed, members or {}, threads)
    elif isinstance(settings, PhotozBoosting):
        fitted = fit_photoz_boosting(settings, seed, train, parts["validation"])
    else:
        if settings.kind not in TAKES_MISSING_VALUES:
            for part in parts.values():
                refuse_missing_values(part)
        fitted = fit_classifier(
            build_classifier(settings, seed, threads),
            train.features,
            train.spec_class,
            parts["validation"].features,
            parts["validation"].spec_class,
        )
    return _calibrated(fitted, settings, parts)


def refuse_missing_values(part: Part) -> None:
    """Raise a ValueError that names the first object and feature without a value."""
    missing = np.argwhere(np.isnan(part.features))
    if len(missing):
        row, column = missing[0]
        raise ValueError(
            f"{part.feature_names[column]} of row_id {part.row_id[row]} is missing; add the cut "
            f"complete_photometry or use one of: {', '.join(TAKES_MISSING_VALUES)}"
        )


def _calibrated(fitted: Any, settings: Classifier, parts: Mapping[str, Part]) -> TrainedClassifier:
    train, held_out = parts["train"], parts["calibration"]
    method = settings.calibration
    reason = None
    if method != "none":
        reason = obstacle(fitted, method, held_out.features, held_out.spec_class)
        if reason is None:
            estimator = calibrate(fitted, method, held_out.features, held_out.spec_class)
            return TrainedClassifier(estimator, method)
        logger.warning("probabilities are not calibrated by %s: %s", method, reason)
    why = f" ({reason})" if reason else ""
    if hasattr(fitted, "predict_proba"):
        return TrainedClassifier(fitted, f"none{why}")
    estimator = calibrate_by_cross_validation(fitted, train.features, train.spec_class)
    return TrainedClassifier(estimator, f"sigmoid, cross-validated on the training part{why}")


def _vote(
    settings: SoftVote,
    parts: Mapping[str, Part],
    seed: int,
    members: Mapping[str, Classifier],
    threads: int,
) -> VotingClassifier:
    trained = [
        (name, train_classifier(members[name], parts, seed, threads=threads).estimator)
        for name in settings.members
    ]
    vote = VotingClassifier(
        [(name, FrozenEstimator(estimator)) for name, estimator in trained], voting="soft"
    )
    return slim_vote(vote.fit(parts["train"].features, parts["train"].spec_class))


def _check_classes(parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        if part.spec_class is None:
            raise ValueError(f"the {name} part has no column spec_class; classes are to be learnt")
        unknown = ~np.isin(part.spec_class, CLASSES)
        if unknown.any():
            raise ValueError(
                f"row_id {part.row_id[unknown][0]} of the {name} part has class "
                f"{str(part.spec_class[unknown][0])!r}; add the cut classes to keep only "
                f"{', '.join(CLASSES)}"
            )
    present = sorted(set(parts["train"].spec_class))
    if len(present) < 2:
        raise ValueError(
            f"the training part has {len(parts['train'])} objects and "
            f"{'only the class ' + present[0] if present else 'no class'}; "
            "two classes are needed: loosen the cuts or use fewer folds"
        )
