r"""Galaxies: the luminosity function and the cuts that select them.

============ ============================================================ =====================
sample       selection (magnitudes without the Galaxy's dust)             source
============ ============================================================ =====================
main         Petrosian r < 17.77                                          Strauss et al. 2002
luminous red r - i and g - r along the passive track, r < 19.5            Eisenstein et al. 2001
LOWZ         \|c_perp\| < 0.2, r < 13.5 + c_par / 0.3, 16 < r < 19.6      BOSS target selection
CMASS        d_perp > 0.55, i < 19.86 + 1.6 (d_perp - 0.8), r - i < 2     BOSS target selection
eBOSS red    r - i > 0.98, i - z > 0.625, 19.9 < i < 21.8, z < 19.95      Prakash et al. 2016
eBOSS line   0.7 < redshift < 1.1, 21.8 < g < 22.8                        eBOSS target selection
============ ============================================================ =====================

c_par = 0.7 (g - r) + 1.2 (r - i - 0.18), c_perp = r - i - (g - r) / 4 - 0.18,
d_perp = r - i - (g - r) / 8. The luminous red cut is simplified to the LOWZ one with r < 19.5.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from sdssflow.simulate import targets
from sdssflow.simulate.galaxy_mixtures import (
    half_light_radius,
    mixtures,
    observed_shape,
    red_fraction,
)
from sdssflow.simulate.photometric_noise import petrosian_share
from sdssflow.simulate.sources import GALAXY, Sources
from sdssflow.simulate.templates import (
    DUSTY,
    FORMING,
    OLD,
    SECOND_OLD,
    STARBURST,
    YOUNG,
    galaxy_grid,
)
from sdssflow.simulate.volumes import Sampler, distance_modulus, volume_element

# Blanton et al. 2003 (ApJ 592, 819), r band shifted to z = 0.1, for h = 1
BRIGHT, FAINT_SLOPE, EVOLUTION = -20.44, -1.05, 1.62
LITTLE_H = 0.7
GRID_STEP = 0.005
PILOT = 60_000  # galaxies that show where the cuts let some through


@cache
def _parent(kind: str) -> Sampler:
    """Redshift and r magnitude of the parent sample that a kind is selected from."""
    low, high, bright, faint = PARENTS[kind]
    redshift = np.arange(low + GRID_STEP / 2, high, GRID_STEP)
    r = np.arange(bright + 0.025, faint, 0.05)
    # one K correction for all: of the old template, or of the star-forming one for line emitters
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
    """Restrict the parent sample to where galaxies pass the cuts, which most others don't reach."""
    parent = _parent(kind)
    if kind in ("main", "line"):
        return parent
    proposed = _propose(kind, parent, PILOT, np.random.default_rng(0))
    return parent.near(
        *(column[passes(kind, proposed[-1])] for column in (proposed[0], proposed[-2]))
    )


# redshift and r of the parent samples, wide enough for what the cuts let through
PARENTS = {
    "main": (0.004, 0.35, 13.5, 17.77),
    "luminous": (0.15, 0.50, 16.5, 19.5),
    "lowz": (0.08, 0.48, 16.0, 19.6),
    "cmass": (0.35, 0.85, 18.0, 21.6),
    "red": (0.50, 1.05, 20.5, 22.8),
    "line": (0.70, 1.10, 21.3, 22.8),
}
LEGACY_BITS = {"main": targets.GALAXY, "luminous": targets.GALAXY_RED}
BOSS_BITS = {"lowz": targets.GAL_LOZ, "cmass": targets.GAL_CMASS | targets.GAL_CMASS_ALL}


def passes(kind: str, flux: np.ndarray) -> np.ndarray:
    """Which galaxies with fluxes (n, 5) in maggies pass the cuts of a kind."""
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
    """Draw galaxies of one target class.

    Parameters
    ----------
    kind : str
        A key of `PARENTS`.
    n : int
        How many.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Sources
    """
    redshift, magnitude, red, shares, _, flux = _select(kind, n, rng)
    early = rng.random(n) < np.where(red, 0.85, 0.15)
    radius = half_light_radius(redshift, magnitude, early, rng)
    if kind == "main":  # its magnitude is the Petrosian one
        flux = flux / petrosian_share(radius, early)[:, None]
    return Sources(
        flux=flux,
        redshift=redshift,
        spec_class=np.full(n, GALAXY),
        subclass=_subclass(shares, red, rng),
        half_light=radius,
        early=early,
        legacy_target=np.full(n, LEGACY_BITS.get(kind, 0)),
        boss_target=np.full(n, BOSS_BITS.get(kind, 0)),
    )


def _select(kind: str, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Propose galaxies of the parent sample until n pass the cuts; return columns of those."""
    parts: list[list[np.ndarray]] = []
    missing, kept = n, 1.0
    while missing > 0:
        # by the share kept so far, a little more than needed
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
    # what counts for colour and size is the luminosity at the bright end's own evolution
    magnitude = r - distance_modulus(redshift) - 1.1 * redshift
    share = {"main": red_fraction(magnitude), "line": 0.0}.get(kind, 1.0)
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
