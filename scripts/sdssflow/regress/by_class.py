"""p(z) of objects of unknown class: the sum over classes of p(class) p(z | class).

Three ensembles learn from the same features: one the classes of all objects, one the redshifts of
the galaxies, one those of the quasars. A star has the redshift of its motion in the Galaxy, which
its colours don't tell: its p(z) is one narrow Gaussian, the same for all. One regressor of all
objects has to find the classes by their redshifts alone, and spends its few Gaussians on them.
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
from sdssflow.ensembles.program import EnsembleProgram
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
NARROWEST = 1e-4  # width of the stars' p(z), 30 km/s: about the error of a spectrum
REACH = 6.0  # of these widths: how far p(z) goes below the stars' mean


@dataclass(frozen=True)
class ByClass:
    """Ensembles of classes and redshifts.

    Attributes
    ----------
    classes : ClassNetworks
        p(class).
    redshifts : dict of str to MixtureNetworks
        p(z | class) of each class but stars; all have the same range.
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
        """Return the (n, 3) probabilities of `CLASSES`, of (n, f) features."""
        found = np.zeros((len(features), len(CLASSES)))
        columns = [CLASSES.index(name) for name in self.classes.names]
        found[:, columns] = self.classes.probabilities(features, self.feature_names)
        return found

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) of (n, f) features; errors as `ClassNetworks.probabilities`."""
        probability = self.classes.probabilities(features, self.feature_names)
        weights, means, scales = [], [], []
        for place, name in enumerate(self.classes.names):
            share = probability[:, place : place + 1]
            if name == STAR:
                mean, scale = (np.full_like(share, value) for value in self.star)
                its = (np.ones_like(share), mean, scale)
            else:
                pdf = predict_pdf(self.redshifts[name], features, self.feature_names)
                its = (pdf.weights, pdf.means, pdf.scales)
            weights.append(share * its[0])
            means.append(its[1])
            scales.append(its[2])
        some = next(iter(self.redshifts.values()))
        w, m, s = (np.concatenate(values, axis=1) for values in (weights, means, scales))
        return Mixture(w, m, s, some.lower, some.upper)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n, f) features lack nothing that training never lacked."""
        every = (self.classes.inputs, *(its.inputs for its in self.redshifts.values()))
        return ~np.any([inputs.unforeseen(features).any(axis=1) for inputs in every], axis=0)


