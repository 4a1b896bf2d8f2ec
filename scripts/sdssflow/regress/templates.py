"""Photometric redshifts by template fitting, without training on redshifts.

The method of BPZ (Benitez 2000, ApJ 536, 571), with the prior and the eight spectra of the list
CWWSB4 that desc-bpz ships (Coleman, Wu & Weedman 1980 and others, as calibrated by Benitez et al.
2004), and spectra interpolated between neighbours as its manual recommends. The filters are
sdss2010 of speclite. The amplitude of a spectrum is marginalised, as in BPZ (`p_c_z_t`). p(z) is
computed on a grid and represented by one Gaussian per grid point.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from sdssflow.bands import BANDS
from sdssflow.prepare.parts import Part
from sdssflow.regress.prediction_trees import errors_of, magnitudes_of

if TYPE_CHECKING:
    from sdssflow.configuration.regressors import TemplateFit as Settings
    from sdssflow.redshift_pdf.mixture import Mixture

BLOCK = 256  # objects at once: memory is BLOCK x redshifts x spectra x 8 bytes, a few times
SMOOTHING = 0.7  # width of the Gaussians in grid steps: ripples are 0.01 %
REFERENCE, PRIOR_BAND = BANDS.index("r"), BANDS.index("i")  # i: closest to F814W of the prior
PRIOR_STEP = 0.1  # mag; magnitudes are rounded to it, as in BPZ
FAMILIES = [1, 2, 5]  # number of elliptical, spiral, irregular and starburst spectra, as in BPZ


class TemplateFit(RegressorMixin, BaseEstimator):
    """The spectra as fluxes in ugriz at the redshifts of the grid.

    Parameters
    ----------
    names : list of str
        Names of the f features.
    prior : {'hdfn', 'flat'}
        Prior of redshift and spectrum at an object's magnitude.
    error_floor : float
        Added in quadrature to all errors, in mag.
    offsets : list of 5 floats
        Added to the magnitudes, in mag.

    Attributes
    ----------
    redshifts_ : (z,) float64 array
        The grid: multiples of its first value.
    fluxes_ : (z, t, 5) float64 array
        AB fluxes of the t spectra relative to r.
    """

    def __init__(
        self, names: Sequence[str], prior: str, error_floor: float, offsets: Sequence[float]
    ):
        self.names, self.prior, self.error_floor = names, prior, error_floor
        self.offsets = offsets

    def fit(self, redshifts: np.ndarray, between: int) -> TemplateFit:
        """Redshift the spectra to (z,) redshifts, with `between` interpolated ones per pair."""
        self.redshifts_, self.fluxes_ = redshifts, template_fluxes(redshifts, between)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the (n,) means of p(z) for (n, f) features."""
        return self.predict_pdf(features).mean()

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features, from 0 to half a step above the grid."""
        # imported here: training does not need numba
        from sdssflow.redshift_pdf.mixture import Mixture

        features = np.asarray(features, dtype=float)
        magnitudes = magnitudes_of(features, self.names) + np.asarray(self.offsets)
        errors = np.hypot(errors_of(features, self.names), self.error_floor)
        blocks = (slice(start, start + BLOCK) for start in range(0, len(features), BLOCK))
        step = self.redshifts_[0]
        found = [self._weights(magnitudes[rows], errors[rows]) for rows in blocks]
        weights = np.vstack([np.empty((0, len(self.redshifts_))), *found])
        means = np.broadcast_to(self.redshifts_, weights.shape)
        scales = np.full(weights.shape, SMOOTHING * step)
        return Mixture(weights, means, scales, 0.0, self.redshifts_[-1] + step / 2)

    def _weights(self, magnitudes: np.ndarray, errors: np.ndarray) -> np.ndarray:
        """Return p(z) on the grid for (n, 5) magnitudes, (n, z), rows not normalised."""
        logarithm = log_likelihoods(magnitudes, errors, self.fluxes_)
        if self.prior == "hdfn":
            rounded = np.round(magnitudes[:, PRIOR_BAND] / PRIOR_STEP) * PRIOR_STEP
            different, place = np.unique(rounded, return_inverse=True)
            spectra = self.fluxes_.shape[1]
            priors = [log_prior(self.redshifts_, magnitude, spectra) for magnitude in different]
            logarithm += np.stack(priors)[place]
        logarithm -= logarithm.max(axis=(1, 2), keepdims=True)
        return np.exp(logarithm).sum(axis=2)


def log_likelihoods(magnitudes: np.ndarray, errors: np.ndarray, fluxes: np.ndarray) -> np.ndarray:
    """Return ln p(magnitudes | z, spectrum), marginalised over the amplitude, up to a constant.

    Parameters
    ----------
    magnitudes, errors : (n, 5) float64 arrays
        In mag.
    fluxes : (z, t, 5) float64 array
        Fluxes of the spectra.

    Returns
    -------
    (n, z, t) float64 array
        A row does not depend on the other objects.
    """
    flux = 10 ** (-0.4 * (magnitudes - magnitudes[:, [REFERENCE]]))
    precision = (flux * errors * 0.4 * np.log(10)) ** -2
    shape = (len(flux), *fluxes.shape[:2])
    observed, model, both = np.zeros((len(flux), 1, 1)), np.zeros(shape), np.zeros(shape)
    # band by band: the order in which a matrix product adds up depends on the number of rows
    for band in range(len(BANDS)):
        value, weight = flux[:, band, None, None], precision[:, band, None, None]
        observed += weight * value**2
        both += weight * value * fluxes[:, :, band]
        model += weight * fluxes[:, :, band] ** 2
    return -0.5 * (observed - both**2 / model + np.log(model))


def log_prior(redshifts: np.ndarray, magnitude: float, spectra: int) -> np.ndarray:
    """Return ln p(z, spectrum | magnitude), (z, t), of galaxies in the Hubble Deep Field.

    Magnitudes brighter than 20 count as 20, where the prior of desc-bpz begins. It is interpolated
    between the families of spectra.
    """
    from desc_bpz.prior_hdfn_gen import function

    prior = _interpolated(function(redshifts, magnitude, FAMILIES), spectra)
    with np.errstate(divide="ignore"):  # the prior may be 0
        return np.log(prior)


def template_fluxes(redshifts: np.ndarray, between: int) -> np.ndarray:
    """Return the AB fluxes of the spectra in ugriz relative to r.

    Parameters
    ----------
    redshifts : (z,) float64 array
        Redshifts of the spectra.
    between : int
        Number of interpolated spectra between each two neighbours.

    Returns
    -------
    (z, t, 5) float64 array
        8 spectra and the interpolated ones, from old to young.
    """
    import desc_bpz
    from astropy import units
    from speclite.filters import load_filters

    filters = load_filters(*(f"sdss2010-{band}" for band in BANDS))
    folder = Path(desc_bpz.__file__).parent / "data_files/SED"
    names = (folder / "CWWSB4.list").read_text().split()
    fluxes = np.empty((len(redshifts), len(names), len(BANDS)))
    for place, name in enumerate(names):
        wavelength, flux = np.loadtxt(folder / name, unpack=True)
        flux = flux * units.Unit("erg / (s cm2 Angstrom)")
        for row, redshift in enumerate(redshifts):
            found = filters.get_ab_maggies(flux, wavelength * (1 + redshift) * units.AA)
            fluxes[row, place] = list(found[0])
    fluxes /= fluxes[:, :, [REFERENCE]]
    fluxes = np.moveaxis(fluxes, 2, 1)
    return np.moveaxis(_interpolated(fluxes, (len(names) - 1) * (between + 1) + 1), 1, 2).copy()


def _interpolated(values: np.ndarray, count: int) -> np.ndarray:
    """Interpolate along the last axis, evenly, to `count` values."""
    steps = np.linspace(0, values.shape[-1] - 1, count)
    below = np.minimum(steps.astype(int), values.shape[-1] - 2)
    weight = steps - below
    return (1 - weight) * values[..., below] + weight * values[..., below + 1]


def fit(
    settings: Settings, seed: int, train: Part, validation: Part, threads: int = 1
) -> TemplateFit:
    """Make the estimator; arguments are as in `configuration.kinds`, only names are used.

    Raises
    ------
    ValueError
        If a redshift of the train part is beyond the grid, or the features do not give all
        magnitudes and errors.
    """
    names = list(train.feature_names)
    for columns_of in (magnitudes_of, errors_of):
        columns_of(train.features[:1], names)
    zspec = train.truth("zspec")
    beyond = np.flatnonzero(zspec > settings.z_max)
    if len(beyond):
        raise ValueError(
            f"template_fit: z_max is {settings.z_max:g} and row_id {train.row_id[beyond[0]]} has "
            f"zspec {zspec[beyond[0]]:g}; raise z_max or cut the redshifts"
        )
    grid = settings.z_step * np.arange(1, round(settings.z_max / settings.z_step) + 1)
    made = TemplateFit(names, settings.prior, settings.error_floor, list(settings.offsets))
    return made.fit(grid, settings.between)
