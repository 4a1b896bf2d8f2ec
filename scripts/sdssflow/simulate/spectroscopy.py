"""What the spectroscopic pipeline reports of a source: redshift, its error, warnings, class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdssflow.simulate.sources import GALAXY, QSO, STAR

# bits of ZWARNING in sdssMaskbits.par of idlutils
SMALL_DELTA_CHI2, MANY_OUTLIERS, NEGATIVE_EMISSION = 1 << 2, 1 << 4, 1 << 6
CATASTROPHIC_SHARE = 0.35  # of the spectra with small delta chi2
LARGEST_REDSHIFT = np.array([1.0, 6.0, 0.002])  # of the templates the pipeline tries, by class


class Fits(NamedTuple):
    """Results of the pipeline for n spectra.

    Attributes
    ----------
    redshift, error : (n,) float arrays
        Measured redshift and its formal error.
    warning : (n,) int array
        ``zWarning``.
    spec_class : (n,) int array
        Index into `sources.CLASSES`.
    """

    redshift: np.ndarray
    error: np.ndarray
    warning: np.ndarray
    spec_class: np.ndarray


def fit_spectra(
    redshift: np.ndarray, spec_class: np.ndarray, mag_i: np.ndarray, rng: np.random.Generator
) -> Fits:
    """Measure redshifts.

    Parameters
    ----------
    redshift : (n,) array
        True redshift.
    spec_class : (n,) int array
        True class.
    mag_i : (n,) array
        Apparent i magnitude: fainter spectra are noisier and fail more often.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Fits
        Formal errors near 2e-5 for bright galaxies and stars and 3e-4 for quasars, which grow
        with magnitude. About 1 spectrum in 100 at i = 18 and 1 in 12 at i = 21 has a warning; a
        third of those have a redshift that has nothing to do with the object, and a fifth of these
        the wrong class too.
    """
    n = len(redshift)
    faint = 10 ** (0.2 * np.clip(mag_i - 18, -3, 4))
    scale = np.array([2.0e-5, 3.0e-4, 2.0e-5])[spec_class]
    error = scale * faint * (1 + np.maximum(redshift, 0)) * np.exp(rng.normal(0, 0.3, n))
    observed = redshift + error * rng.standard_normal(n)
    failing = rng.random(n) < np.clip(0.01 * 10 ** (0.3 * (mag_i - 18)), 0.004, 0.2)
    warning = np.where(failing, SMALL_DELTA_CHI2, 0)
    warning |= np.where(rng.random(n) < 0.006, MANY_OUTLIERS, 0)
    warning |= np.where((rng.random(n) < 0.01) & (spec_class == QSO), NEGATIVE_EMISSION, 0)
    lost = failing & (rng.random(n) < CATASTROPHIC_SHARE)
    confused = lost & (rng.random(n) < 0.2)
    found = np.where(confused, rng.choice([GALAXY, QSO, STAR], n), spec_class)
    wild = rng.random(n) * LARGEST_REDSHIFT[found]
    wild = np.where(found == STAR, wild - LARGEST_REDSHIFT[STAR] / 2, wild)
    return Fits(np.where(lost, wild, observed), error, warning, found)
