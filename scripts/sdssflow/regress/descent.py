"""Linear regression by gradient descent: the lecture's second way to fit it.

The mean squared error of a linear model is convex with one minimum, which the normal equations
give at once and gradient descent approaches step by step. The number of steps depends on the
condition number: SDSS magnitudes are so correlated that in standardised ugriz the error is 3000
times steeper along one direction than along another, and a step small enough for the one is far too
small for the other. So the standardised features are first whitened: rotated to their principal
axes and scaled to unit variance. Then about a hundred steps are enough. Directions without variance
(a constant feature, colours together with the magnitudes they are made of) are left out; they can't
change a prediction.

The weights are then rotated back: the saved model is a linear layer on standardised features.
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

    Arguments are as in `configuration.kinds`. Seed and checkpoint are not used; the validation loss
    is recorded, but does not stop the fit.

    Returns
    -------
    Trained
        A network without hidden layers; one row of history per step.

    Raises
    ------
    ValueError
        If the gradient is not within the tolerance after `max_steps`, or diverges.
    """
    network = RedshiftNetwork(train.features.shape[1], [], torch.float64)
    network.standardise_to(train.features, train.truth("zspec"))
    network.to(device)
    x, y = network.tensors(train)
    x_validation, y_validation = network.tensors(validation)
    axes = _principal_axes(x)
    x_axes, x_validation = x @ axes, x_validation @ axes

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
        steepest = torch.cat([weight_gradient, bias_gradient[None]]).abs().max().item()
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
    """Load a model saved by `Trained.save`, on the CPU; raises as `networks.load` does."""
    return load_tensors(RedshiftNetwork(len(names), [], torch.float64), path)


def _principal_axes(x: torch.Tensor) -> torch.Tensor:
    """Return the (f, g) whitening matrix of standardised features."""
    variance, directions = np.linalg.eigh((x.T @ x / len(x)).cpu().numpy())
    kept = variance > NO_VARIANCE * max(variance.max(initial=0.0), 1.0)
    return torch.from_numpy(directions[:, kept] / np.sqrt(variance[kept])).to(x.device)
