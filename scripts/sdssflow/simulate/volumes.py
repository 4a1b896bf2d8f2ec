"""Distances and volumes, and drawing redshifts and magnitudes from luminosity functions.

The cosmology is flat with H0 = 70 km/s/Mpc and matter density 0.3, that of the luminosity
functions used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from scipy.ndimage import maximum_filter

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
LARGEST = 7.0


@cache
def _distances() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    redshift = np.concatenate([np.geomspace(1e-3, 0.1, 100), np.linspace(0.1, LARGEST, 700)[1:]])
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
    """Draws (redshift, magnitude) pairs from a density on a grid.

    Parameters
    ----------
    redshift, magnitude : (k,), (m,) arrays
        Evenly spaced centres of the cells.
    density : callable
        Gets two (k, m) arrays, returns the density of objects per unit of both; it need not be
        normalised.
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
        """Return a sampler of only those cells that are near some points.

        Parameters
        ----------
        redshift, magnitude : (n,) arrays
            The points.
        cells : int
            Cells farther from all points than this, along either axis, are left out.
        """
        axes = (self._redshift, self._magnitude)
        edges = [
            np.append(axis, 2 * axis[-1] - axis[-2]) - (axis[1] - axis[0]) / 2 for axis in axes
        ]
        counts, *_ = np.histogram2d(redshift, magnitude, bins=edges)
        kept = maximum_filter(counts, size=2 * cells + 1, mode="constant") > 0
        return Sampler(*axes, lambda *_: np.where(kept, self._density, 0.0))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n pairs, even within a cell.

        Returns
        -------
        redshift, magnitude : (n,) arrays
        """
        cell = np.searchsorted(self._cumulative, rng.random(n), side="right")
        row, column = np.divmod(np.minimum(cell, len(self._cumulative) - 1), len(self._magnitude))
        offset = rng.random((2, n)) - 0.5
        redshift = self._redshift[row] + offset[0] * (self._redshift[1] - self._redshift[0])
        step = self._magnitude[1] - self._magnitude[0]
        return redshift, self._magnitude[column] + offset[1] * step
