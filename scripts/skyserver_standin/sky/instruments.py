"""Observation of true sources by the camera and the spectrographs.

The camera measures noisy asinh magnitudes: model, PSF and Petrosian.

Limit: magnitude at which 95 % of point sources are found (SDSS Early Data Release, Stoughton et al.
2002, AJ 123, 485), taken as 5 sigma of the sky noise. Electrons: from a source of AB magnitude 20
in the 53.9 s of a scan, by the sdss2010 curves and the mirror's 3.8 m^2. PSF: arcsec, the median in
r (SDSS DR7, "Seeing and sky brightness"), scaled as wavelength^-0.3 (Xin et al. 2018, AJ 156, 222).
Calibration: scatter in mag that affects the magnitudes but is not included in their errors, as in
the SDSS, where errors of a few millimagnitudes are common and the calibration is good to 1 % (2 %
in u; Padmanabhan et al. 2008, ApJ 674, 1217).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sdssflow.photometry import POGSON, SOFTENING, flux_to_asinh
from skyserver_standin.sky.conventions import BANDS

GALAXY, QSO, STAR = 0, 1, 2
CLASSES = ("GALAXY", "QSO", "STAR")
# in u, g, r, i, z
LIMIT = np.array([22.0, 22.2, 22.2, 21.3, 20.5])
ELECTRONS = np.array([1.55e3, 1.13e4, 1.02e4, 7.4e3, 1.2e3])
PSF_FWHM = np.array([1.68, 1.55, 1.43, 1.35, 1.28])
CALIBRATION = np.array([0.02, 0.01, 0.01, 0.01, 0.01])
SKY_NOISE = 10 ** (-0.4 * LIMIT) / 5
MISSING = -9999.0
# bits of ZWARNING in sdssMaskbits.par of idlutils
SMALL_DELTA_CHI2, MANY_OUTLIERS, NEGATIVE_EMISSION = 1 << 2, 1 << 4, 1 << 6
CATASTROPHIC_SHARE = 0.35  # of the spectra with small delta chi2
LARGEST_REDSHIFT = np.array([1.0, 6.0, 0.002])  # of the templates the pipeline tries, by class


class Sources(NamedTuple):
    """True properties of n objects.

    `flux` (n, 5) is in maggies, before Galactic extinction; `redshift` is the radial velocity over
    c for stars; `spec_class` an index into `CLASSES`; `half_light` a radius in arcsec, 0 for a
    point source; `early` is true for a de Vaucouleurs profile, false for an exponential one.
    """

    flux: np.ndarray
    redshift: np.ndarray
    spec_class: np.ndarray
    subclass: np.ndarray
    half_light: np.ndarray
    early: np.ndarray
    legacy_target: np.ndarray
    boss_target: np.ndarray

    @classmethod
    def of(
        cls,
        flux: np.ndarray,
        redshift: np.ndarray,
        spec_class: int,
        subclass: np.ndarray,
        half_light: np.ndarray | float = 0.0,
        early: np.ndarray | bool = False,
        legacy_target: np.ndarray | int = 0,
        boss_target: np.ndarray | int = 0,
    ) -> Sources:
        """Make sources of one class; a single value is used for all of them."""
        others = (half_light, early, legacy_target, boss_target)
        columns = (np.broadcast_to(column, len(flux)) for column in others)
        return cls(flux, redshift, np.full(len(flux), spec_class), subclass, *columns)

    def rows(self, chosen: np.ndarray) -> Sources:
        """Return some of the sources, by mask or index."""
        return Sources(*(column[chosen] for column in self))

    @staticmethod
    def joined(parts: Iterable[Sources]) -> Sources:
        """Concatenate sources."""
        return Sources(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Photometry(NamedTuple):
    """Asinh magnitudes of n objects and their errors, (n, 5); Petrosian radii in arcsec, (n,)."""

    model: np.ndarray
    model_err: np.ndarray
    psf: np.ndarray
    psf_err: np.ndarray
    petro: np.ndarray
    petro_err: np.ndarray
    petro_rad_r: np.ndarray
    petro_r50_r: np.ndarray


def mag_to_flux(magnitude: np.ndarray) -> np.ndarray:
    """Flux in maggies of logarithmic magnitudes, any shape."""
    return 10 ** (-0.4 * np.asarray(magnitude, dtype=float))


def flux_error(flux: np.ndarray, spread: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the error in maggies of true fluxes (n, 5): sky and photon noise in quadrature.

    `spread` is the sky noise in units of that of a point source; it is larger for extended ones.
    """
    photons = np.maximum(flux, 0) * 1e-8 / ELECTRONS  # 1e-8 maggies is magnitude 20
    return np.sqrt((SKY_NOISE * spread) ** 2 + photons)


