import math

import numpy as np
import torch
from scipy.stats import truncnorm

from sdssflow.regress.mixture_networks import TruncatedMixtureLoss

BOUNDS, BACKGROUND = (-1.5, 4.0), 1e-3


def mixture(seed=0, members=2, objects=7, components=3):
    generator = torch.Generator().manual_seed(seed)
    shape = (components, members, objects)
    log_weights, means, log_scales = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    log_weights = torch.log_softmax(log_weights, dim=0)
    zspec = torch.rand(shape[1:], generator=generator, dtype=torch.float64) * 5.5 - 1.5
    return log_weights, means.clamp(*BOUNDS), log_scales - 0.5, zspec


def test_the_loss_is_that_of_scipys_truncated_gaussians():
    log_weights, means, log_scales, zspec = mixture()
    loss = TruncatedMixtureLoss.apply(log_weights, means, log_scales, zspec, BOUNDS, BACKGROUND)
    w, mu, s = torch.exp(log_weights).numpy(), means.numpy(), torch.exp(log_scales).numpy()
    low, high = (BOUNDS[0] - mu) / s, (BOUNDS[1] - mu) / s
    mass = truncnorm(-np.inf, np.inf)  # the whole Gaussian
    inside = w * (mass.cdf(high) - mass.cdf(low))
    each = truncnorm(low, high, mu, s).pdf(zspec.numpy())
    density = (inside * each).sum(axis=0) / inside.sum(axis=0)
    expected = -np.log((1 - BACKGROUND) * density + BACKGROUND / 5.5)
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-9)


def test_the_gradient_is_that_of_finite_differences():
    log_weights, means, log_scales, zspec = mixture(1)
    free = [values.requires_grad_() for values in (log_weights, means, log_scales)]

    def loss(raw, mu, log_s):
        log_w = torch.log_softmax(raw, dim=0)  # the loss takes normalised weights
        return TruncatedMixtureLoss.apply(log_w, mu, log_s, zspec, BOUNDS, BACKGROUND)

    assert torch.autograd.gradcheck(loss, free)


def test_a_hopeless_redshift_costs_no_more_than_the_background_and_pulls_nothing():
    log_weights, means, log_scales = (
        torch.zeros(1, 1, 1, dtype=torch.float64, requires_grad=True) for _ in range(3)
    )
    narrow = log_scales - 6
    zspec = torch.full((1, 1), 3.9, dtype=torch.float64)
    loss = TruncatedMixtureLoss.apply(log_weights, means, narrow, zspec, BOUNDS, BACKGROUND)
    assert loss.item() == -math.log(BACKGROUND / 5.5)
    gradient = torch.autograd.grad(loss.sum(), [means, log_scales])
    assert all(part.abs().item() < 1e-12 for part in gradient)
