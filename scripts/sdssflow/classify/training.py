"""Train one classifier on one fold: fit, calibrate, vote."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.calibration import calibrate, calibrate_by_cross_validation, choose, obstacle
from sdssflow.classify.classifiers import slim_vote
from sdssflow.configuration.classifiers import Classifier
from sdssflow.models.folders import class_probabilities, program
from sdssflow.models.inputs import require_features
from sdssflow.prepare.parts import Part

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedClassifier:
    """A fitted classifier and how its probabilities were calibrated.

    Attributes
    ----------
    estimator : scikit-learn classifier
        Fitted and calibrated; `classes_` are the classes of the training part.
    calibration : str
        The method, or why there was none.
    tried : dict of str to tuple of float
        Cross-validated log-loss and its standard error of each method that was tried.
    held_out : pyarrow.Table
        `row_id`, `spec_class` and out-of-fold class probabilities of the calibration objects. The
        voters of a vote, however, were calibrated on these objects.
    """

    estimator: Any
    calibration: str
    tried: dict[str, tuple[float, float]]
    held_out: pa.Table

    @property
    def about(self) -> dict[str, Any]:
        """Entries of the model card."""
        return {
            "classes": self.estimator.classes_.tolist(),
            "calibration": self.calibration,
            "calibrations_tried": {
                name: {"log_loss": round(loss, 6), "standard_error": round(error, 6)}
                for name, (loss, error) in self.tried.items()
            },
        }


def train_classifier(
    settings: Classifier,
    parts: Mapping[str, Part],
    seed: int,
    voters: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> TrainedClassifier:
    """Fit a classifier on `train`, stop it on `validation`, calibrate it on `calibration`.

    A vote averages the probabilities of trained estimators, and calibrates the mean again as its
    own settings say.

    If the calibration part can't be used (`calibration.obstacle`), a classifier keeps its own
    probabilities, which the log and the card note. A support vector machine has none: it is then
    calibrated by cross-validation on the training part.

    Parameters
    ----------
    settings : Classifier
        Settings of the classifier.
    parts : mapping of str to Part
        `train`, `validation` and `calibration` of one fold; the last two may be empty.
    seed : int
        Seed of every random draw.
    voters : mapping of str to estimator
        Estimators that a vote averages, by name: fitted and calibrated on the same parts.
    threads : int
        Threads to use.

    Raises
    ------
    ValueError
        If the training part is empty, has only one class, has an object without a class, or has a
        missing value that the classifier does not accept; or as `photoz_boosting.fit`.
    """
    train = parts["train"]
    _check_classes(parts)
    for part in parts.values():
        require_features(part, settings)
    if settings.voters:
        fitted: Any = _vote({name: (voters or {})[name] for name in settings.voters}, train)
    else:
        fitted = program(settings).fit(settings, seed, train, parts["validation"], threads)
    return _calibrated(fitted, settings, parts, seed)


def _calibrated(
    fitted: Any, settings: Classifier, parts: Mapping[str, Part], seed: int
) -> TrainedClassifier:
    train, part = parts["train"], parts["calibration"]
    known = np.isin(part.truth("spec_class"), fitted.classes_)
    features, classes = part.features[known], part.truth("spec_class")[known]
    tried: dict[str, tuple[float, float]] = {}
    method: str = settings.calibration
    why = ""
    if method != "none" and (reason := obstacle(fitted, method, features, classes)):
        logger.warning("probabilities are not calibrated by %s: %s", method, reason)
        method, why = "none", f" ({reason})"
    if method != "none":
        method, unseen, tried = choose(fitted, method, settings.usual, features, classes, seed)
        estimator = calibrate(fitted, method, features, classes)
        held_out = np.zeros((len(unseen), len(CLASSES)))
        held_out[:, [CLASSES.index(name) for name in fitted.classes_]] = unseen
    else:
        estimator = fitted
        if not hasattr(fitted, "predict_proba"):
            truth = train.truth("spec_class")
            estimator = calibrate_by_cross_validation(fitted, train.features, truth)
            method = "sigmoid, cross-validated on the training part"
        held_out = class_probabilities(estimator, features)
    columns = {f"probability_{name}": held_out[:, k] for k, name in enumerate(CLASSES)}
    table = {"row_id": part.row_id[known], "spec_class": classes.tolist(), **columns}
    kinds = {"spec_class": pa.string()}
    table = {name: pa.array(values, kinds.get(name)) for name, values in table.items()}
    return TrainedClassifier(estimator, f"{method}{why}", tried, pa.table(table))


def _vote(voters: Mapping[str, Any], train: Part) -> VotingClassifier:
    members = [(name, FrozenEstimator(estimator)) for name, estimator in voters.items()]
    vote = VotingClassifier(members, voting="soft")
    return slim_vote(vote.fit(train.features, train.spec_class))


def _check_classes(parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        if part.spec_class is None:
            raise ValueError(f"the {name} part has no column spec_class to train on")
        unknown = ~np.isin(part.spec_class, CLASSES)
        if unknown.any():
            raise ValueError(
                f"row_id {part.row_id[unknown][0]} of the {name} part has class "
                f"{str(part.spec_class[unknown][0])!r}; add the cut classes to keep only "
                f"{', '.join(CLASSES)}"
            )
    present = sorted(set(parts["train"].truth("spec_class")))
    if len(present) < 2:
        raise ValueError(
            f"the training part has {len(parts['train'])} objects and "
            f"{'only the class ' + present[0] if present else 'no class'}; "
            "two classes are needed: loosen the cuts or use fewer folds"
        )
