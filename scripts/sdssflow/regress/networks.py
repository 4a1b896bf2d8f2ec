"""The torch model behind `network`, `gradient_descent` and `committee`, and how it is saved.

One class serves all three: standardise the features, walk through the layers, undo the
standardisation of the redshift. Without hidden layers it is the linear regression; several in a
committee are averaged (`committees`). What standardises is part of the model, fitted on the train
part alone, so a prediction needs nothing but the saved file and doesn't depend on the rows it is
made together with.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from sdssflow.files import replacing
from sdssflow.regress.standardisation import FEATURE_BOUND, mean_and_scale

if TYPE_CHECKING:
    from sdssflow.prepare.parts import Part

Model = TypeVar("Model", bound=nn.Module)
DTYPES = {"float32": torch.float32, "float64": torch.float64}
BLOCK = 4096  # rows predicted at a time


class RedshiftNetwork(nn.Module):
    """A fully connected network from features to zphot, standardisation included.

    Parameters
    ----------
    features : int
        Number f of features.
    hidden : sequence of int
        Units of the hidden layers; none for a linear model.
    dtype : torch.dtype
        Precision of the layers. Standardisation is float64 always: in float32 a magnitude of 20
        has steps of 2e-6.
    activation : type of torch.nn.Module
        What stands between the layers, SiLU (x sigmoid(x)) by default.

    Attributes
    ----------
    feature_mean, feature_scale : (f,) float64 buffers
        Standardisation of the features.
    feature_bound : () float64 buffer
        Standardised features are kept within it (`scaling.FEATURE_BOUND`); infinite for the linear
        model, which is to be the plain linear regression.
    zspec_mean, zspec_scale : () float64 buffers
        Standardisation of the redshift.
    layers : torch.nn.Sequential
        Linear layers with the activation between them.
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        dtype: torch.dtype,
        activation: type[nn.Module] = nn.SiLU,
    ):
        super().__init__()
        self.register_buffer("feature_mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("feature_scale", torch.ones(features, dtype=torch.float64))
        bound = torch.tensor(FEATURE_BOUND if hidden else math.inf, dtype=torch.float64)
        self.register_buffer("feature_bound", bound)
        self.register_buffer("zspec_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("zspec_scale", torch.ones((), dtype=torch.float64))
        widths = [features, *hidden, 1]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            # skip_init: `initialise` draws the weights, from a generator of its own
            layers += [nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=dtype), activation()]
        self.layers = nn.Sequential(*layers[:-1])  # none after the last layer

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the layers."""
        return self.layers[0].weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.feature_mean.device

    def standardise_to(self, features: np.ndarray, zspec: np.ndarray) -> None:
        """Set the buffers from (n, f) features and (n,) redshifts of the train part."""
        pairs = {"feature": mean_and_scale(features), "zspec": mean_and_scale(zspec)}
        for name, (mean, scale) in pairs.items():
            getattr(self, f"{name}_mean").copy_(torch.as_tensor(mean))
            getattr(self, f"{name}_scale").copy_(torch.as_tensor(scale))

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n, f) features with mean 0 and scale 1, bounded, in the layers' precision."""
        standardised = (features - self.feature_mean) / self.feature_scale
        return standardised.clamp(-self.feature_bound, self.feature_bound).to(self.dtype)

    def standardised_zspec(self, zspec: torch.Tensor) -> torch.Tensor:
        """Return (n,) redshifts with mean 0 and scale 1, in the precision of the layers."""
        return ((zspec - self.zspec_mean) / self.zspec_scale).to(self.dtype)

    def tensors(self, part: Part) -> tuple[torch.Tensor, torch.Tensor]:
        """Return standardised features and redshifts of a part on the network's device."""
        features = torch.tensor(part.features).to(self.device)
        zspec = torch.tensor(part.zspec).to(self.device)
        return self.standardised(features), self.standardised_zspec(zspec)

    def copied_weights(self) -> dict[str, torch.Tensor]:
        """Return a copy of all tensors, to go back to."""
        return {name: tensor.clone() for name, tensor in self.state_dict().items()}

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n,) float64 zphot of (n, f) float64 features."""
        output = self.layers(self.standardised(features))[:, 0]
        return output.double() * self.zspec_scale + self.zspec_mean


@dataclass(frozen=True)
class Trained:
    """A trained network, or committee of them, and how it came about.

    Attributes
    ----------
    network : RedshiftNetwork or NetworkCommittee
        With the weights of the best epoch.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss`, `validation_loss` (NaN without a validation
        part), of the standardised redshift.
    best_epoch : int or list of int
        Whose weights these are; of each member of a committee.
    """

    network: nn.Module
    history: list[dict[str, float]]
    best_epoch: int | list[int]

    @property
    def dtype(self) -> str:
        """Precision of the layers, as a card names it."""
        return str(self.network.dtype).removeprefix("torch.")

    def save(self, path: str | Path) -> None:
        """Save the network."""
        save_network(self.network, path)


def initialise(network: RedshiftNetwork, generator: torch.Generator) -> None:
    """Draw the weights (He et al. 2015, arXiv:1502.01852, uniform); biases start at zero."""
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)


def predict(network: nn.Module, features: np.ndarray) -> np.ndarray:
    """Return (n,) float64 zphot of (n, f) float64 features, by a network or a committee.

    Rows go through the network in blocks of one size, the last one filled up with copies of its
    last row: matrix products of other sizes round differently, and zphot would depend in its last
    digits on the rows beside it.
    """
    device = network.device
    zphot = np.empty(len(features))
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(features), BLOCK):
            rows = features[start : start + BLOCK]
            block = np.concatenate([rows, np.repeat(rows[-1:], BLOCK - len(rows), axis=0)])
            output = network(torch.from_numpy(block).to(device))
            zphot[start : start + len(rows)] = output[: len(rows)].cpu().numpy()
    return zphot


def save_network(network: nn.Module, path: str | Path) -> None:
    """Save weights and standardisation as safetensors, whole or not at all."""
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))


def load_network(
    path: str | Path, features: int, hidden: Sequence[int], dtype: str
) -> RedshiftNetwork:
    """Load a network saved by `save_network`, on the CPU.

    Raises
    ------
    ValueError
        If the file is no safetensors file or its tensors are not those of such a network.
    """
    return load_tensors(RedshiftNetwork(features, hidden, DTYPES[dtype]), path)


def load_tensors(network: Model, path: str | Path) -> Model:
    """Fill a network or a committee from a file, and return it; errors as `load_network`."""
    try:
        tensors = safetensors.torch.load_file(path, device="cpu")
        network.load_state_dict(tensors, strict=True)
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path}: not the network that card.json beside it describes ({error}); "
            "delete the folder and train again"
        ) from error
    return network
