"""The linear regression once more, by gradient descent: the lecture's second way.

The mean squared error of a linear model is a bowl with one lowest point, which the normal equations
give at once and gradient descent reaches step by step. How many steps it takes is a matter of the
bowl's shape: SDSS magnitudes are so correlated that in standardised ugriz the bowl is 3000 times
steeper along one direction than along another, and a step small enough for the one is far too small
for the other. So the standardised features are first turned to their principal axes and scaled to
unit variance (decorrelated, "whitened"): the bowl is round, and about a hundred steps are enough.
Directions without any variance (a constant feature, colours beside the magnitudes they are made of)
are left out; they can't change a prediction.

The weights are then turned back, so the saved model is a plain linear layer on standardised
features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sdssflow.configuration.networks import GradientDescent
from sdssflow.prepare.parts import Part
from sdssflow.regress.networks import RedshiftNetwork, Trained, load_tensors

NO_VARIANCE = 1e-12  # of the largest variance along a principal axis: rounding, not information


def fit(
    settings: GradientDescent,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> Trained:
    """Fit the linear model by full-batch gradient descent in float64.

    Arguments are as in `configuration.kinds`. Nothing is drawn by the seed, kept in a checkpoint or
    stopped on the validation part, whose loss is recorded.

    Returns
    -------
    Trained
        A network without hidden layers; one row of history per step.

    Raises
    ------
    ValueError
        If the gradient is not within the tolerance after `max_steps`, or grows beyond all bounds.
    """
    network = RedshiftNetwork(train.features.shape[1], [], torch.float64)
    network.standardise_to(train.features, train.truth("zspec"))
    network.to(device)
    x = network.standardised(torch.tensor(train.features).to(device))
    y = network.standardised_zspec(torch.tensor(train.zspec).to(device))
    axes = _principal_axes(x)
    x_axes = x @ axes
    x_validation = network.standardised(torch.tensor(validation.features).to(device)) @ axes
    y_validation = network.standardised_zspec(torch.tensor(validation.zspec).to(device))

    weights = torch.zeros(axes.shape[1], dtype=torch.float64, device=device)  # initialise
    bias = torch.zeros((), dtype=torch.float64, device=device)
    history: list[dict[str, float]] = []
    for step in range(1, settings.max_steps + 1):
        residual = x_axes @ weights + bias - y  # forward
        loss = torch.mean(residual**2)
        weight_gradient = 2 * (x_axes.T @ residual) / len(y)
        bias_gradient = 2 * residual.mean()
        held_back = torch.mean((x_validation @ weights + bias - y_validation) ** 2)
        history.append(
            {"epoch": step, "train_loss": loss.item(), "validation_loss": held_back.item()}
        )
        steepest = max(_largest(weight_gradient), abs(bias_gradient.item()))
        if not math.isfinite(steepest):
            raise ValueError(
                f"gradient descent diverged at step {step}; lower learning_rate "
                f"(now {settings.learning_rate}, it must be below 1)"
            )
        if steepest <= settings.tolerance:
            break
        weights = weights - settings.learning_rate * weight_gradient  # update
        bias = bias - settings.learning_rate * bias_gradient
    else:
        raise ValueError(
            f"gradient descent: a component of the gradient is still {steepest:.2g} after "
            f"{settings.max_steps} steps; raise learning_rate or max_steps, or tolerance "
            f"(now {settings.tolerance})"
        )
    slopes, constant = network.parameters()
    with torch.no_grad():
        slopes.copy_((axes @ weights)[None, :])
        constant.copy_(bias[None])
    return Trained(network.cpu(), history, best_epoch=step)


def load(path: str | Path, settings: GradientDescent, names: Sequence[str]) -> RedshiftNetwork:
    """Load a model saved by `Trained.save`, on the CPU; errors as `networks.load`."""
    return load_tensors(RedshiftNetwork(len(names), [], torch.float64), path)


def _principal_axes(x: torch.Tensor) -> torch.Tensor:
    """Return the (f, g) matrix that turns standardised features into g uncorrelated unit ones."""
    variance, directions = np.linalg.eigh((x.T @ x / len(x)).cpu().numpy())
    kept = variance > NO_VARIANCE * max(variance.max(initial=0.0), 1.0)
    return torch.from_numpy(directions[:, kept] / np.sqrt(variance[kept])).to(x.device)


def _largest(values: torch.Tensor) -> float:
    return values.abs().max().item() if len(values) else 0.0
