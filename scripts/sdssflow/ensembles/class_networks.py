"""Networks for class probabilities, trained in the same way as those for redshifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.ensembles.batched_networks import (
    ROWS_AT_ONCE,
    Settings,
    Shape,
    draw_layers,
    filled,
    outputs,
    outputs_in_blocks,
)
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.program import EnsembleProgram, pooled

if TYPE_CHECKING:
    from sdssflow.prepare.parts import Part


@dataclass(frozen=True)
class Classes:
    """Probabilities of `count` classes; `targets` are (n,) int64 class numbers."""

    settings: Settings
    targets: torch.Tensor
    count: int

    def shape(self, inputs: int) -> Shape:
        """Return the sizes of the networks: one output for each class."""
        return Shape.of(self.settings, inputs, self.count)

    def initial_parameters(
        self, shape: Shape, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Return initial parameters of all members."""
        return torch.cat([tensor.flatten() for tensor in draw_layers(shape, generators)])

    def loss(
        self,
        shape: Shape,
        parameters: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        sigma: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return -ln p(true class), (K, b)."""
        logits = outputs(shape, parameters, x).float().permute(0, 2, 1)
        return torch.nn.functional.cross_entropy(logits, y, reduction="none")


@dataclass(frozen=True)
class ClassNetworks:
    """An ensemble that predicts the probabilities of the classes `names`."""

    inputs: PhotometricInputs
    shape: Shape
    parameters: torch.Tensor
    names: tuple[str, ...]

    def probabilities(self, features: np.ndarray, feature_names: Sequence[str]) -> np.ndarray:
        """Return (n, classes) probabilities for (n, f) features, means over the members.

        In double precision, so that they do not depend on an object's position in its block.

        Raises
        ------
        ValueError
            If a feature is missing that was never missing in training.
        """
        self.inputs.require_known(features, feature_names)
        found = np.empty((len(features), len(self.names)))
        parameters = self.parameters.double()
        with torch.inference_mode():
            for start in range(0, len(features), ROWS_AT_ONCE):
                rows = features[start : start + ROWS_AT_ONCE]
                x = self.inputs.transform(torch.from_numpy(filled(rows))).double()
                logits = outputs_in_blocks(self.shape, parameters, x)
                mean = torch.softmax(logits, dim=-1).mean(dim=0)
                found[start : start + len(rows)] = mean[: len(rows)].numpy()
        return found


def class_program(
    settings: Settings,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    names: Sequence[str],
) -> EnsembleProgram[Classes]:
    """Return the training of the classes of these names; every object has one of them."""
    codes = [names.index(each) for each in pooled("spec_class", train, validation)]
    objective = Classes(settings, torch.tensor(codes), len(names))
    return EnsembleProgram(settings, seed, train, validation, device, objective)