def petrosian_share(half_light: np.ndarray, early: np.ndarray) -> np.ndarray:
    """Share (n,) of the light in the Petrosian aperture, for radii in arcsec and profiles.

    An exponential disk keeps 99 %. An ideal de Vaucouleurs profile would keep 83 % (Graham et al.
    2005, AJ 130, 1535), but model magnitudes of the SDSS are about 0.05 mag brighter than
    Petrosian ones, so 95 % here; 98 % for points.
    """
    return np.where(half_light > 0, np.where(early, 0.95, 0.99), 0.98)


def measure(
    flux: np.ndarray, half_light: np.ndarray, early: np.ndarray, rng: np.random.Generator
) -> Photometry:
    """Observe objects with true fluxes (n, 5) in maggies after Galactic extinction.

    Half-light radii (n,) are in arcsec, 0 for a point source. A de Vaucouleurs profile (`early`)
    loses more light outside the Petrosian aperture than an exponential disk and is more
    concentrated.
    """
    n = len(flux)
    # all magnitudes of an object share the calibration of its field
    flux = flux * np.exp(rng.standard_normal(flux.shape) * CALIBRATION / POGSON)
    # the sky under a matched filter grows with the area of the image, half as fast as the area
    # within the half-light radius, as in the errors of SDSS galaxies
    area = 1 + 0.5 * (half_light[:, None] / (PSF_FWHM / 2)) ** 2
    model = _observe(flux, np.sqrt(area), rng)
    # the fraction of a Gaussian profile's flux in a least-squares fit of a Gaussian PSF
    width, source = PSF_FWHM / 2.3548, half_light[:, None] / 1.1774
    psf = _observe(flux * (2 * width**2 / (2 * width**2 + source**2)), 1.0, rng)
    inside = petrosian_share(half_light, early)
    petro = _observe(flux * inside[:, None], 1.4 * np.sqrt(area), rng)
    seeing = PSF_FWHM[2] / 2
    r50 = np.hypot(half_light * np.where(early, 0.70, 0.98), seeing)
    r50 *= np.exp(rng.normal(0, 0.03, n))
    petro_rad = r50 * np.where(early, 2.3, 2.1) * np.exp(rng.normal(0, 0.08, n))
    return Photometry(*model, *psf, *petro, petro_rad, r50)


def add_defects(seen: Photometry, rng: np.random.Generator) -> tuple[Photometry, np.ndarray]:
    """Return a copy with the occasional defects of real tables, and the flag `clean`.

    A band of 3 objects in 1000 has -9999 for magnitude and error, in all magnitudes of that band; 2
    in 1000 have no Petrosian quantities (-9999). `clean` is 0 for those and for 5 % of the others.
    """
    n = len(seen.model)
    spoiled = Photometry(*(values.copy() for values in seen))
    rows = np.flatnonzero(rng.random(n) < 0.003)
    bands = rng.choice(5, len(rows), p=[0.4, 0.1, 0.1, 0.1, 0.3])  # the shallow ones more often
    for values in spoiled[:6]:
        values[rows, bands] = MISSING
    lost = rng.random(n) < 0.002
    for values in (spoiled.petro, spoiled.petro_err, spoiled.petro_rad_r, spoiled.petro_r50_r):
        values[lost] = MISSING
    clean = (rng.random(n) >= 0.05) & ~lost
    clean[rows] = False
    return spoiled, clean.astype(int)


def _observe(
    flux: np.ndarray, spread: np.ndarray | float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return asinh magnitudes and their errors (n, 5) of true fluxes seen with noise."""
    error = flux_error(flux, spread)
    seen = flux + error * rng.standard_normal(flux.shape)
    softening = np.array([SOFTENING[band] for band in BANDS])
    magnitudes = [flux_to_asinh(seen[:, i], band) for i, band in enumerate(BANDS)]
    return np.stack(magnitudes, axis=1), POGSON * error / np.sqrt(seen**2 + 4 * softening**2)


def fit_spectra(
    redshift: np.ndarray, spec_class: np.ndarray, mag_i: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measure redshifts and classes as the spectroscopic pipeline does.

    Fainter spectra (apparent i magnitude) are noisier and fail more often: about 1 in 100 at i = 18
    and 1 in 12 at i = 21 has a warning; a third of those have a redshift unrelated to the object,
    and a fifth of these also the wrong class. Returns the measured redshift, its formal error (near
    2e-5 for bright galaxies and stars, 3e-4 for quasars), ``zWarning`` and the class as an index
    into `CLASSES`, (n,) each.
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
    return np.where(lost, wild, observed), error, warning, found
