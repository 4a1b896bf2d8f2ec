r"""Galaxies: luminosity function, selection cuts, mixtures of templates, dust and sizes.

============ ============================================================ =====================
sample       selection (magnitudes without the Galaxy's dust)             source
============ ============================================================ =====================
main         Petrosian r < 17.77                                          Strauss et al. 2002
luminous red r - i and g - r along the passive track, r < 19.5            Eisenstein et al. 2001
LOWZ         \|c_perp\| < 0.2, r < 13.5 + c_par / 0.3, 16 < r < 19.6      BOSS target selection
CMASS        d_perp > 0.55, i < 19.86 + 1.6 (d_perp - 0.8), r - i < 2     BOSS target selection
eBOSS red    r - i > 0.98, i - z > 0.625, 19.9 < i < 21.8, z < 19.95      Prakash et al. 2016
eBOSS line   0.7 < redshift < 1.1, 21.8 < g < 22.8                        eBOSS target selection
field        r < 21.8: objects without spectra                            a round number
============ ============================================================ =====================

c_par = 0.7 (g - r) + 1.2 (r - i - 0.18), c_perp = r - i - (g - r) / 4 - 0.18,
d_perp = r - i - (g - r) / 8. The luminous red cut is simplified to the LOWZ one with r < 19.5.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from skyserver_standin.sky import conventions as bits
from skyserver_standin.sky.grids import (
    DUSTY,
    FORMING,
    OLD,
    SECOND_OLD,
    STARBURST,
    WAVELENGTH,
    YOUNG,
    Sampler,
    arcsec_per_kpc,
    distance_modulus,
    galaxy_grid,
    volume_element,
)
from skyserver_standin.sky.instruments import GALAXY, Sources, petrosian_share

# Blanton et al. 2003 (ApJ 592, 819), r band shifted to z = 0.1, for h = 1
BRIGHT, FAINT_SLOPE, EVOLUTION = -20.44, -1.05, 1.62
LITTLE_H = 0.7
GRID_STEP = 0.005
PILOT = 60_000  # galaxies that show where some pass the cuts
# old templates have too much light below the 4000 Å break, compared with the u - g of nearby red
# galaxies in the SDSS: 0.17 mag are removed below 3650 Å and a further 0.5 mag per 1000 Å below
# 3500 Å, decreasing to 0 at redshift 0.35, where galaxies are younger and the templates fit
DEFICIT, DEFICIT_BELOW, DEFICIT_SLOPE, DEFICIT_END = 0.17, 3650.0, 0.5e-3, 0.35


@cache
def _parent(kind: str) -> Sampler:
    """Return the sampler of redshift and r magnitude of the parent sample of a kind."""
    low, high, bright, faint = PARENTS[kind]
    redshift = np.arange(low + GRID_STEP / 2, high, GRID_STEP)
    r = np.arange(bright + 0.025, faint, 0.05)
    # the same K correction for all: that of the old or, for line emitters, star-forming template
    template = FORMING if kind == "line" else OLD
    track = galaxy_grid().at(redshift)[:, template, 2]
    shifted = galaxy_grid().at(np.array([0.1]))[0, template, 2]
    correction = -2.5 * np.log10(track / shifted) - 2.5 * np.log10(1.1)

    def density(z: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
        absolute = magnitude - distance_modulus(z) - correction[:, None]
        knee = BRIGHT + 5 * np.log10(LITTLE_H) - EVOLUTION * (z - 0.1)
        luminosity = 10 ** (0.4 * (knee - absolute))
        schechter = luminosity ** (FAINT_SLOPE + 1) * np.exp(-luminosity)
        return volume_element(z) * schechter

    return Sampler(redshift, r, density)


@cache
def _sampler(kind: str) -> Sampler:
    """Restrict the parent sample to cells near galaxies that pass the cuts, as most don't."""
    parent = _parent(kind)
    if kind in ("main", "line", "field"):
        return parent
    proposed = _propose(kind, parent, PILOT, np.random.default_rng(0))
    return parent.near(
        *(column[passes(kind, proposed[-1])] for column in (proposed[0], proposed[-2]))
    )


