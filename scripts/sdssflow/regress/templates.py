"""Spectra of galaxies fitted to magnitudes: what physics says without a redshift to learn from.

The method of BPZ (Benitez 2000, ApJ 536, 571), with what desc-bpz ships: its prior and the eight
spectra of its list CWWSB4 (Coleman, Wu & Weedman 1980 and others, as Benitez et al. 2004 calibrated
them), and spectra between each pair of neighbours as its manual advises. The filters are sdss2010
of speclite. A spectrum's amplitude is integrated over, as there (`p_c_z_t`). p(z) is known on a
grid; between its points it is a sum of Gaussians.
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

BLOCK = 256  # objects at a time: memory is BLOCK x redshifts x spectra x 8 bytes, a few times
SMOOTHING = 0.7  # width of the Gaussians in steps of the grid: 0.01 % is what ripples are left
REFERENCE, PRIOR_BAND = BANDS.index("r"), BANDS.index("i")  # i: next to the F814W of the prior
PRIOR_STEP = 0.1  # mag; BPZ rounds to it too
FAMILIES = [1, 2, 5]  # elliptical, spiral, irregular and starburst spectra, as BPZ counts them


class TemplateFit(RegressorMixin, BaseEstimator):
    """The spectra as fluxes in ugriz at the redshifts of the grid; nothing is learnt.

    Parameters
    ----------
    names : list of str
        Names of the f features.
    prior : {'hdfn', 'flat'}
        What is assumed of redshift and spectrum at an object's magnitude.
    error_floor : float
        Added in quadrature to all errors, in mag.
    offsets : list of 5 floats
        Added to the magnitudes, in mag.

    Attributes
    ----------
    redshifts_ : (z,) float64 array
        The grid: multiples of its first.
    fluxes_ : (z, t, 5) float64 array
        AB fluxes of the t spectra in units of that in r.
    """

    def __init__(
        self, names: Sequence[str], prior: str, error_floor: float, offsets: Sequence[float]
    ):
        self.names, self.prior, self.error_floor = names, prior, error_floor
        self.offsets = offsets

    def fit(self, redshifts: np.ndarray, between: int) -> TemplateFit:
        """Move the spectra, `between` more of them between neighbours, to (z,) redshifts."""
        self.redshifts_, self.fluxes_ = redshifts, template_fluxes(redshifts, between)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the (n,) means of p(z) of (n, f) features."""
        return self.predict_pdf(features).mean()

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) of (n, f) features, from 0 to the end of the grid and half a step."""
        # imported here: training shall not wait for it
        from sdssflow.redshift_pdf.mixture import Mixture

        features = np.asarray(features, dtype=float)
        magnitudes = magnitudes_of(features, self.names) + np.asarray(self.offsets)
        errors = np.hypot(errors_of(features, self.names), self.error_floor)
        blocks = (slice(start, start + BLOCK) for start in range(0, len(features), BLOCK))
        step = self.redshifts_[0]
        known = [self._weights(magnitudes[rows], errors[rows]) for rows in blocks]
        weights = np.vstack([np.empty((0, len(self.redshifts_))), *known])
        means = np.broadcast_to(self.redshifts_, weights.shape)
        scales = np.full(weights.shape, SMOOTHING * step)
        return Mixture(weights, means, scales, 0.0, self.redshifts_[-1] + step / 2)

    def _weights(self, magnitudes: np.ndarray, errors: np.ndarray) -> np.ndarray:
        """Return p(z) of (n, 5) magnitudes on the grid, (n, z), each row in a unit of its own."""
        logarithm = log_likelihoods(magnitudes, errors, self.fluxes_)
        if self.prior == "hdfn":
            asked = np.round(magnitudes[:, PRIOR_BAND] / PRIOR_STEP) * PRIOR_STEP
            known = {
                one: log_prior(self.redshifts_, one, self.fluxes_.shape[1])
                for one in np.unique(asked)
            }
            logarithm += np.stack([known[one] for one in asked])
        logarithm -= logarithm.max(axis=(1, 2), keepdims=True)
        return np.exp(logarithm).sum(axis=2)


def log_likelihoods(magnitudes: np.ndarray, errors: np.ndarray, fluxes: np.ndarray) -> np.ndarray:
    """Return ln p(magnitudes | z, spectrum) with the amplitude integrated over, but for a constant.

    Parameters
    ----------
    magnitudes, errors : (n, 5) float64 arrays
        In mag; an object's errors of all bands are of its fluxes in units of that in r.
    fluxes : (z, t, 5) float64 array
        Of the spectra.

    Returns
    -------
    (n, z, t) float64 array
        An object's don't depend on the objects beside it.
    """
    flux = 10 ** (-0.4 * (magnitudes - magnitudes[:, [REFERENCE]]))
    precision = (flux * errors * 0.4 * np.log(10)) ** -2
    shape = (len(flux), *fluxes.shape[:2])
    observed, model, both = np.zeros((len(flux), 1, 1)), np.zeros(shape), np.zeros(shape)
    # band by band: the order in which a matrix product adds up depends on the number of rows
    for band in range(len(BANDS)):
        of, weight = flux[:, band, None, None], precision[:, band, None, None]
        observed += weight * of**2
        both += weight * of * fluxes[:, :, band]
        model += weight * fluxes[:, :, band] ** 2
    return -0.5 * (observed - both**2 / model + np.log(model))


def log_prior(redshifts: np.ndarray, magnitude: float, spectra: int) -> np.ndarray:
    """Return ln p(z, spectrum | magnitude), (z, t), of the galaxies of the Hubble Deep Field.

    What is brighter than 20 mag counts as of 20, where the prior of desc-bpz begins. It is
    interpolated between the families of spectra.
    """
    from desc_bpz.prior_hdfn_gen import function

    known = _interpolated(function(redshifts, magnitude, FAMILIES), spectra)
    with np.errstate(divide="ignore"):  # nothing is expected there
        return np.log(known)


def template_fluxes(redshifts: np.ndarray, between: int) -> np.ndarray:
    """Return the AB fluxes of the spectra in ugriz, in units of that in r.

    Parameters
    ----------
    redshifts : (z,) float64 array
        Where to move them.
    between : int
        How many mixtures of each two neighbours are added.

    Returns
    -------
    (z, t, 5) float64 array
        8 spectra and their mixtures, from old to young.
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
    """Make the estimator; the arguments are in `configuration.kinds`, nothing is learnt.

    Raises
    ------
    ValueError
        If a redshift of the train part lies beyond the grid, or features don't tell the magnitudes
        and their errors.
    """
    names = list(train.feature_names)
    for told in (magnitudes_of, errors_of):
        told(train.features[:1], names)
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
