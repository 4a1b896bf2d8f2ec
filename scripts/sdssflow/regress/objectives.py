"""What the members of an ensemble of redshifts learn: p(z)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.standardisation import mean_and_scale
from sdssflow.regress import mixture_networks
from sdssflow.regress.mixture_networks import MARGIN, MixtureNetworks, negative_log_density

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble


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
