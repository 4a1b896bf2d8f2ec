"""Colours of a spectrum that moves through the SDSS filters as its redshift grows.

Filter curves are the ``sdss2010`` set of speclite: Doi et al. 2010 (AJ 139, 1628), with the
atmosphere at airmass 1.3. Magnitudes are AB. Catalogue magnitudes of SDSS differ from AB by
u_AB = u - 0.04 and z_AB = z + 0.02 (SDSS flux calibration page), which is less than what these
schematic spectra are good for and is not corrected.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from speclite.filters import FilterSequence, load_filters
from speclite.redshift import redshift

from sdssflow.acquire.schema import BANDS
from sdssflow.explore.spectra import RECIPES, WAVELENGTH, schematic_spectrum

REDSHIFTS = np.round(np.arange(0.0, 0.6001, 0.01), 2)
COLOR_COLUMNS = ("u_g", "g_r", "r_i", "i_z")
FLUX_UNIT = 1e-17  # erg / (s cm2 Å), as SDSS spectra; any value gives the same colours


def sdss_filters() -> FilterSequence:
    """Return the SDSS filter curves, in the order u, g, r, i, z."""
    return load_filters(*[f"sdss2010-{band}" for band in BANDS])


def redshifted(
    wavelength: np.ndarray, flux: np.ndarray, zspec: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move a rest-frame spectrum to a redshift, keeping its integral over wavelength.

    Parameters
    ----------
    wavelength : (n,) array
        Rest-frame wavelength in Å.
    flux : (n,) array
        Rest-frame F_lambda.
    zspec : float
        Redshift, above -1.

    Returns
    -------
    wavelength, flux : (n,) arrays
        Wavelength times (1 + z), F_lambda divided by (1 + z). The dimming with distance is left
        out: it is the same in all bands, so colours don't know it.
    """
    rules = [
        {"name": "wavelength", "exponent": +1, "array_in": wavelength},
        {"name": "flux", "exponent": -1, "array_in": flux},
    ]
    moved = redshift(z_in=0, z_out=zspec, rules=rules)
    return np.ascontiguousarray(moved["wavelength"]), np.ascontiguousarray(moved["flux"])


def synthetic_colors(wavelength: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """AB colours u-g, g-r, r-i, i-z of an observed spectrum.

    Parameters
    ----------
    wavelength : (n,) array
        Observed wavelength in Å.
    flux : (n,) array
        F_lambda in any unit: colours don't depend on it.

    Returns
    -------
    (4,) array
        Colours in mag.

    Raises
    ------
    ValueError
        If the spectrum does not cover a filter. Flux that is not known is never taken as zero.
    """
    filters = sdss_filters()
    low = min(curve.wavelength[0] for curve in filters)
    high = max(curve.wavelength[-1] for curve in filters)
    if wavelength[0] > low or wavelength[-1] < high:
        raise ValueError(
            f"a spectrum of {wavelength[0]:.0f} to {wavelength[-1]:.0f} Å does not cover the SDSS "
            f"filters ({low:.0f} to {high:.0f} Å); give a longer spectrum or a smaller redshift"
        )
    table = filters.get_ab_magnitudes(flux * FLUX_UNIT, wavelength)
    magnitudes = np.array([float(table[f"sdss2010-{band}"][0]) for band in BANDS])
    return -np.diff(magnitudes)


def redshifted_colors(redshifts: np.ndarray = REDSHIFTS) -> pd.DataFrame:
    """Colours of the schematic spectra against redshift.

    Returns
    -------
    pandas.DataFrame
        Columns ``spectrum, zspec, u_g, g_r, r_i, i_z``; colours in AB mag.
    """
    rows = []
    for name in RECIPES:
        flux = schematic_spectrum(name)
        for zspec in redshifts:
            colors = synthetic_colors(*redshifted(WAVELENGTH, flux, float(zspec)))
            named = zip(COLOR_COLUMNS, np.round(colors, 6).tolist(), strict=True)
            rows.append({"spectrum": name, "zspec": float(zspec), **dict(named)})
    return pd.DataFrame(rows)
