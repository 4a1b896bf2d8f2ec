"""An ensemble of mixture-density networks as one program: p(z) of all members in one pass.

A mixture-density network (Bishop 1994, Aston University NCRG/94/004) returns for each object the
weights, means and widths of a few Gaussians: a p(z) that may be skewed or have several peaks. The
K members have the same shape, so their parameters are stacked and every layer is one batched
matrix product: ten small networks keep a processor busy where one would not. The members' p(z),
each normalised, are averaged; where they disagree the average is wide.

A fraction of 1e-6 of each p(z) is spread over the whole range. Without it a single object of
unexpected redshift, a quasar among galaxies, would dominate the mean of ln p, in training and in
the choice of the epoch.

p(z) is truncated to [lower, upper], in training as in prediction, and all means lie within it.
upper is a little above the largest training redshift; lower is 0 unless there are stars.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sdssflow.ensembles.batched_networks import (
    ROWS_AT_ONCE,
    Shape,
    draw_layers,
    filled,
    outputs,
    outputs_in_blocks,
)
from sdssflow.ensembles.photometric_inputs import PhotometricInputs, photometric_noise
from sdssflow.redshift_pdf.mixture import Mixture

MARGIN = 0.05  # times 1 + z: how far p(z) extends above the largest training redshift
LOG_SCALES = (-6.0, 3.0)  # limits of ln(width), in units of the scale of zspec
BACKGROUND = 1e-6  # fraction of p(z) that is spread over the whole range
FLATNESS = 2.0  # standard deviation of the Gaussian that spreads it, in units of the range
WITHIN = math.erf(0.5 / FLATNESS / math.sqrt(2))  # probability of that Gaussian within the range
FIRST_NOISE_TERM = 0.1  # standardised redshift per mag
ROOT_HALF = math.sqrt(0.5)
LOG_NORM = math.log(2) - 0.5 * math.log(2 * math.pi)
TWO_OVER_ROOT_2PI = 2 / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class MixtureNetworks:
    """A trained ensemble.

    Attributes
    ----------
    inputs : PhotometricInputs
        From features to inputs.
    shape : Shape
        Sizes of the networks.
    parameters : (p,) float32 tensor
        Weights and biases of all members.
    zspec_mean, zspec_scale : float
        Standardisation of the redshift.
    upper, lower : float
        Largest and smallest redshift of p(z).
    """

    inputs: PhotometricInputs
    shape: Shape
    parameters: torch.Tensor
    zspec_mean: float
    zspec_scale: float
    upper: float
    lower: float = 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """`lower` and `upper` as standardised redshifts."""
        return (
            (self.lower - self.zspec_mean) / self.zspec_scale,
            (self.upper - self.zspec_mean) / self.zspec_scale,
        )


def components_of(shape: Shape) -> int:
    """Return the number c of Gaussians of a member, which has three outputs for each."""
    return shape.outputs // 3


def initial_parameters(shape: Shape, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Draw initial parameters (`batched_networks.draw_layers`), with separate component means."""
    tensors = draw_layers(shape, generators)
    c = components_of(shape)
    tensors[2 * len(shape.hidden) + 1][:, 0, c : 2 * c] = torch.linspace(-1, 1, c) if c > 1 else 0.0
    if shape.noise_terms:
        tensors[-1].fill_(FIRST_NOISE_TERM)
    return torch.cat([tensor.flatten() for tensor in tensors])


