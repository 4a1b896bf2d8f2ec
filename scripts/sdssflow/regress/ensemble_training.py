"""Training of an ensemble of mixture-density networks: K members in one program.

See `ensembles.program` for what an epoch is. Every member is stopped individually, on objects it
is not trained on, and keeps the parameters of the last epoch that was not worse than its best.
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
        Settings of the networks.
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
        """Fit the standardisation to the first `learnt` of (n,) redshifts.

        By default p(z) ends a little above the largest of them.

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
        """Return initial parameters of all members."""
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
        """Return the trained networks."""
        about = (self.mean, self.scale, self.upper, self.lower)
        return MixtureNetworks(inputs, shape, parameters, *about)


def highest(zspec: np.ndarray) -> float:
    """Return the upper end of p(z), a little above the largest of (n,) training redshifts."""
    largest = float(zspec.max())
    return largest + MARGIN * (1 + largest)


@dataclass(frozen=True)
class TrainedEnsemble:
    """A trained ensemble and its training history.

    Attributes
    ----------
    networks : MixtureNetworks
        Each member with its best parameters.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss` and `validation_loss`, means over members of the
        negative log density of the standardised redshift (NaN without objects to stop on).
    best_epoch : list of int
        Epoch of each member's parameters.
    """

    networks: MixtureNetworks
    history: list[dict[str, float]]
    best_epoch: list[int]

    dtype = "float32"

    def save(self, path: str | Path) -> None:
        """Save the networks as safetensors, atomically."""
        save_tensors(tensors_of(self.networks), path)

    def loaded(self, names: Sequence[str]) -> LoadedEnsemble:
        """Return the ensemble, as `load` does."""
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

    Arguments are as in `configuration.kinds`. The members' seeds follow from `seed`. With `blocks`
    the members are trained on both parts and each is stopped on blocks of its own; otherwise all
    are stopped on the validation part. Without objects to stop on, all epochs are run and the last
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
    """Return the training of p(z) within a range; raises as `Redshifts.of` does."""
    own = Settings.of(settings)
    learnt = learnt_from(own, train, validation)
    objective = Redshifts.of(settings, pooled("zspec", train, validation), learnt, lower, upper)
    return EnsembleProgram(own, seed, train, validation, device, objective)


@dataclass(frozen=True)
class LoadedEnsemble:
    """A trained ensemble and the names of its features."""

    networks: MixtureNetworks
    names: tuple[str, ...]

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features."""
        return predict_pdf(self.networks, features, self.names)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: no feature is missing that was never missing in training."""
        return ~np.any(self.networks.inputs.newly_missing(features), axis=1)


def load(path: str | Path, settings: MixtureEnsemble, names: Sequence[str]) -> LoadedEnsemble:
    """Load an ensemble saved by `TrainedEnsemble.save`; raises as `load_model` does."""
    networks = load_model(
        path, lambda tensors: networks_from(tensors, settings, len(names), settings.lowest)
    )
    return LoadedEnsemble(networks, tuple(names))


def tensors_of(networks: MixtureNetworks) -> dict[str, torch.Tensor]:
    """Return the tensors that `networks_from` takes."""
    numbers = {name: torch.tensor(getattr(networks, name), dtype=torch.float64) for name in NUMBERS}
    return {**tensors_of_layers(networks.inputs, networks.parameters), **numbers}


def networks_from(
    tensors: Mapping[str, torch.Tensor], settings: MixtureEnsemble, features: int, lower: float
) -> MixtureNetworks:
    """Build the networks; KeyError or ValueError for tensors of another model."""
    inputs, parameters = layers_from(tensors, features)
    shape = Redshifts.shape_for(settings, inputs.count)
    require_count(parameters, shape)
    mean, scale, upper = (tensors[name].item() for name in NUMBERS)
    return MixtureNetworks(inputs, shape, parameters, mean, scale, upper, lower)
