"""What galaxies are made of: mixtures of templates, dust and sizes."""

from __future__ import annotations

import numpy as np

from sdssflow.simulate.templates import (
    DUSTY,
    FORMING,
    OLD,
    SECOND_OLD,
    STARBURST,
    WAVELENGTH,
    YOUNG,
    galaxy_grid,
)
from sdssflow.simulate.volumes import arcsec_per_kpc

# Old templates have too much light below the 4000 Å break, by the u - g of nearby red galaxies in
# the SDSS: 0.17 mag less below 3650 Å and 0.5 mag per 1000 Å more below 3500 Å, nothing of it at
# redshift 0.35, where galaxies are younger and the templates fit
DEFICIT, DEFICIT_BELOW, DEFICIT_SLOPE, DEFICIT_END = 0.17, 3650.0, 0.5e-3, 0.35


def red_fraction(magnitude: np.ndarray) -> np.ndarray:
    """Fraction of red galaxies at an absolute r magnitude (h = 0.7).

    A logistic curve chosen by hand: a tenth at -18.4, half at -20.7, nine tenths at -23.0.
    """
    return 1 / (1 + np.exp((magnitude + 20.7) / 1.05))


def calzetti(wavelength: np.ndarray) -> np.ndarray:
    """Attenuation per E(B-V) by Calzetti et al. 2000 (ApJ 533, 682), equation 4.

    Parameters
    ----------
    wavelength : array
        Rest-frame, Å; from 1200 to 22000.
    """
    x = 1e4 / wavelength
    blue = 2.659 * (-2.156 + 1.509 * x - 0.198 * x**2 + 0.011 * x**3)
    red = 2.659 * (-1.857 + 1.040 * x)
    return np.where(wavelength < 6300, blue, red) + 4.05


def mixtures(
    red: np.ndarray, magnitude: np.ndarray, redshift: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw what galaxies are made of.

    Parameters
    ----------
    red : (n,) bool array
        Of the red sequence.
    magnitude : (n,) array
        Absolute r magnitude.
    redshift : (n,) array
        Redshift: red galaxies are younger at higher ones.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    (n, 6) array
        Share of each template in the rest-frame r light, rows summing to 1. Red ones are old with a
        few per cent of young stars and some metal-rich dust; the others have an old part that grows
        with luminosity.
    """
    n = len(red)
    bright = np.clip((-20.5 - magnitude) / 2, -1, 1)
    old = np.clip(0.36 + 0.16 * bright + rng.normal(0, 0.19, n), 0.02, 0.93)
    youth = np.minimum(rng.exponential(0.06 + 0.07 * redshift), 0.4)
    old = np.where(red, 1 - youth, old)
    shares = np.zeros((n, 6))
    dusty = np.where(red, rng.normal(0.02, 0.04, n) + 0.02 * bright, rng.normal(0.0, 0.05, n))
    shares[:, DUSTY] = old * np.clip(dusty, 0, 0.3)
    part = rng.random(n)
    shares[:, OLD] = (old - shares[:, DUSTY]) * part
    shares[:, SECOND_OLD] = (old - shares[:, DUSTY]) * (1 - part)
    young = rng.beta(9, 7, n)
    burst = np.minimum(rng.exponential(0.02, n), 0.3)
    shares[:, STARBURST] = (1 - old) * burst
    shares[:, YOUNG] = (1 - old) * (1 - burst) * young
    shares[:, FORMING] = (1 - old) * (1 - burst) * (1 - young)
    return shares


def observed_shape(
    redshift: np.ndarray, shares: np.ndarray, dust: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Band fluxes of mixtures in units of their dust-free rest-frame r flux.

    Parameters
    ----------
    redshift : (n,) array
        Redshift.
    shares : (n, 6) array
        From `mixtures`.
    dust : (n,) array
        E(B-V) of the galaxy's own dust, by Calzetti's law.
    rng : numpy.random.Generator
        Source of 0.8 % of scatter from galaxy to galaxy that the templates don't have.

    Returns
    -------
    (n, 5) array
    """
    rest = WAVELENGTH / (1 + redshift[:, None])
    fluxes = galaxy_grid().at(redshift)
    fluxes[:, [OLD, SECOND_OLD]] *= _break_deficit(rest, redshift)[:, None, :]
    shape = np.einsum("ns,nsb->nb", shares, fluxes)
    attenuation = 10 ** (-0.4 * dust[:, None] * calzetti(np.maximum(rest, 1200)))
    return shape * attenuation * np.exp(rng.normal(0, 0.008, shape.shape))


def _break_deficit(rest: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    below = DEFICIT / (1 + np.exp((rest - DEFICIT_BELOW) / 100))
    below += DEFICIT_SLOPE * np.maximum(3500 - rest, 0)
    return 10 ** (-0.4 * below * np.maximum(1 - redshift / DEFICIT_END, 0)[:, None])


def half_light_radius(
    redshift: np.ndarray, magnitude: np.ndarray, early: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw half-light radii in arcsec by Shen et al. 2003 (MNRAS 343, 978).

    Equations 14 (early) to 16, with the parameters that the documentation of SkyPy takes from that
    paper for its example "Galaxy size".
    """
    alpha, beta, gamma, faint = 0.21, 0.53, -1.31, -20.52
    late = -0.4 * alpha * magnitude + gamma
    late += (beta - alpha) * np.log10(1 + 10 ** (-0.4 * (magnitude - faint)))
    kiloparsec = np.where(early, -0.4 * 0.60 * magnitude - 4.63, late)
    scatter = 0.25 + (0.48 - 0.25) / (1 + 10 ** (-0.8 * (magnitude - faint)))
    radius = 10**kiloparsec * np.exp(scatter * rng.standard_normal(len(redshift)))
    return np.clip(radius * arcsec_per_kpc(redshift), 0.15, 30)
