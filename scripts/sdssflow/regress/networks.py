"""The torch model of `network`, `gradient_descent` and `committee`, and its training.

One class serves all three: standardise the features, apply the layers, undo the standardisation of
the redshift. Without hidden layers it is the linear regression (`descent`); several in a committee
are averaged (`committees`). The standardisation is part of the model, fitted to the train part, so
a prediction needs only the saved file and does not depend on the other rows.

`fit` is written without a data loader or a trainer class: initialise, forward, loss, update, repeat
until convergence. All rows are on the device from the start; a mini-batch is a slice of a shuffled
copy. Reproducible: the same rows, settings and seed give the same bytes on the same CPU with the
same number of threads. On a GPU weights agree to rounding only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from sdssflow.ensembles.adamw import AdamW
from sdssflow.ensembles.standardisation import FEATURE_BOUND, mean_and_scale
from sdssflow.ensembles.tensor_files import load_model, save_tensors
from sdssflow.logs import progress

if TYPE_CHECKING:
    from sdssflow.configuration.networks import Network
    from sdssflow.prepare.parts import Part

Model = TypeVar("Model", bound=nn.Module)
DTYPES = {"float32": torch.float32, "float64": torch.float64}
LOSSES = {"mse": nn.MSELoss, "mae": nn.L1Loss}
BLOCK = 4096  # rows predicted at once


class RedshiftModule(nn.Module):
    """A network or a committee of networks that predicts zphot from features."""

    dtype: torch.dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) float64 zphot for (n, f) float64 features.

        Blocks have one size, the last padded with copies of its last row: matrix products of other
        sizes round differently, so the last digits of zphot would depend on the other rows.
        """
        zphot = np.empty(len(features))
        self.eval()
        with torch.inference_mode():
            for start in range(0, len(features), BLOCK):
                rows = features[start : start + BLOCK]
                block = np.concatenate([rows, np.repeat(rows[-1:], BLOCK - len(rows), axis=0)])
                output = self(torch.from_numpy(block).to(self.device))
                zphot[start : start + len(rows)] = output[: len(rows)].cpu().numpy()
        return zphot


class RedshiftNetwork(RedshiftModule):
    """A fully connected network from features to zphot, including standardisation.

    Parameters
    ----------
    features : int
        Number f of features.
    hidden : sequence of int
        Units of the hidden layers; none for a linear model.
    dtype : torch.dtype
        Precision of the layers. Standardisation is always float64: in float32 a magnitude of 20
        has steps of 2e-6.
    activation : type of torch.nn.Module
        Activation between the layers, SiLU (x sigmoid(x)) by default.

    Attributes
    ----------
    feature_mean, feature_scale : (f,) float64 buffers
        Standardisation of the features.
    feature_bound : () float64 buffer
        Standardised features are clipped to it (`standardisation.FEATURE_BOUND`); infinite for the
        linear model.
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
        self.dtype = dtype
        self.feature_mean = nn.Buffer(torch.zeros(features, dtype=torch.float64))
        self.feature_scale = nn.Buffer(torch.ones(features, dtype=torch.float64))
        bound = torch.tensor(FEATURE_BOUND if hidden else math.inf, dtype=torch.float64)
        self.feature_bound = nn.Buffer(bound)
        self.zspec_mean = nn.Buffer(torch.zeros((), dtype=torch.float64))
        self.zspec_scale = nn.Buffer(torch.ones((), dtype=torch.float64))
        widths = [features, *hidden, 1]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            # skip_init: `initialise` draws the weights from its own generator
            layers += [nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=dtype), activation()]
        self.layers = nn.Sequential(*layers[:-1])  # none after the last layer

    def standardise_to(self, features: np.ndarray, zspec: np.ndarray) -> None:
        """Fit the standardisation to (n, f) features and (n,) redshifts of the train part."""
        pairs = {"feature": mean_and_scale(features), "zspec": mean_and_scale(zspec)}
        for name, (mean, scale) in pairs.items():
            getattr(self, f"{name}_mean").copy_(torch.as_tensor(mean))
            getattr(self, f"{name}_scale").copy_(torch.as_tensor(scale))

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n, f) features with mean 0 and scale 1, clipped, in the layers' precision."""
        standardised = (features - self.feature_mean) / self.feature_scale
        return standardised.clamp(-self.feature_bound, self.feature_bound).to(self.dtype)

    def standardised_zspec(self, zspec: torch.Tensor) -> torch.Tensor:
        """Return (n,) redshifts with mean 0 and scale 1, in the precision of the layers."""
        return ((zspec - self.zspec_mean) / self.zspec_scale).to(self.dtype)

    def tensors(self, part: Part) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's standardised features and redshifts on the network's device."""
        features = torch.tensor(part.features).to(self.device)
        zspec = torch.tensor(part.zspec).to(self.device)
        return self.standardised(features), self.standardised_zspec(zspec)

    def copied_weights(self) -> dict[str, torch.Tensor]:
        """Return a copy of all tensors, to restore them later."""
        return {name: tensor.clone() for name, tensor in self.state_dict().items()}

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n,) float64 zphot of (n, f) float64 features."""
        output = self.layers(self.standardised(features))[:, 0]
        return output.double() * self.zspec_scale + self.zspec_mean


