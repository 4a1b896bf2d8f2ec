"""What a population hands to the camera and to the spectrographs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GALAXY, QSO, STAR = 0, 1, 2
CLASSES = ("GALAXY", "QSO", "STAR")


class Sources(NamedTuple):
    """True properties of n objects.

    Attributes
    ----------
    flux : (n, 5) array
        u, g, r, i, z in maggies, as above the Galaxy's dust.
    redshift : (n,) array
        True redshift; the radial velocity over c for stars.
    spec_class : (n,) int array
        Index into `CLASSES`.
    subclass : (n,) array of str
        As the pipeline of the spectra would write it.
    half_light : (n,) array
        Half-light radius in arcsec, 0 for a point source.
    early : (n,) bool array
        De Vaucouleurs profile, not exponential.
    legacy_target, boss_target : (n,) int64 arrays
        Values of ``legacy_target1`` and ``boss_target1``.
    """

    flux: np.ndarray
    redshift: np.ndarray
    spec_class: np.ndarray
    subclass: np.ndarray
    half_light: np.ndarray
    early: np.ndarray
    legacy_target: np.ndarray
    boss_target: np.ndarray


def mag_to_flux(magnitude: np.ndarray) -> np.ndarray:
    """Flux in maggies of logarithmic magnitudes, any shape."""
    return 10 ** (-0.4 * np.asarray(magnitude, dtype=float))
