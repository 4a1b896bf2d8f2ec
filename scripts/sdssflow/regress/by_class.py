"""p(z) of objects of unknown class: the sum over classes of p(class) p(z | class).

Three ensembles are trained on the same features: one on the classes of all objects, one on the
redshifts of the galaxies, one on those of the quasars. The redshift of a star is its radial
velocity, which its colours do not determine: its p(z) is one narrow Gaussian, the same for all
stars. A single regressor for all objects would spend its few Gaussians on telling classes apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.acquire.schema import CLASSES
from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.class_networks import Classes, ClassNetworks, class_program
from sdssflow.ensembles.program import EnsembleProgram, learnt_from, pooled
from sdssflow.ensembles.tensor_files import load_model, save_tensors
from sdssflow.ensembles.training import descend, layers_from, require_count, tensors_of_layers
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress.ensemble_training import (
    Redshifts,
    highest,
    networks_from,
    redshift_program,
    tensors_of,
)
from sdssflow.regress.mixture_networks import MixtureNetworks, predict_pdf

if TYPE_CHECKING:
    from sdssflow.configuration.networks import MixtureByClass
    from sdssflow.prepare.parts import Part

STAR = "STAR"
LOSSES = ("train_loss", "validation_loss")
NARROWEST = 1e-4  # smallest width of the stars' p(z), 30 km/s: about the error of a spectrum
REACH = 6.0  # p(z) begins this many widths below the stars' mean


@dataclass(frozen=True)
class ByClass:
    """Ensembles of classes and redshifts.

    Attributes
    ----------
    classes : ClassNetworks
        p(class).
    redshifts : dict of str to MixtureNetworks
        p(z | class) of each class except STAR; all have the same range.
    star : (2,) float64 array
        Mean and width of the stars' p(z).
    feature_names : tuple of str
        Names of the features.
    """

    classes: ClassNetworks
    redshifts: dict[str, MixtureNetworks]
    star: np.ndarray
    feature_names: tuple[str, ...]

    def class_probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the (n, 3) probabilities of `CLASSES` for (n, f) features."""
        probabilities = np.zeros((len(features), len(CLASSES)))
        columns = [CLASSES.index(name) for name in self.classes.names]
        probabilities[:, columns] = self.classes.probabilities(features, self.feature_names)
        return probabilities

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features; raises as `ClassNetworks.probabilities` does."""
        probabilities = self.classes.probabilities(features, self.feature_names)
        weights, means, scales = [], [], []
        for column, name in enumerate(self.classes.names):
            probability = probabilities[:, [column]]
            if name == STAR:
                weights.append(probability)
                means.append(np.full_like(probability, self.star[0]))
                scales.append(np.full_like(probability, self.star[1]))
            else:
                pdf = predict_pdf(self.redshifts[name], features, self.feature_names)
                weights.append(probability * pdf.weights)
                means.append(pdf.means)
                scales.append(pdf.scales)
        some = next(iter(self.redshifts.values()))
        w, m, s = (np.hstack(values) for values in (weights, means, scales))
        return Mixture(w, m, s, some.lower, some.upper)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: no feature is missing that was never missing in training."""
        every = (self.classes.inputs, *(networks.inputs for networks in self.redshifts.values()))
        return ~np.any([inputs.newly_missing(features).any(axis=1) for inputs in every], axis=0)


@dataclass(frozen=True)
class TrainedByClass:
    """Trained ensembles and their training history.

    Attributes
    ----------
    model : ByClass
        The ensembles, each member with its best parameters.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss` and `validation_loss`: -ln of p(class) p(z | class)
        of the standardised redshift, means over objects and members. An ensemble that has stopped
        contributes its last loss.
    best_epoch : list of int
        Epoch of each member's parameters, those of the classes first.
    """

    model: ByClass
    history: list[dict[str, float]]
    best_epoch: list[int]

    dtype = "float32"

    def save(self, path: str | Path) -> None:
        """Save the networks as safetensors, atomically."""
        model = self.model
        codes = torch.tensor([CLASSES.index(name) for name in model.classes.names])
        content = {"classes": codes, "star": torch.tensor(model.star)}
        parts = {"classes": tensors_of_layers(model.classes.inputs, model.classes.parameters)}
        parts |= {name: tensors_of(networks) for name, networks in model.redshifts.items()}
        for part, tensors in parts.items():
            content |= {f"{part}.{name}": tensor for name, tensor in tensors.items()}
        save_tensors(content, path)

    def loaded(self, names: Sequence[str]) -> ByClass:
        """Return the model, as `load` does."""
        return self.model


