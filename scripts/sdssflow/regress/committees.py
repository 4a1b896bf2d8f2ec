"""A committee of small networks, each trained by quasi-Newton steps: the method of ANNz.

Collister & Lahav 2004 (PASP 116, 345, arXiv:astro-ph/0311058): networks of the same architecture
and different initial weights are trained on the same part, each is stopped at its smallest
validation loss, and the committee's zphot is the mean of theirs.

Networks this small are trained in float64 on all objects at once, by torch's L-BFGS with line
search. The seed of a member's initial weights follows from the model's seed and the member's index,
so a larger committee contains the members of a smaller one. For reproducibility see `networks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from sdssflow.logs import progress
from sdssflow.regress.networks import (
    RedshiftModule,
    RedshiftNetwork,
    Trained,
    initialise,
    load_tensors,
)

if TYPE_CHECKING:
    from sdssflow.configuration.networks import Committee
    from sdssflow.prepare.parts import Part

DTYPE = torch.float64
MEMORY = 20  # steps in the history of L-BFGS
TRIALS = 25  # most evaluations of the loss in a line search


class NetworkCommittee(RedshiftModule):
    """The mean zphot of several networks.

    Parameters
    ----------
    members : sequence of RedshiftNetwork
        The networks.
    """

    dtype = DTYPE

    def __init__(self, members: Sequence[RedshiftNetwork]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n,) float64 zphot of (n, f) float64 features."""
        return torch.stack([member(features) for member in self.members]).mean(dim=0)


def fit(
    settings: Committee,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> Trained:
    """Train the members one after the other.

    Arguments are as in `configuration.kinds`; training is too short to need a checkpoint. Without
    validation objects all steps are made and the last weights are kept.

    Returns
    -------
    Trained
        `history` holds the mean squared error of the standardised redshift, averaged over the
        members still training; `best_epoch` the step of each member's weights.

    Raises
    ------
    ValueError
        If a loss is not finite.
    """
    networks = untrained(settings, train.features.shape[1])
    starts = np.random.SeedSequence(seed).generate_state(settings.members)
    histories, best = [], []
    members = list(zip(networks, starts, strict=True))
    for network, start in progress(members, len(members), "member"):
        network.standardise_to(train.features, train.truth("zspec"))
        initialise(network, torch.Generator().manual_seed(int(start)))
        history, step = _train_member(network.to(device), settings, train, validation)
        histories.append(history)
        best.append(step)
    return Trained(NetworkCommittee(networks).cpu(), _mean_history(histories), best)


def load(path: str | Path, settings: Committee, names: Sequence[str]) -> NetworkCommittee:
    """Load a committee saved by `Trained.save`, on the CPU; raises as `networks.load` does."""
    return load_tensors(NetworkCommittee(untrained(settings, len(names))), path)


def untrained(settings: Committee, features: int) -> list[RedshiftNetwork]:
    """Return the members: networks with sigmoids between their layers."""
    return [
        RedshiftNetwork(features, settings.hidden, DTYPE, nn.Sigmoid)
        for _ in range(settings.members)
    ]


def _train_member(
    network: RedshiftNetwork, settings: Committee, train: Part, validation: Part
) -> tuple[list[tuple[float, float]], int]:
    """Train a network in place; return its (train, validation) losses and best step."""
    (x, y), (x_validation, y_validation) = (network.tensors(part) for part in (train, validation))
    weights = [layer.weight for layer in network.layers if isinstance(layer, nn.Linear)]
    optimizer = torch.optim.LBFGS(
        network.layers.parameters(),
        max_iter=1,
        max_eval=1 + TRIALS,
        history_size=MEMORY,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def error(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.mean((network.layers(x)[:, 0] - y) ** 2)

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        penalty = settings.weight_decay * sum(torch.sum(weight**2) for weight in weights)
        loss = error(x, y) + penalty
        loss.backward()
        return loss

    history: list[tuple[float, float]] = []
    best_loss, best_step, best = math.inf, 0, network.copied_weights()
    for step in range(1, settings.max_epochs + 1):
        optimizer.step(objective)
        with torch.no_grad():
            train_loss, held_back = error(x, y).item(), error(x_validation, y_validation).item()
        if not math.isfinite(train_loss):
            raise ValueError(
                f"the training loss is {train_loss} in step {step}; lower weight_decay "
                f"(now {settings.weight_decay:g})"
            )
        history.append((train_loss, held_back))
        if not len(y_validation) or held_back < best_loss:
            best_loss, best_step, best = held_back, step, network.copied_weights()
        elif step - best_step >= settings.patience:
            break
    network.load_state_dict(best)
    return history, best_step


def _mean_history(histories: Sequence[Sequence[tuple[float, float]]]) -> list[dict[str, float]]:
    """Return, for each step, the mean losses of the members that reached it."""
    rows = []
    for step in range(max(map(len, histories))):
        losses = [history[step] for history in histories if len(history) > step]
        train_loss, validation_loss = np.mean(losses, axis=0).tolist()
        rows.append(
            {"epoch": step + 1, "train_loss": train_loss, "validation_loss": validation_loss}
        )
    return rows
