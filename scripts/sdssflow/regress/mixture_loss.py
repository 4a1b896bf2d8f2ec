"""The loss of mixture-density networks with its gradient written out.

Small networks spend their time between operations, not in them. Left to automatic
differentiation, -ln p(zspec) of a truncated mixture is some sixty small operations per step; its
gradient in weights, means and widths has a closed form that shares most of them.
"""

from __future__ import annotations

import math
from typing import Any

import torch

ROOT_HALF = math.sqrt(0.5)
LOG_NORM = math.log(2) - 0.5 * math.log(2 * math.pi)
TWO_OVER_ROOT_2PI = 2 / math.sqrt(2 * math.pi)


class TruncatedMixtureLoss(torch.autograd.Function):
    """-ln((1 - B) p(zspec) + B / range) of each object, p a Gaussian mixture within the range."""

    @staticmethod
    def forward(
        ctx: Any,
        log_weights: torch.Tensor,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        zspec: torch.Tensor,
        bounds: tuple[float, float],
        background: float,
    ) -> torch.Tensor:
        """Return the (K, b) losses of (c, K, b) mixtures and keep their gradients.

        `log_weights` are normalised, `means` within the bounds. With gamma the share of a component
        in p(zspec), t the ends of the range in its units, phi the Gaussian and m the mass within,

            d ln p / d ln w  = gamma - w (Phi(t_u) - Phi(t_l)) / m
            d ln p / d mu    = (gamma deviation + w (phi(t_u) - phi(t_l)) / m) / sigma
            d ln p / d ln s  = gamma (deviation^2 - 1) + w (t_u phi(t_u) - t_l phi(t_l)) / m
        """
        lower, upper = bounds
        inverse = torch.exp(-log_scales)
        deviation = (zspec - means).mul_(inverse)
        square = deviation.square()
        joint = torch.add(log_weights - log_scales, square, alpha=-0.5)
        total = torch.logsumexp(joint, dim=0)
        above, below = (upper - means).mul_(inverse), (lower - means).mul_(inverse)
        weights = torch.exp(log_weights)
        within = torch.erf(above * ROOT_HALF).sub_(torch.erf(below * ROOT_HALF)).mul_(weights)
        mass = within.sum(dim=0)
        mixture = total - torch.log(mass) + (LOG_NORM + math.log1p(-background))
        spread = math.log(background / (upper - lower))
        density = torch.logaddexp(mixture, torch.full_like(mixture, spread))
        if any(ctx.needs_input_grad):
            known = torch.exp(mixture - density)  # what is not the background's
            share = torch.exp(joint - total)
            end_above = torch.exp(-0.5 * above.square())
            end_below = torch.exp(-0.5 * below.square())
            ends = weights / mass * TWO_OVER_ROOT_2PI
            of_means = share * deviation + ends * (end_above - end_below)
            of_scales = share * (square - 1) + ends * (end_above * above - end_below * below)
            ctx.save_for_backward(
                (within / mass - share).mul_(known),
                of_means.mul_(inverse).mul_(-known),
                of_scales.mul_(-known),
            )
        return -density

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients in log weights, means and log widths."""
        return (*(gradient * upstream for gradient in ctx.saved_tensors), *[None] * 3)
