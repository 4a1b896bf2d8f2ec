"""Networks of one shape as one batched program: a layer of all networks is one matrix product."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

BLOCK = 256  # objects per matrix product: they fit into the processor's cache
ROWS_AT_ONCE = 4096  # objects predicted together
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class Settings:
    """Settings of an ensemble, documented in `configuration.networks.MixtureEnsemble`."""

    members: int
    hidden: Sequence[int]
    activation: str
    learning_rate: float
    weight_decay: float
    max_epochs: int
    patience: int
    blocks: int
    batch_size: int | None = None
    noise: float = 0.0
    hide_bands: float = 0.0
    checkpoint_epochs: int = 20
    compiled: bool = False
    bfloat16: bool = False
    deterministic: bool = True

    @classmethod
    def of(cls, section: object) -> Settings:
        """Return the settings of a configuration section that has all of them."""
        return cls(**{field.name: getattr(section, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Shape:
    """Sizes of the members.

    Attributes
    ----------
    members, inputs, outputs : int
        Numbers of members K, of inputs and of outputs of each member.
    hidden : tuple of int
        Units of the hidden layers.
    activation : {'silu', 'tanh'}
        Activation between the layers.
    noise_terms : int
        5 if the variance of a Gaussian (three outputs) has a term for the error of each ugriz
        magnitude, else 0.
    """

    members: int
    inputs: int
    outputs: int
    hidden: tuple[int, ...]
    activation: str
    noise_terms: int = 0

    @classmethod
    def of(cls, settings: Settings, inputs: int, outputs: int, noise_terms: int = 0) -> Shape:
        """Return the shape for some settings."""
        hidden = tuple(settings.hidden)
        return cls(settings.members, inputs, outputs, hidden, settings.activation, noise_terms)

    def tensors(self) -> list[tuple[int, ...]]:
        """Return the shapes of weights and biases, layer by layer, then of the noise terms."""
        widths = [self.inputs, *self.hidden, self.outputs]
        shapes: list[tuple[int, ...]] = []
        for before, after in itertools.pairwise(widths):
            shapes += [(self.members, before, after), (self.members, 1, after)]
        if self.noise_terms:
            shapes.append((self.members, self.noise_terms, self.outputs // 3))
        return shapes

    @property
    def count(self) -> int:
        """Number of all parameters."""
        return sum(math.prod(shape) for shape in self.tensors())

    def split(self, parameters: torch.Tensor) -> list[torch.Tensor]:
        """Return the tensors as views of the vector of all parameters."""
        sizes = [math.prod(shape) for shape in self.tensors()]
        pieces = torch.split(parameters, sizes)
        return [piece.view(shape) for piece, shape in zip(pieces, self.tensors(), strict=True)]


def draw_layers(shape: Shape, generators: Sequence[torch.Generator]) -> list[torch.Tensor]:
    """Draw the weights and biases of each member from its own generator.

    Weights are uniform with the variance of He et al. 2015 (arXiv:1502.01852), those of the last
    layer a tenth of it; biases are 0.
    """
    tensors = [torch.zeros(size) for size in shape.tensors()]
    layers = len(shape.hidden) + 1
    for layer in range(layers):
        weights = tensors[2 * layer]
        bound = math.sqrt(6 / weights.shape[1]) * (0.1 if layer == layers - 1 else 1.0)
        for member, generator in enumerate(generators):
            weights[member].uniform_(-bound, bound, generator=generator)
    return tensors


def outputs(shape: Shape, parameters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the (K, b, outputs) outputs of the members for (K, b, i) inputs."""
    tensors = shape.split(parameters)
    activation = ACTIVATIONS[shape.activation]
    for layer in range(len(shape.hidden)):
        x = activation(torch.baddbmm(tensors[2 * layer + 1], x, tensors[2 * layer]))
    last = 2 * len(shape.hidden)
    return torch.baddbmm(tensors[last + 1], x, tensors[last])


def filled(features: np.ndarray) -> np.ndarray:
    """Return (n, f) features, padded to whole blocks with copies of the last row.

    Matrix products of other sizes round differently, so the last digits of predictions would
    depend on the other rows.
    """
    return np.concatenate([features, np.repeat(features[-1:], -len(features) % BLOCK, axis=0)])


def outputs_in_blocks(shape: Shape, parameters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return `outputs` for (b, i) inputs shared by all members, block by block."""
    blocks = (block.expand(shape.members, -1, -1) for block in x.split(BLOCK))
    return torch.cat([outputs(shape, parameters, block) for block in blocks], dim=1)