@dataclass(frozen=True)
class Trained:
    """A trained network or committee and its training history.

    Attributes
    ----------
    network : RedshiftNetwork or NetworkCommittee
        With the weights of the best epoch.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss`, `validation_loss` (NaN without a validation
        part), of the standardised redshift.
    best_epoch : int or list of int
        Epoch of the weights; one per member of a committee.
    """

    network: RedshiftModule
    history: list[dict[str, float]]
    best_epoch: int | list[int]

    @property
    def dtype(self) -> str:
        """Precision of the layers, for the model card."""
        return str(self.network.dtype).removeprefix("torch.")

    def save(self, path: str | Path) -> None:
        """Save weights and standardisation as safetensors, atomically."""
        save_tensors(self.network.state_dict(), path)


def initialise(network: RedshiftNetwork, generator: torch.Generator) -> None:
    """Draw the weights (He et al. 2015, arXiv:1502.01852, uniform); biases start at zero."""
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)


def fit(
    settings: Network,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> Trained:
    """Train a fully connected network by AdamW with mini-batches and early stopping.

    Arguments are as in `configuration.kinds`; training is too short to need a checkpoint. Without
    validation objects all epochs are run and the last weights are kept.

    Raises
    ------
    ValueError
        If the loss is not finite: the learning rate is too large for these features.
    """
    generator = torch.Generator().manual_seed(seed)
    network = RedshiftNetwork(train.features.shape[1], settings.hidden, DTYPES[settings.dtype])
    network.standardise_to(train.features, train.truth("zspec"))
    initialise(network, generator)
    network.to(device)

    x, y = network.tensors(train)
    x_validation, y_validation = network.tensors(validation)
    loss_function = LOSSES[settings.loss]()
    optimizer = AdamW(network.parameters(), settings.learning_rate, settings.weight_decay)
    steps, last_step = 0, settings.max_epochs * math.ceil(len(x) / settings.batch_size)

    history: list[dict[str, float]] = []
    best_loss, best_epoch, best_weights = math.inf, 0, network.copied_weights()
    epochs = range(1, settings.max_epochs + 1)
    for epoch in progress(epochs, settings.max_epochs, "epoch"):
        order = torch.randperm(len(x), generator=generator).to(device)
        x_shuffled, y_shuffled = x[order], y[order]
        summed_loss = torch.zeros((), dtype=torch.float64, device=device)
        for start in range(0, len(x), settings.batch_size):
            x_batch = x_shuffled[start : start + settings.batch_size]
            y_batch = y_shuffled[start : start + settings.batch_size]
            output = network.layers(x_batch)[:, 0]  # forward
            loss = loss_function(output, y_batch)
            network.zero_grad()
            loss.backward()  # gradient of the loss in all weights
            optimizer.step()  # update
            steps += 1
            # cosine schedule to zero: each rate from the one before, as torch.optim rounds it
            before, after = (1 + math.cos(math.pi * s / last_step) for s in (steps - 1, steps))
            optimizer.learning_rate = after / before * optimizer.learning_rate
            summed_loss += loss.detach() * len(y_batch)
        train_loss = summed_loss.item() / len(x)
        _require_finite(train_loss, epoch, settings.learning_rate)
        validation_loss = _loss(network, x_validation, y_validation, loss_function)
        history.append(
            {"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss}
        )
        if not len(y_validation) or validation_loss < best_loss:
            best_loss, best_epoch, best_weights = validation_loss, epoch, network.copied_weights()
        elif epoch - best_epoch >= settings.patience:
            break  # converged: the validation loss no longer decreases
    network.load_state_dict(best_weights)
    return Trained(network.cpu(), history, best_epoch)


def _loss(
    network: RedshiftNetwork, x: torch.Tensor, y: torch.Tensor, loss_function: nn.Module
) -> float:
    """Return the loss on validation rows; NaN if there are none."""
    with torch.no_grad():
        return loss_function(network.layers(x)[:, 0], y).item() if len(y) else math.nan


def _require_finite(loss: float, epoch: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise ValueError(
            f"the training loss is {loss} in epoch {epoch}; lower learning_rate "
            f"(now {learning_rate})"
        )


def load(path: str | Path, settings: Network, names: Sequence[str]) -> RedshiftNetwork:
    """Load a network saved by `Trained.save`; raises as `load_model` does."""
    return load_tensors(RedshiftNetwork(len(names), settings.hidden, DTYPES[settings.dtype]), path)


def load_tensors(network: Model, path: str | Path) -> Model:
    """Load the tensors of a file into a network or committee; raises as `load_model` does."""
    load_model(path, network.load_state_dict)
    return network