# ranges of redshift and r of the parent samples, wide enough for all galaxies that pass the cuts
PARENTS = {
    "main": (0.004, 0.35, 13.5, 17.77),
    "luminous": (0.15, 0.50, 16.5, 19.5),
    "lowz": (0.08, 0.48, 16.0, 19.6),
    "cmass": (0.35, 0.85, 18.0, 21.6),
    "red": (0.50, 1.05, 20.5, 22.8),
    "line": (0.70, 1.10, 21.3, 22.8),
    "field": (0.004, 1.10, 14.0, 21.8),
}
LEGACY_BITS = {"main": bits.GALAXY_MAIN, "luminous": bits.GALAXY_RED}
BOSS_BITS = {"lowz": bits.GAL_LOZ, "cmass": bits.GAL_CMASS | bits.GAL_CMASS_ALL}


def passes(kind: str, flux: np.ndarray) -> np.ndarray:
    """Return which galaxies with fluxes (n, 5) in maggies pass the cuts of a kind."""
    _, g, r, i, z = -2.5 * np.log10(flux.T)
    along = 0.7 * (g - r) + 1.2 * (r - i - 0.18)
    across = r - i - (g - r) / 4 - 0.18
    above = r - i - (g - r) / 8
    if kind in ("lowz", "luminous"):
        return (np.abs(across) < 0.2) & (r < 13.5 + along / 0.3) & (r > 16)
    if kind == "cmass":
        cut = (above > 0.55) & (i < 19.86 + 1.6 * (above - 0.8)) & (r - i < 2)
        return cut & (i > 17.5) & (i < 19.9)
    if kind == "red":
        return (r - i > 0.98) & (i - z > 0.625) & (i > 19.9) & (i < 21.8) & (z < 19.95)
    if kind == "line":
        return (g > 21.8) & (g < 22.8)
    return np.ones(len(flux), dtype=bool)


def draw_galaxies(kind: str, n: int, rng: np.random.Generator) -> Sources:
    """Draw n galaxies of one target class, a key of `PARENTS`."""
    redshift, magnitude, red, shares, _, flux = _select(kind, n, rng)
    early = rng.random(n) < np.where(red, 0.85, 0.15)
    radius = half_light_radius(redshift, magnitude, early, rng)
    if kind == "main":  # selected by Petrosian magnitude
        flux = flux / petrosian_share(radius, early)[:, None]
    subclass = _subclass(shares, red, rng)
    targets = LEGACY_BITS.get(kind, 0), BOSS_BITS.get(kind, 0)
    return Sources.of(flux, redshift, GALAXY, subclass, radius, early, *targets)


