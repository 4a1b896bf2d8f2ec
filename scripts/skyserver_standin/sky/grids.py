"""Interpolated tables of template fluxes, distances and volumes; draws from a density on a grid.

Template fluxes in the SDSS bands are made by ``data/embedded/derive_sky.py``, which names their
sources. The cosmology is flat with H0 = 70 km/s/Mpc and matter density 0.3, as in the luminosity
functions used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from astropy.cosmology import FlatLambdaCDM
from scipy.ndimage import maximum_filter

from sdssflow.project import PROJECT
from skyserver_standin.sky.conventions import BANDS

EMBEDDED = PROJECT / "data" / "embedded"
# effective wavelengths of the sdss2010 filters by speclite in Å, for dust and slopes
WAVELENGTH = np.array([3614.0, 4749.0, 6206.0, 7526.0, 8947.0])
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
LARGEST_REDSHIFT = 7.0
OLD, SECOND_OLD, DUSTY, STARBURST, YOUNG, FORMING = range(6)
TEMPLATES = ("lrg1", "default3", "default0", "default1", "default2", "default4")


class RedshiftGrid(NamedTuple):
    """Band fluxes (redshifts, spectra, 5) on a grid of redshifts with an even step, from 0."""

    step: float
    flux: np.ndarray

    def at(self, redshift: np.ndarray) -> np.ndarray:
        """Fluxes (n, spectra, 5) at redshifts (n,), linear between the points of the grid."""
        position = np.clip(redshift / self.step, 0, len(self.flux) - 1.001)
        index = position.astype(int)
        weight = (position - index)[:, None, None]
        return (1 - weight) * self.flux[index] + weight * self.flux[index + 1]


@cache
def galaxy_grid() -> RedshiftGrid:
    """Fluxes of `TEMPLATES` at fixed luminosity, in units of the r flux at redshift 0."""
    table = pq.read_table(EMBEDDED / "sky_galaxies.parquet")
    name = table["template"].to_numpy()
    fluxes = np.stack([table[band].to_numpy() for band in BANDS], axis=1)
    flux = np.stack([fluxes[name == template] for template in TEMPLATES], axis=1)
    redshift = table["redshift"].to_numpy()[name == TEMPLATES[0]]
    return RedshiftGrid(float(np.diff(redshift).mean()), flux)


@cache
def quasar_grid() -> RedshiftGrid:
    """Fluxes of the quasar composite and of its continuum; 1 is the composite's i at z = 2."""
    table = pq.read_table(EMBEDDED / "sky_quasars.parquet")
    spectra = [
        np.stack([table[f"{name}_{band}"].to_numpy() for band in BANDS], axis=1)
        for name in ("total", "continuum")
    ]
    step = float(np.diff(table["redshift"].to_numpy()).mean())
    return RedshiftGrid(step, np.stack(spectra, axis=1))


def white_dwarf_magnitudes(atmosphere: str, log_temperature: np.ndarray) -> np.ndarray:
    """Absolute magnitudes (n, 5) of cooling white dwarfs with log g = 8 and log10(T/K) (n,).

    The atmosphere is ``DA`` (hydrogen) or ``DB`` (helium).
    """
    known, magnitudes = _cooling(atmosphere)
    return np.stack([np.interp(log_temperature, known, column) for column in magnitudes.T], axis=1)


@cache
def _cooling(atmosphere: str) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(EMBEDDED / "sky_white_dwarfs.parquet").to_pandas()
    chosen = table[(table["atmosphere"] == atmosphere) & (table["log_gravity"] == 8.0)]
    chosen = chosen.sort_values("temperature")
    return np.log10(chosen["temperature"].to_numpy()), chosen[list(BANDS)].to_numpy()


@cache
def _distances() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    redshift = np.concatenate(
        [np.geomspace(1e-3, 0.1, 100), np.linspace(0.1, LARGEST_REDSHIFT, 700)[1:]]
    )
    modulus = COSMOLOGY.distmod(redshift).value
    volume = COSMOLOGY.differential_comoving_volume(redshift).value
    return redshift, modulus, volume


def distance_modulus(redshift: np.ndarray) -> np.ndarray:
    """Distance modulus in mag, for redshifts (n,) from 0.001 to 7."""
    grid, modulus, _ = _distances()
    return np.interp(np.log(redshift), np.log(grid), modulus)


def volume_element(redshift: np.ndarray) -> np.ndarray:
    """Comoving volume per unit redshift and steradian, Mpc^3."""
    grid, _, volume = _distances()
    return np.interp(redshift, grid, volume)


def arcsec_per_kpc(redshift: np.ndarray) -> np.ndarray:
    """Apparent size of a proper kiloparsec in arcsec."""
    parsecs = 10 ** (0.2 * distance_modulus(redshift) + 1) / (1 + redshift) ** 2
    return np.degrees(1e3 / parsecs) * 3600


class Sampler:
    """Draws (redshift, magnitude) pairs from a density on the even grid of both.

    The density gets two (k, m) arrays, centres of the cells, and need not be normalised.
    """

    def __init__(
        self,
        redshift: np.ndarray,
        magnitude: np.ndarray,
        density: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ):
        self._redshift, self._magnitude = redshift, magnitude
        self._density = density(*np.meshgrid(redshift, magnitude, indexing="ij"))
        self._cumulative = np.cumsum(self._density.ravel())
        self._cumulative /= self._cumulative[-1]

    def near(self, redshift: np.ndarray, magnitude: np.ndarray, cells: int = 4) -> Sampler:
        """Return a sampler restricted to within `cells` grid cells of given points (n,)."""
        axes = (self._redshift, self._magnitude)
        edges = [
            np.append(axis, 2 * axis[-1] - axis[-2]) - (axis[1] - axis[0]) / 2 for axis in axes
        ]
        counts, *_ = np.histogram2d(redshift, magnitude, bins=edges)
        kept = maximum_filter(counts, size=2 * cells + 1, mode="constant") > 0
        return Sampler(*axes, lambda *_: np.where(kept, self._density, 0.0))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n redshifts and magnitudes, (n,) each, uniform within a cell."""
        cell = np.searchsorted(self._cumulative, rng.random(n), side="right")
        row, column = np.divmod(np.minimum(cell, len(self._cumulative) - 1), len(self._magnitude))
        offset = rng.random((2, n)) - 0.5
        redshift = self._redshift[row] + offset[0] * (self._redshift[1] - self._redshift[0])
        step = self._magnitude[1] - self._magnitude[0]
        return redshift, self._magnitude[column] + offset[1] * step