def components(
    shape: Shape,
    bounds: tuple[float, float],
    parameters: torch.Tensor,
    x: torch.Tensor,
    sigma: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log weights, means and log widths of the members' Gaussians.

    Parameters
    ----------
    shape : Shape
        Sizes of the networks.
    bounds : (float, float)
        Range of the standardised redshift.
    parameters : (p,) float32 tensor
        Parameters of all members.
    x : (K, b, i) float32 tensor
        Inputs of b objects for each member.
    sigma : (K, b, k) float32 tensor, optional
        Magnitude errors in mag, ugriz first, for noise terms.

    Returns
    -------
    three (c, K, b) float32 tensors
        In units of the standardised redshift. Components come first, so that sums over them run
        over contiguous rows of objects.
    """
    return _as_mixture(shape, bounds, parameters, outputs(shape, parameters, x), sigma)


def _as_mixture(
    shape: Shape,
    bounds: tuple[float, float],
    parameters: torch.Tensor,
    output: torch.Tensor,
    sigma: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return `components` of the layers' outputs."""
    raw_weights, means, log_scales = output.float().permute(2, 0, 1).contiguous().chunk(3)
    log_scales = log_scales.clamp(*LOG_SCALES)
    if shape.noise_terms and sigma is not None:
        squares = shape.split(parameters)[-1] ** 2
        noise = torch.bmm(sigma[..., : shape.noise_terms] ** 2, squares).permute(2, 0, 1)
        variance = torch.exp(2 * log_scales) + noise
        log_scales = 0.5 * torch.log(variance)
    return torch.log_softmax(raw_weights, dim=0), means.clamp(*bounds), log_scales


def log_mass(
    bounds: tuple[float, float],
    log_weights: torch.Tensor,
    means: torch.Tensor,
    log_scales: torch.Tensor,
) -> torch.Tensor:
    """Return the logarithm of each mixture's probability within the bounds, (K, b)."""
    lower, upper = bounds
    inverse = torch.exp(-log_scales) * ROOT_HALF
    within = torch.erf((upper - means) * inverse) - torch.erf((lower - means) * inverse)
    return torch.log((torch.exp(log_weights) * within).sum(dim=0) * 0.5)


class TruncatedMixtureLoss(torch.autograd.Function):
    """-ln((1 - B) p(zspec) + B / range) of each object, p a truncated Gaussian mixture.

    For small networks the overhead of each operation dominates. Under automatic differentiation
    this loss takes some sixty small operations per step; its gradient in weights, means and widths
    has a closed form that shares most of them.
    """

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
        """Return the (K, b) losses of (c, K, b) mixtures and save their gradients.

        `log_weights` are normalised, `means` within the bounds. With gamma a component's fraction
        of p(zspec), t the ends of the range in units of its width relative to its mean, phi the
        Gaussian density, Phi its integral and m the mixture's probability within the range,

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
            known = torch.exp(mixture - density)  # the fraction that is not background
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


def negative_log_density(
    shape: Shape,
    bounds: tuple[float, float],
    parameters: torch.Tensor,
    x: torch.Tensor,
    zspec: torch.Tensor,
    sigma: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return -ln p(zspec) of each member and object, (K, b), of the standardised redshift."""
    mixture = components(shape, bounds, parameters, x, sigma)
    return TruncatedMixtureLoss.apply(*mixture, zspec, bounds, BACKGROUND)


def predict_pdf(networks: MixtureNetworks, features: np.ndarray, names: Sequence[str]) -> Mixture:
    """Return p(z) for (n, f) features: a mixture of K x c Gaussians and the background.

    Raises
    ------
    ValueError
        If a feature is missing that was never missing in training.
    """
    networks.inputs.require_known(features, names)
    members, c = networks.shape.members, components_of(networks.shape)
    parts = torch.empty((3, len(features), members * c + 1), dtype=torch.float64)
    lower, upper = networks.lower, networks.upper
    background = (BACKGROUND / WITHIN, (lower + upper) / 2, (upper - lower) * FLATNESS)
    parts[:, :, -1] = torch.tensor(background, dtype=torch.float64)[:, None]
    with torch.inference_mode():
        for start in range(0, len(features), ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, len(features)))
            block = _predict_block(networks, features[rows], names)
            for part, values in zip(parts, block, strict=True):
                of_members = values[:, :, : rows.stop - start].permute(2, 1, 0)
                part[rows, :-1].unflatten(1, (members, c)).copy_(of_members)
    weights, means, scales = parts.numpy()
    return Mixture(weights, means, scales, lower, upper)


def _predict_block(
    networks: MixtureNetworks, features: np.ndarray, names: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (c, K, b) weights, means and widths for (n, f) features, padded to b rows."""
    shape, bounds, members = networks.shape, networks.bounds, networks.shape.members
    block = filled(features)
    x = networks.inputs.transform(torch.from_numpy(block).to(networks.parameters.device))
    sigma = None
    if shape.noise_terms:
        noise = photometric_noise(block, names, networks.inputs)
        sigma = noise.sigma.expand(members, -1, -1)
    output = outputs_in_blocks(shape, networks.parameters, x)
    log_weights, means, log_scales = _as_mixture(shape, bounds, networks.parameters, output, sigma)
    share = log_weights - log_mass(bounds, log_weights, means, log_scales)
    zphot = means.double() * networks.zspec_scale + networks.zspec_mean
    return (
        torch.exp(share.double()) * (1 - BACKGROUND) / members,
        zphot.clamp(networks.lower, networks.upper),
        torch.exp(log_scales.double()) * networks.zspec_scale,
    )
