"""Magnitudes, fluxes and Galactic extinction in the SDSS bands.

==== ============== ==========================
band softening b    zero-flux asinh magnitude
==== ============== ==========================
u    1.4e-10        24.63
g    0.9e-10        25.11
r    1.2e-10        24.80
i    1.8e-10        24.36
z    7.4e-10        22.83
==== ============== ==========================

Softening: Lupton, Gunn & Szalay 1999 (AJ 118, 1406) with the SDSS values of the imaging pipeline.
"""

from __future__ import annotations

import numpy as np

from sdssflow.bands import SFD_COEFFICIENT

SOFTENING = {"u": 1.4e-10, "g": 0.9e-10, "r": 1.2e-10, "i": 1.8e-10, "z": 7.4e-10}
POGSON = 2.5 / np.log(10.0)


def asinh_to_flux(magnitude: np.ndarray, band: str) -> np.ndarray:
    """Flux of (n,) SDSS asinh magnitudes in one of the bands u, g, r, i, z.

    In maggies (flux of a source of magnitude 0); negative beyond the zero-flux magnitude.

    >>> f"{asinh_to_flux(20.0, 'r'):.3e}"
    '9.999e-09'
    """
    b = SOFTENING[band]
    return 2 * b * np.sinh(-np.asarray(magnitude, dtype=float) / POGSON - np.log(b))


def flux_to_asinh(flux: np.ndarray, band: str) -> np.ndarray:
    """Asinh magnitude in mag of a flux in maggies; finite for zero and negative flux."""
    b = SOFTENING[band]
    return -POGSON * (np.arcsinh(np.asarray(flux, dtype=float) / (2 * b)) + np.log(b))


def pogson_to_flux(magnitude: np.ndarray) -> np.ndarray:
    """Flux in maggies of a logarithmic magnitude in mag."""
    return np.exp(-np.asarray(magnitude, dtype=float) / POGSON)


def luptitude(
    magnitude: np.ndarray, band: str, system: str, extinction: np.ndarray | float = 0.0
) -> np.ndarray:
    """Asinh magnitude corrected for extinction in flux space, all in mag.

    Subtracting the extinction from an asinh magnitude is exact only for bright sources; near the
    noise the flux has to be corrected. `system` is that of `magnitude`, 'asinh' or 'pogson'; the
    extinction, (n,) or a number, is in the same band.
    """
    flux = asinh_to_flux(magnitude, band) if system == "asinh" else pogson_to_flux(magnitude)
    return flux_to_asinh(flux * np.exp(np.asarray(extinction, dtype=float) / POGSON), band)


def scale_extinction(extinction: np.ndarray, from_band: str, to_band: str) -> np.ndarray:
    """Extinction in one band from that in another, by the SFD98 coefficients."""
    return np.asarray(extinction) * (SFD_COEFFICIENT[to_band] / SFD_COEFFICIENT[from_band])