def _select(kind: str, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw galaxies of the parent sample until n pass the cuts; return their columns."""
    parts: list[list[np.ndarray]] = []
    missing, kept = n, 1.0
    while missing > 0:
        # slightly more than needed, by the fraction kept so far
        proposed = _propose(kind, _sampler(kind), int(1.05 * missing / kept) + 32, rng)
        passing = passes(kind, proposed[-1])
        kept = max(passing.mean(), 0.02)
        chosen = np.flatnonzero(passing)[:missing]
        parts.append([column[chosen] for column in proposed])
        missing -= len(chosen)
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _propose(
    kind: str, sampler: Sampler, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    redshift, r = sampler.draw(n, rng)
    # colour and size depend on luminosity relative to the evolution of the bright end
    magnitude = r - distance_modulus(redshift) - 1.1 * redshift
    # chosen by hand: a tenth of the galaxies is red at -18.4, half at -20.7, nine tenths at -23.0
    main = 1 / (1 + np.exp((magnitude + 20.7) / 1.05))
    share = {"main": main, "field": main, "line": 0.0}.get(kind, 1.0)
    red = rng.random(n) < share
    shares = mixtures(red, magnitude, redshift, rng)
    if kind == "line":
        shares[:, STARBURST] += 0.05
        shares[:, [OLD, SECOND_OLD, DUSTY]] *= 0.4
    dust = np.where(red, rng.exponential(0.015, n), rng.gamma(2.0, 0.045, n))
    shape = observed_shape(redshift, shares, dust, rng)
    flux = shape / shape[:, 2:3] * 10 ** (-0.4 * r)[:, None]
    return redshift, magnitude, red, shares, r, flux


def _subclass(shares: np.ndarray, red: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lines = shares[:, YOUNG] + shares[:, FORMING] + 6 * shares[:, STARBURST]
    draw = rng.random(len(red))
    return np.select(
        [red & (draw > 0.06), draw < 0.05, draw < 0.07, lines > 0.75, lines > 0.25],
        ["", "AGN", "BROADLINE", "STARBURST", "STARFORMING"],
        "",
    )


def calzetti(wavelength: np.ndarray) -> np.ndarray:
    """Attenuation per E(B-V) by Calzetti et al. 2000 (ApJ 533, 682), equation 4; rest-frame Å."""
    x = 1e4 / wavelength
    blue = 2.659 * (-2.156 + 1.509 * x - 0.198 * x**2 + 0.011 * x**3)
    red = 2.659 * (-1.857 + 1.040 * x)
    return np.where(wavelength < 6300, blue, red) + 4.05


def mixtures(
    red: np.ndarray, magnitude: np.ndarray, redshift: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the share of each template in the rest-frame r light, (n, 6), rows summing to 1.

    Red galaxies are old with a few per cent of young stars, more at higher redshift, and some
    metal-rich dust; in the others the old fraction grows with luminosity (absolute r magnitude).
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
    """Band fluxes (n, 5) of mixtures (n, 6) in units of their dust-free rest-frame r flux.

    `dust` is E(B-V) of the galaxy's own dust, by Calzetti's law. There is 0.8 % of scatter from
    galaxy to galaxy that the templates don't have.
    """
    rest = WAVELENGTH / (1 + redshift[:, None])
    fluxes = galaxy_grid().at(redshift)
    below = DEFICIT / (1 + np.exp((rest - DEFICIT_BELOW) / 100))
    below += DEFICIT_SLOPE * np.maximum(3500 - rest, 0)
    deficit = 10 ** (-0.4 * below * np.maximum(1 - redshift / DEFICIT_END, 0)[:, None])
    fluxes[:, [OLD, SECOND_OLD]] *= deficit[:, None, :]
    shape = np.einsum("ns,nsb->nb", shares, fluxes)
    attenuation = 10 ** (-0.4 * dust[:, None] * calzetti(np.maximum(rest, 1200)))
    return shape * attenuation * np.exp(rng.normal(0, 0.008, shape.shape))


def half_light_radius(
    redshift: np.ndarray, magnitude: np.ndarray, early: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw half-light radii in arcsec by Shen et al. 2003 (MNRAS 343, 978).

    Equations 14 (early) to 16, with the parameters of the example "Galaxy size" in the
    documentation of SkyPy, which are from that paper.
    """
    alpha, beta, gamma, faint = 0.21, 0.53, -1.31, -20.52
    late = -0.4 * alpha * magnitude + gamma
    late += (beta - alpha) * np.log10(1 + 10 ** (-0.4 * (magnitude - faint)))
    kiloparsec = np.where(early, -0.4 * 0.60 * magnitude - 4.63, late)
    scatter = 0.25 + (0.48 - 0.25) / (1 + 10 ** (-0.8 * (magnitude - faint)))
    radius = 10**kiloparsec * np.exp(scatter * rng.standard_normal(len(redshift)))
    return np.clip(radius * arcsec_per_kpc(redshift), 0.15, 30)