def fit(
    settings: MixtureByClass,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> TrainedByClass:
    """Train the ensembles one after the other; arguments are as for `ensemble_training.fit`.

    Raises
    ------
    ValueError
        If an object has no class, no object is a galaxy or a quasar, a class has too few objects,
        the redshift of a galaxy or quasar is below those of the stars, or the loss is not finite.
    """
    names = _classes_of(train, validation)
    star = _stars(train)
    lower = _lower(settings, star)
    learnt = learnt_from(_of_classes(settings), train, validation)
    zspec, spec_class = (
        pooled(name, train, validation)[:learnt] for name in ("zspec", "spec_class")
    )
    upper = highest(zspec[spec_class != STAR])
    parts = {"classes": (train, validation)}
    for name in names:
        if name != STAR:
            parts[name] = (_of_class(train, name), _of_class(validation, name))
    trained, states = {}, {}
    for name, program in _programs(settings, seed, parts, names, device, lower, upper):
        path = checkpoint and checkpoint.with_name(f"{name}_{checkpoint.name}")
        digests = (train.digest, validation.digest, name)
        states[name] = descend(program, settings, digests, path)
        trained[name] = (program.objective, program.trained(states[name]))
    classes = ClassNetworks(*trained["classes"][1], names)
    redshifts = {
        name: objective.networks(*layers)
        for name, (objective, layers) in trained.items()
        if isinstance(objective, Redshifts)
    }
    model = ByClass(classes, redshifts, star, train.feature_names)
    shares = {name: len(part) / len(train) for name, (part, _) in parts.items()}
    history = _joint_history({name: state.history for name, state in states.items()}, shares)
    best = [epoch for state in states.values() for epoch in state.best_epoch.tolist()]
    return TrainedByClass(model, history, best)


def load(path: str | Path, settings: MixtureByClass, names: Sequence[str]) -> ByClass:
    """Load what `TrainedByClass.save` saved; raises as `tensor_files.load_model` does."""
    return load_model(path, lambda tensors: _model_of(tensors, settings, names))


def _model_of(
    tensors: Mapping[str, torch.Tensor], settings: MixtureByClass, names: Sequence[str]
) -> ByClass:
    """Build the model; KeyError, IndexError or ValueError for tensors of another model."""
    known = tuple(CLASSES[code] for code in tensors["classes"].tolist())
    star = tensors["star"].numpy()
    inputs, parameters = layers_from(_part(tensors, "classes"), len(names))
    shape = Shape.of(_of_classes(settings), inputs.count, len(known))
    require_count(parameters, shape)
    redshifts = {
        name: networks_from(_part(tensors, name), settings, len(names), _lower(settings, star))
        for name in known
        if name != STAR
    }
    if star.shape != (2,) or not redshifts:
        raise ValueError("it knows no class with a redshift")
    return ByClass(ClassNetworks(inputs, shape, parameters, known), redshifts, star, tuple(names))


def _part(tensors: Mapping[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    start = f"{name}."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}


def _of_class(part: Part, name: str) -> Part:
    return part.subset(part.truth("spec_class") == name)


def _classes_of(train: Part, validation: Part) -> tuple[str, ...]:
    """Return the classes of the train part; the validation part may have no others."""
    for part in (train, validation):
        if part.spec_class is None:
            raise ValueError(
                "the sample has no spec_class, which p(z) by class is trained on; remove the model "
                "or add the column to source.columns"
            )
    present = np.unique(train.truth("spec_class"))
    names = tuple(name for name in CLASSES if name in present)
    for part in (train, validation):
        classes = part.truth("spec_class")
        unknown = np.flatnonzero(~np.isin(classes, names))
        if len(unknown):
            raise ValueError(
                f"spec_class is {str(classes[unknown[0]])!r} for row_id "
                f"{part.row_id[unknown[0]]}; {len(unknown)} objects have a class that is not in "
                f"the train part ({', '.join(names)}); add {{cut: classes}} to the sample's cuts"
            )
    if not set(names) - {STAR}:
        raise ValueError("all training objects are stars; p(z) needs galaxies or quasars")
    return names


def _stars(train: Part) -> np.ndarray:
    """Return mean and width of the stars' redshifts; zeros without stars."""
    zspec = train.truth("zspec")[train.truth("spec_class") == STAR]
    if not len(zspec):
        return np.zeros(2)
    median = np.median(zspec)
    width = 1.4826 * np.median(np.abs(zspec - median))
    return np.array([median, max(width, NARROWEST)])


def _lower(settings: MixtureByClass, star: np.ndarray) -> float:
    """Return where p(z) begins."""
    return min(settings.lowest, float(star[0] - REACH * star[1]))


def _programs(
    settings: MixtureByClass,
    seed: int,
    parts: Mapping[str, tuple[Part, Part]],
    classes: Sequence[str],
    device: torch.device,
    lower: float,
    upper: float,
) -> Iterator[tuple[str, EnsembleProgram[Classes] | EnsembleProgram[Redshifts]]]:
    """Yield the training of the classes, then that of the redshifts of each class."""
    for name, pair in parts.items():
        try:
            if name == "classes":
                yield name, class_program(_of_classes(settings), seed, *pair, device, classes)
            else:
                yield name, redshift_program(settings, seed, *pair, device, lower, upper)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def _of_classes(settings: MixtureByClass) -> Settings:
    """Return the settings of the class networks, which are those of `network_ensemble`."""
    return replace(Settings.of(settings), activation="tanh")


def _joint_history(
    histories: Mapping[str, list[dict[str, float]]], shares: Mapping[str, float]
) -> list[dict[str, float]]:
    """Return the mean losses of p(class) p(z | class) from those of its factors."""

    def mean_loss(epoch: int, loss: str) -> float:
        return math.fsum(
            shares[name] * history[min(epoch, len(history)) - 1][loss]
            for name, history in histories.items()
        )

    return [
        {"epoch": epoch} | {loss: mean_loss(epoch, loss) for loss in LOSSES}
        for epoch in range(1, max(map(len, histories.values())) + 1)
    ]
