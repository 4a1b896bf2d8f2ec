"""How an ensemble of mixture-density networks learns: K members, one program.

See `ensembles.program` for what an epoch is. Every member is stopped by itself, judged on objects
it does not learn from: it keeps the parameters of the last epoch that was not worse than its best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.program import EnsembleProgram, learnt_from, pooled
from sdssflow.ensembles.standardisation import mean_and_scale
from sdssflow.ensembles.tensor_files import load_model, save_tensors
from sdssflow.ensembles.training import descend, layers_from, require_count, tensors_of_layers
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress import mixture_networks
from sdssflow.regress.mixture_networks import (
    MARGIN,
    MixtureNetworks,
    negative_log_density,
    predict_pdf,
)

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble
    from sdssflow.prepare.parts import Part

NUMBERS = ("zspec_mean", "zspec_scale", "upper")


@dataclass(frozen=True)
class Redshifts:
    """p(z) within [lower, upper], by mixture-density networks.

    Attributes
    ----------
    settings : MixtureEnsemble
        Of the networks.
    targets : (n,) float32 tensor
        Standardised redshifts.
    mean, scale : float
        Their standardisation.
    lower, upper : float
        Range of p(z).
    """

    settings: MixtureEnsemble
    targets: torch.Tensor
    mean: float
    scale: float
    lower: float
    upper: float

    @classmethod
    def of(
        cls,
        settings: MixtureEnsemble,
        zspec: np.ndarray,
        learnt: int,
        lower: float,
        upper: float | None = None,
    ) -> Redshifts:
        """Take the standardisation from the first `learnt` of (n,) redshifts.

        By default p(z) ends a little beyond the largest of them.

        Raises
        ------
        ValueError
            If a redshift is below the range.
        """
        below = int((zspec < lower).sum())
        if below:
            raise ValueError(
                f"zspec is {'negative' if lower == 0 else f'below {lower:.4g}'} for {below} of "
                f"{len(zspec)} training objects, and p(z) is 0 there; add {{cut: redshift_range, "
                f"minimum: {lower:.4g}}} to the sample's cuts, or set the model's lowest"
            )
        mean, scale = (float(value) for value in mean_and_scale(zspec[:learnt]))
        targets = ((torch.tensor(zspec) - mean) / scale).float()
        upper = highest(zspec[:learnt]) if upper is None else upper
        return cls(settings, targets, mean, scale, lower, upper)

    def shape(self, inputs: int) -> Shape:
        """Return the sizes of the networks."""
        return self.shape_for(self.settings, inputs)

    @staticmethod
    def shape_for(settings: MixtureEnsemble, inputs: int) -> Shape:
        """Return the sizes of networks: three outputs for each component."""
        noise_terms = 5 if settings.noise_aware else 0
        return Shape.of(Settings.of(settings), inputs, 3 * settings.components, noise_terms)

    def initial_parameters(
        self, shape: Shape, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Return first parameters of all members."""
        return mixture_networks.initial_parameters(shape, generators)

    def loss(
        self,
        shape: Shape,
        parameters: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        sigma: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return -ln p(zspec), (K, b)."""
        return negative_log_density(shape, self.bounds, parameters, x, y, sigma)

    @property
    def bounds(self) -> tuple[float, float]:
        """`lower` and `upper`, standardised."""
        return (self.lower - self.mean) / self.scale, (self.upper - self.mean) / self.scale

    def networks(
        self, inputs: PhotometricInputs, shape: Shape, parameters: torch.Tensor
    ) -> MixtureNetworks:
        """Return what has learnt this."""
        about = (self.mean, self.scale, self.upper, self.lower)
        return MixtureNetworks(inputs, shape, parameters, *about)


def highest(zspec: np.ndarray) -> float:
    """Return where p(z) ends, a little beyond the largest of (n,) training redshifts."""
    largest = float(zspec.max())
    return largest + MARGIN * (1 + largest)


@dataclass(frozen=True)
class TrainedEnsemble:
    """A trained ensemble and how it came about.

    Attributes
    ----------
    networks : MixtureNetworks
        Each member with the parameters it kept.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss` and `validation_loss`, means over members of the
        negative log density of the standardised redshift (NaN without objects to stop on).
    best_epoch : list of int
        Epoch that each member's parameters are of.
    """

    networks: MixtureNetworks
    history: list[dict[str, float]]
    best_epoch: list[int]

    dtype = "float32"

    def save(self, path: str | Path) -> None:
        """Save the networks as safetensors, whole or not at all."""
        save_tensors(tensors_of(self.networks), path)

    def loaded(self, names: Sequence[str]) -> LoadedEnsemble:
        """Return the ensemble as `load` would, of features of these names."""
        return LoadedEnsemble(self.networks, tuple(names))


def fit(
    settings: MixtureEnsemble,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> TrainedEnsemble:
    """Train all members together.

    Arguments are as in `configuration.kinds`. Each member's own seed follows from `seed`. With
    `blocks` the members learn from both parts and are stopped on blocks of their own; else the
    validation part stops them all. Without objects to stop on all epochs are run and the last
    parameters are kept.

    Raises
    ------
    ValueError
        If a training redshift is below `lowest`, or the loss is not finite.
    """
    program = redshift_program(settings, seed, train, validation, device, settings.lowest)
    state = descend(program, settings, (train.digest, validation.digest), checkpoint)
    networks = program.objective.networks(*program.trained(state))
    return TrainedEnsemble(networks, state.history, state.best_epoch.tolist())


def redshift_program(
    settings: MixtureEnsemble,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    lower: float,
    upper: float | None = None,
) -> EnsembleProgram[Redshifts]:
    """Return the training of p(z) within a range (`Redshifts.of`, which may refuse redshifts)."""
    own = Settings.of(settings)
    learnt = learnt_from(own, train, validation)
    objective = Redshifts.of(settings, pooled("zspec", train, validation), learnt, lower, upper)
    return EnsembleProgram(own, seed, train, validation, device, objective)


@dataclass(frozen=True)
class LoadedEnsemble:
    """A trained ensemble and the names of the features that it takes."""

    networks: MixtureNetworks
    names: tuple[str, ...]

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) of (n, f) features."""
        return predict_pdf(self.networks, features, self.names)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n, f) features lack nothing that training never lacked."""
        return ~np.any(self.networks.inputs.unforeseen(features), axis=1)


def load(path: str | Path, settings: MixtureEnsemble, names: Sequence[str]) -> LoadedEnsemble:
    """Load an ensemble saved by `TrainedEnsemble.save`; errors as `tensor_files.load_model`."""
    networks = load_model(
        path, lambda tensors: networks_from(tensors, settings, len(names), settings.lowest)
    )
    return LoadedEnsemble(networks, tuple(names))


def tensors_of(networks: MixtureNetworks) -> dict[str, torch.Tensor]:
    """Return what `networks_from` makes the networks of."""
    numbers = {name: torch.tensor(getattr(networks, name), dtype=torch.float64) for name in NUMBERS}
    return {**tensors_of_layers(networks.inputs, networks.parameters), **numbers}


def networks_from(
    tensors: Mapping[str, torch.Tensor], settings: MixtureEnsemble, features: int, lower: float
) -> MixtureNetworks:
    """Return networks of so many features; KeyError, ValueError for tensors of something else."""
    inputs, parameters = layers_from(tensors, features)
    shape = Redshifts.shape_for(settings, inputs.count)
    require_count(parameters, shape)
    mean, scale, upper = (tensors[name].item() for name in NUMBERS)
    return MixtureNetworks(inputs, shape, parameters, mean, scale, upper, lower)