@dataclass(frozen=True)
class TrainedByClass:
    """Trained ensembles and how they came about.

    Attributes
    ----------
    model : ByClass
        The ensembles, each member with the parameters it kept.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss` and `validation_loss`: -ln of p(class) p(z | class)
        of the standardised redshift, means over objects and members. An ensemble that stopped
        counts with its last loss.
    best_epoch : list of int
        Epoch of each member's parameters, those of the classes first.
    """

    model: ByClass
    history: list[dict[str, float]]
    best_epoch: list[int]

    dtype = "float32"

    def save(self, path: str | Path) -> None:
        """Save the networks as safetensors, whole or not at all."""
        model = self.model
        codes = torch.tensor([CLASSES.index(name) for name in model.classes.names])
        content = {"classes": codes, "star": torch.tensor(model.star)}
        parts = {"classes": tensors_of_layers(model.classes.inputs, model.classes.parameters)}
        parts |= {name: tensors_of(networks) for name, networks in model.redshifts.items()}
        for part, tensors in parts.items():
            content |= {f"{part}.{name}": tensor for name, tensor in tensors.items()}
        save_tensors(content, path)

    def loaded(self, names: Sequence[str]) -> ByClass:
        """Return the model as `load` would."""
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
        a galaxy's or quasar's redshift is below those of the stars, or the loss is not finite.
    """
    names = _classes_of(train, validation)
    star = _stars(train)
    lower = _lower(settings, star)
    upper = highest(train.truth("zspec")[train.truth("spec_class") != STAR])
    parts = {"classes": (train, validation)}
    for name in names:
        if name != STAR:
            parts[name] = (_of_class(train, name), _of_class(validation, name))
    found, states = {}, {}
    for name, program in _programs(settings, seed, parts, device, lower, upper):
        place = checkpoint and checkpoint.with_name(f"{name}_{checkpoint.name}")
        digests = (train.digest, validation.digest, name)
        states[name] = descend(program, settings, digests, place)
        found[name] = (program.objective, program.trained(states[name]))
    classes = ClassNetworks(*found["classes"][1], names)
    redshifts = {
        name: objective.networks(*its)
        for name, (objective, its) in found.items()
        if isinstance(objective, Redshifts)
    }
    model = ByClass(classes, redshifts, star, train.feature_names)
    shares = {name: len(its[0]) / len(train) for name, its in parts.items()}
    history = _joint_history({name: state.history for name, state in states.items()}, shares)
    best = [epoch for state in states.values() for epoch in state.best_epoch.tolist()]
    return TrainedByClass(model, history, best)


def load(path: str | Path, settings: MixtureByClass, names: Sequence[str]) -> ByClass:
    """Load what `TrainedByClass.save` saved; errors as `tensor_files.load_model`."""
    return load_model(path, lambda tensors: _model_of(tensors, settings, names))


def _model_of(
    tensors: Mapping[str, torch.Tensor], settings: MixtureByClass, names: Sequence[str]
) -> ByClass:
    """Return the model that tensors are of; KeyError, IndexError or ValueError if of none."""
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
    """Return the classes of the train part, which those of the validation part are among."""
    for part in (train, validation):
        if part.spec_class is None:
            raise ValueError(
                "the sample has no spec_class, and p(z) by class is learnt from it; take the model "
                "out, or the column into source.columns"
            )
    present = np.unique(train.truth("spec_class"))
    names = tuple(name for name in CLASSES if name in present)
    for part in (train, validation):
        classes = part.truth("spec_class")
        strange = np.flatnonzero(~np.isin(classes, names))
        if len(strange):
            raise ValueError(
                f"spec_class is {str(classes[strange[0]])!r} for row_id "
                f"{part.row_id[strange[0]]}, and for {len(strange)} objects none of those of the "
                f"train part ({', '.join(names)}); add {{cut: classes}} to the sample's cuts"
            )
    if not set(names) - {STAR}:
        raise ValueError("all training objects are stars; p(z) needs galaxies or quasars")
    return names


def _stars(train: Part) -> np.ndarray:
    """Return mean and width of the redshifts of stars."""
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
    device: torch.device,
    lower: float,
    upper: float,
) -> Iterator[tuple[str, EnsembleProgram[Classes] | EnsembleProgram[Redshifts]]]:
    """Yield the training of the classes, then those of the redshifts of each class."""
    own = _of_classes(settings)
    present = np.unique(parts["classes"][0].truth("spec_class"))
    names = [name for name in CLASSES if name in present]
    for name, its in parts.items():
        try:
            if name == "classes":
                yield name, class_program(own, seed, *its, device, names)
            else:
                yield name, redshift_program(settings, seed, *its, device, lower, upper)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def _of_classes(settings: MixtureByClass) -> Settings:
    """Return the settings of the networks of the classes, as those of `network_ensemble` are."""
    return replace(Settings.of(settings), activation="tanh")


def _joint_history(
    histories: Mapping[str, list[dict[str, float]]], shares: Mapping[str, float]
) -> list[dict[str, float]]:
    """Return the mean losses of p(class) p(z | class) from those of its factors."""
    rows = []
    for epoch in range(1, max(map(len, histories.values())) + 1):
        row: dict[str, float] = {"epoch": epoch}
        for loss in ("train_loss", "validation_loss"):
            each = (
                shares[name] * history[min(epoch, len(history)) - 1][loss]
                for name, history in histories.items()
            )
            row[loss] = math.fsum(each)
        rows.append(row)
    return rows
