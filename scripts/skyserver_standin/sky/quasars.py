"""Quasars: luminosity function, a composite spectrum with variable components, and a host galaxy.

Every quasar has the SDSS composite spectrum (``data/README.md``) with its own power-law slope,
strength of emission lines, dust in its host (SMC law, A = 1.39 E(B-V) (wavelength / micron)^-1.2,
Prevot et al. 1984 as in Richards et al. 2003, AJ 126, 1131) and light of its host. The mean
absorption by the intergalactic medium (Madau 1995) is included in the tables.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from skyserver_standin.sky import conventions as bits
from skyserver_standin.sky.grids import (
    OLD,
    SECOND_OLD,
    WAVELENGTH,
    Sampler,
    arcsec_per_kpc,
    distance_modulus,
    galaxy_grid,
    quasar_grid,
    volume_element,
)
from skyserver_standin.sky.instruments import QSO, Sources

# Richards et al. 2006 (AJ 131, 2766), fit with a slope that depends on redshift above 2.45
REFERENCE, KNEE = 2.45, -26.0
SLOPE, SLOPE_CHANGE = 0.84, -0.12
EVOLUTION = (1.40, 36.28, 33.77)
FAINT_BREAK, FAINT_SLOPE = 19.0, 0.3  # i mag: fainter counts are flatter; round numbers
# chosen by hand from the colours of SDSS quasars at each redshift; slopes are powers of frequency
# added to the composite's; their mean is not 0, because the composite already includes the mean
# dust of quasars
SLOPE_MEAN, SLOPE_SCATTER = 0.05, 0.24
REDDENED = 0.22  # fraction of quasars with dust in their host
LINE_SCATTER = 0.2
FAINTEST = 20.6  # minus the absolute i magnitude of the faintest active nucleus called a quasar
HOST_MAGNITUDE, HOST_SCATTER = -21.1, 0.8  # absolute r
PIVOT = 2500.0  # Å, rest frame: where a change of slope does not change the flux

# i magnitude and redshift range of the quasars that each survey targets, and of those without
# spectra
WINDOWS = {
    "legacy": (15.5, 19.2, 0.06, 5.0),
    "highz": (16.5, 20.3, 2.9, 5.2),
    "boss": (17.0, 21.5, 2.0, 4.2),
    "eboss": (17.0, 21.6, 0.6, 2.4),
    "field": (15.5, 21.6, 0.1, 5.0),
}


def smc_extinction(wavelength: np.ndarray) -> np.ndarray:
    """Extinction per E(B-V) at rest-frame wavelengths in Å."""
    return 1.39 * (wavelength / 1e4) ** -1.2


def luminosity_function(redshift: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Space density per Mpc^3 and mag, up to a constant, at absolute i magnitudes of redshift 2."""
    xi = np.log10((1 + redshift) / (1 + REFERENCE))
    slope = SLOPE + np.where(redshift > REFERENCE, SLOPE_CHANGE * (redshift - REFERENCE), 0)
    b1, b2, b3 = EVOLUTION
    return 10 ** (slope * (magnitude - KNEE - b1 * xi - b2 * xi**2 - b3 * xi**3))


@cache
def _sampler(kind: str) -> Sampler:
    bright, faint, low, high = WINDOWS[kind]
    redshift = np.arange(low + 0.01, high, 0.02)
    i = np.arange(bright + 0.025, faint, 0.05)
    correction = -2.5 * np.log10(quasar_grid().at(redshift)[:, 0, 3])

    def density(z: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
        absolute = magnitude - distance_modulus(z) - correction[:, None]
        counts = volume_element(z) * luminosity_function(z, absolute)
        flatter = 10 ** ((FAINT_SLOPE - SLOPE) * np.maximum(magnitude - FAINT_BREAK, 0))
        # fainter ones are called broad-line galaxies
        luminous = 1 / (1 + np.exp((absolute + FAINTEST) / 0.35))
        return counts * flatter * luminous * completeness(kind, z)

    return Sampler(redshift, i, density)


def completeness(kind: str, redshift: np.ndarray) -> np.ndarray:
    """Fraction of quasars that a selection finds.

    Quasars near redshift 2.7 have the colours of stars (Richards et al. 2006, figure 8); BOSS
    targets redshifts above 2.15. Smooth curves, chosen by hand.
    """
    if kind in ("legacy", "highz"):
        return 1 - 0.85 * np.exp(-0.5 * ((redshift - 2.75) / 0.22) ** 2)
    if kind == "boss":
        return 1 / (1 + np.exp(-(redshift - 2.2) / 0.06))
    return np.ones_like(redshift)


def draw_quasars(kind: str, n: int, rng: np.random.Generator) -> Sources:
    """Draw n quasars of one target class, a key of `WINDOWS`."""
    redshift, i = _sampler(kind).draw(n, rng)
    nucleus = _nuclei(redshift, i, rng)
    flux, radius = _with_host(redshift, nucleus, rng)
    draw = rng.random(n)
    legacy = np.where(redshift > 2.9, bits.QSO_HIZ, bits.QSO_CAP)
    core = np.where(draw < 0.5, bits.QSO_CORE_MAIN, bits.QSO_BONUS_MAIN)
    subclass = np.select(
        [draw < 0.78, draw < 0.8], ["BROADLINE", "STARBURST BROADLINE"], default=""
    )
    targets = legacy if kind in ("legacy", "highz") else 0, core if kind == "boss" else 0
    return Sources.of(flux, redshift, QSO, subclass, radius, True, *targets)


def _nuclei(redshift: np.ndarray, i: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return fluxes (n, 5) of quasars without hosts, with given dust-free i magnitudes."""
    n = len(redshift)
    total, continuum = np.moveaxis(quasar_grid().at(redshift), 1, 0)
    rest = WAVELENGTH / (1 + redshift[:, None])
    # the power of frequency grows by `bluer`, about the pivot
    bluer = rng.normal(SLOPE_MEAN, SLOPE_SCATTER, n)[:, None]
    tilt = (rest / PIVOT) ** -bluer
    strength = np.exp(rng.normal(0, LINE_SCATTER, n))[:, None]
    # lines of different ions vary independently, hence some scatter from band to band
    strength = strength * np.exp(rng.normal(0, 0.12, (n, 5)))
    shape = (continuum + strength * (total - continuum)) * tilt
    shape *= np.exp(rng.normal(0, 0.012, shape.shape))
    shape *= 10 ** (-0.4 * i[:, None]) / shape[:, 3:4]
    dust = np.where(rng.random(n) < REDDENED, rng.exponential(0.045, n), 0.0)
    return shape * 10 ** (-0.4 * dust[:, None] * smc_extinction(rest))


def _with_host(
    redshift: np.ndarray, nucleus: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add a host of the old templates; return fluxes (n, 5) and half-light radii (n,)."""
    n = len(redshift)
    seen = np.minimum(redshift, 1.19)
    magnitude = rng.normal(HOST_MAGNITUDE, HOST_SCATTER, n)
    shape = galaxy_grid().at(seen)[:, [OLD, SECOND_OLD]].mean(axis=1)
    dimming = 10 ** (-0.4 * (magnitude + distance_modulus(redshift)))
    host = np.where(redshift < 1.19, dimming, 0)[:, None] * shape
    share = host[:, 2] / (host[:, 2] + nucleus[:, 2])
    # the image is a point source on a galaxy: extended only if the galaxy is bright enough
    radius = share * 5.0 * arcsec_per_kpc(redshift)
    return host + nucleus, np.where(share > 0.1, radius, 0.0)
