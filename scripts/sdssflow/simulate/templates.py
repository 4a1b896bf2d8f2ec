"""Fluxes of template galaxies, quasars and white dwarfs in the SDSS bands, ready to interpolate.

The tables are made by ``data/embedded/derive_sky.py``, which says where they come from.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdssflow.simulate.columns import BANDS
from sdssflow.tables import read_parquet

EMBEDDED = Path(__file__).parents[3] / "data" / "embedded"
# effective wavelengths of the sdss2010 filters by speclite in Å, for dust and slopes
WAVELENGTH = np.array([3614.0, 4749.0, 6206.0, 7526.0, 8947.0])
OLD, SECOND_OLD, DUSTY, STARBURST, YOUNG, FORMING = range(6)
TEMPLATES = ("lrg1", "default3", "default0", "default1", "default2", "default4")


class RedshiftGrid(NamedTuple):
    """Band fluxes on an even grid of redshifts that starts at 0.

    Attributes
    ----------
    step : float
        Of the grid.
    flux : (redshifts, spectra, 5) array
        Fluxes of each spectrum at each redshift.
    """

    step: float
    flux: np.ndarray

    def at(self, redshift: np.ndarray) -> np.ndarray:
        """Fluxes (n, spectra, 5) at redshifts (n,), linear between the points of the grid."""
        position = np.clip(redshift / self.step, 0, len(self.flux) - 1.001)
        index = position.astype(int)
        weight = (position - index)[:, None, None]
        return (1 - weight) * self.flux[index] + weight * self.flux[index + 1]


class Cooling(NamedTuple):
    """Cooling sequence of white dwarfs of one atmosphere and log g = 8.

    Attributes
    ----------
    log_temperature : (t,) array
        log10 of the effective temperature in K, ascending.
    magnitude : (t, 5) array
        Absolute magnitudes.
    """

    log_temperature: np.ndarray
    magnitude: np.ndarray

    def at(self, log_temperature: np.ndarray) -> np.ndarray:
        """Absolute magnitudes (n, 5) at log10 temperatures (n,)."""
        columns = self.magnitude.T
        bands = [np.interp(log_temperature, self.log_temperature, column) for column in columns]
        return np.stack(bands, axis=1)


@cache
def galaxy_grid(folder: Path = EMBEDDED) -> RedshiftGrid:
    """Fluxes of `TEMPLATES` in units of each one's r flux at redshift 0, same luminosity."""
    table = read_parquet(folder / "sky_galaxies.parquet")
    name = table["template"].to_numpy()
    fluxes = np.stack([table[band].to_numpy() for band in BANDS], axis=1)
    flux = np.stack([fluxes[name == template] for template in TEMPLATES], axis=1)
    return RedshiftGrid(_step(table["redshift"].to_numpy()[name == TEMPLATES[0]]), flux)


@cache
def quasar_grid(folder: Path = EMBEDDED) -> RedshiftGrid:
    """Fluxes of the quasar composite and of its continuum; 1 is the composite's i at z = 2."""
    table = read_parquet(folder / "sky_quasars.parquet")
    spectra = [
        np.stack([table[f"{name}_{band}"].to_numpy() for band in BANDS], axis=1)
        for name in ("total", "continuum")
    ]
    return RedshiftGrid(_step(table["redshift"].to_numpy()), np.stack(spectra, axis=1))


@cache
def white_dwarfs(atmosphere: str, folder: Path = EMBEDDED) -> Cooling:
    """Cooling sequence of white dwarfs with ``DA`` (hydrogen) or ``DB`` (helium) atmosphere."""
    table = read_parquet(folder / "sky_white_dwarfs.parquet").to_pandas()
    chosen = table[(table["atmosphere"] == atmosphere) & (table["log_gravity"] == 8.0)]
    chosen = chosen.sort_values("temperature")
    return Cooling(np.log10(chosen["temperature"].to_numpy()), chosen[list(BANDS)].to_numpy())


def _step(redshift: np.ndarray) -> float:
    steps = np.diff(redshift)
    if redshift[0] != 0 or np.ptp(steps) > 1e-5:
        raise ValueError("the redshifts of a template table must be evenly spaced from 0")
    return float(steps.mean())
