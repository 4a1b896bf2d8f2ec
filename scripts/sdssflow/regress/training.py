"""How a network learns, step by step: initialise, forward, loss, update, repeat till convergence.

The steps are spelt out on purpose, without a data loader or a trainer class. All rows are on the
device from the start; a mini-batch is a slice of a shuffled copy.

Reproducible: the same rows, settings and seed give the same bytes on the same CPU with the same
number of threads. On a GPU weights agree to rounding only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from sdssflow.configuration.networks import (
    Committee,
    GradientDescent,
    MixtureEnsemble,
    Network,
)
from sdssflow.devices import do_without, reserve
from sdssflow.logs import progress
from sdssflow.prepare.parts import Part
from sdssflow.provenance.records import note
from sdssflow.regress.committees import train_committee
from sdssflow.regress.descent import descend
from sdssflow.regress.ensemble_training import TrainedEnsemble, train_ensemble
from sdssflow.regress.networks import DTYPES, RedshiftNetwork, Trained, initialise

logger = logging.getLogger("sdssflow")
LOSSES = {"mse": nn.MSELoss, "mae": nn.L1Loss}


@contextmanager
def training_device(gpus: int, without_gpu: str) -> Iterator[torch.device]:
    """Have a device to train on, which is no other job's, till the end of the block.

    Parameters
    ----------
    gpus : int
        The resource `gpu`; 0 is the CPU.
    without_gpu : str
        The resource of that name: 'stop' or 'cpu', where there is no GPU.

    Yields
    ------
    torch.device
        The CPU or the CUDA device. Which card that is, torch can't see: it is always the first.

    Raises
    ------
    ValueError, RuntimeError, OSError
        See `devices.reserve` and `choose_device`.
    """
    with reserve(gpus, without_gpu) as names:
        device = choose_device(len(names), without_gpu)
        logger.info("training on %s", device_name(device))
        note(device=device_name(device))
        yield device


def choose_device(gpus: int, without_gpu: str = "stop") -> torch.device:
    """Return the CPU for 0 GPUs, else the CUDA device.

    Raises
    ------
    RuntimeError
        If a GPU is asked for, torch sees none and `without_gpu` isn't 'cpu': nothing falls back
        silently.
    """
    if gpus < 1:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        do_without(gpus, without_gpu, f"torch {torch.__version__} sees no CUDA device")
        return torch.device("cpu")
    return torch.device("cuda")


def device_name(device: torch.device) -> str:
    """Return 'cpu' or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def train_model(
    settings: Committee | GradientDescent | MixtureEnsemble | Network,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path,
) -> Trained | TrainedEnsemble:
    """Train whichever torch model the settings describe.

    See `train_network`, `committees.train_committee`, `descent.descend` and
    `ensemble_training.train_ensemble` (which alone takes long enough to keep a checkpoint).
    """
    match settings:
        case Committee():
            return train_committee(settings, seed, train, validation, device)
        case GradientDescent():
            return descend(settings, train, validation, device)
        case MixtureEnsemble():
            return train_ensemble(settings, seed, train, validation, device, checkpoint)
    return train_network(settings, seed, train, validation, device)


def train_network(
    settings: Network, seed: int, train: Part, validation: Part, device: torch.device
) -> Trained:
    """Train a fully connected network by AdamW with mini-batches and early stopping.

    Parameters
    ----------
    settings : Network
        Layers, loss, optimiser.
    seed : int
        Seed of the first weights and of the order of the rows.
    train, validation : Part
        Usable parts (`inputs.require_usable`). Without validation objects all epochs are run
        and the last weights are kept.
    device : torch.device
        From `training_device`.

    Raises
    ------
    ValueError
        If the loss is not finite: the learning rate is too large for these features.
    """
    generator = torch.Generator().manual_seed(seed)
    network = RedshiftNetwork(train.features.shape[1], settings.hidden, DTYPES[settings.dtype])
    network.standardise_to(train.features, train.zspec)
    initialise(network, generator)
    network.to(device)

    x, y = network.tensors(train)
    x_validation, y_validation = network.tensors(validation)
    loss_function = LOSSES[settings.loss]()
    steps_per_epoch = math.ceil(len(x) / settings.batch_size)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, settings.max_epochs * steps_per_epoch
    )

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
            optimizer.zero_grad()
            loss.backward()  # gradient of the loss in all weights
            optimizer.step()  # update
            schedule.step()
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
            break  # converged: it has stopped getting better on objects it doesn't learn from
    network.load_state_dict(best_weights)
    return Trained(network.cpu(), history, best_epoch)


def _loss(
    network: RedshiftNetwork, x: torch.Tensor, y: torch.Tensor, loss_function: nn.Module
) -> float:
    """Return the loss on rows that are not learnt from; NaN if there are none."""
    with torch.no_grad():
        return loss_function(network.layers(x)[:, 0], y).item() if len(y) else math.nan


def _require_finite(loss: float, epoch: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise ValueError(
            f"the training loss is {loss} in epoch {epoch}; lower learning_rate "
            f"(now {learning_rate})"
        )
