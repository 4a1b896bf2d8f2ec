"""Two schematic galaxy spectra, made of public physics: they are not measured templates.

Both are black bodies with a step at 4000 Å, where the absorption lines of many metals crowd, and a
few lines at their laboratory wavelengths. They show why colours change with redshift; their colours
are within a few tenths of a magnitude of real galaxies'. No redshift should be fitted with them.

============== =============== ======== =========================================================
spectrum       black body      D(4000)  lines
============== =============== ======== =========================================================
old            4500 K          2.1      absorption: Ca II K and H, G band, Mg b, Na D
star_forming   6500 K          1.3      emission: [O II], H beta, [O III], H alpha, [N II]
============== =============== ======== =========================================================

D(4000) is the ratio of the mean F_nu at 4050-4250 Å to that at 3750-3950 Å (Bruzual 1983, ApJ 273,
105). Wavelengths are those in vacuum, as SDSS spectra have them. Strengths of breaks and lines are
round numbers, chosen and not fitted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.constants import c as LIGHT_SPEED
from scipy.constants import h as PLANCK
from scipy.constants import k as BOLTZMANN

BREAK = 4000.0  # Å
BREAK_WIDTH = 25.0  # Å
LINE_WIDTH = 6.0  # Å, Gaussian sigma: wide enough for the grid, narrow against a filter
BAND_WIDTH = 14.0  # Å: of G band, Mg b and Na D, which are blends
# from below u at z = 0.65 to beyond z at z = 0: no filter ever leaves the spectrum
WAVELENGTH = np.arange(1750.0, 11500.0, 2.0)


class Line(NamedTuple):
    """A spectral line.

    Attributes
    ----------
    name : str
        Ion.
    wavelength : float
        Laboratory wavelength in vacuum, Å.
    equivalent_width : float
        Rest-frame equivalent width in Å; positive in emission.
    sigma : float
        Gaussian width in Å.
    """

    name: str
    wavelength: float
    equivalent_width: float
    sigma: float = LINE_WIDTH


class Recipe(NamedTuple):
    """What a schematic spectrum is made of.

    Attributes
    ----------
    label : str
        For legends.
    temperature : float
        Of the black body, K.
    break_factor : float
        Flux just below the 4000 Å break as a fraction of the black body's.
    lines : tuple of Line
        Its lines.
    """

    label: str
    temperature: float
    break_factor: float
    lines: tuple[Line, ...]


RECIPES: dict[str, Recipe] = {
    "old": Recipe(
        "old stars",
        4500.0,
        0.72,
        (
            Line("Ca II K", 3934.78, -8.0),
            Line("Ca II H", 3969.59, -7.0),
            Line("G band", 4305.61, -6.0, BAND_WIDTH),
            Line("Mg b", 5176.7, -5.0, BAND_WIDTH),
            Line("Na D", 5895.6, -4.0, BAND_WIDTH),
        ),
    ),
    "star_forming": Recipe(
        "star-forming",
        6500.0,
        0.90,
        (
            Line("[O II]", 3728.48, 20.0),
            Line("H beta", 4862.68, 6.0),
            Line("[O III]", 4960.30, 4.0),
            Line("[O III]", 5008.24, 12.0),
            Line("H alpha", 6564.61, 30.0),
            Line("[N II]", 6585.27, 9.0),
        ),
    ),
}


def black_body(wavelength: np.ndarray, temperature: float) -> np.ndarray:
    """Planck's law per unit wavelength, in arbitrary units with 1 at 5500 Å.

    Parameters
    ----------
    wavelength : (n,) array
        Å.
    temperature : float
        K.
    """

    def planck(metres: np.ndarray | float) -> np.ndarray:
        exponent = PLANCK * LIGHT_SPEED / (metres * BOLTZMANN * temperature)
        return 1 / (metres**5 * np.expm1(exponent))

    return planck(np.asarray(wavelength) * 1e-10) / planck(5500e-10)


def schematic_spectrum(name: str, wavelength: np.ndarray = WAVELENGTH) -> np.ndarray:
    """Rest-frame F_lambda of a schematic galaxy, in arbitrary units.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    wavelength : (n,) array
        Rest-frame wavelength in vacuum, Å.

    Returns
    -------
    (n,) array
        Positive flux per unit wavelength.
    """
    recipe = RECIPES[name]
    step = 1 / (1 + np.exp(-(wavelength - BREAK) / BREAK_WIDTH))
    continuum = black_body(wavelength, recipe.temperature)
    continuum *= recipe.break_factor + (1 - recipe.break_factor) * step
    profile = np.ones_like(wavelength)
    for line in recipe.lines:
        gauss = np.exp(-0.5 * ((wavelength - line.wavelength) / line.sigma) ** 2)
        profile += line.equivalent_width * gauss / (line.sigma * np.sqrt(2 * np.pi))
    return continuum * profile


def break_strength(wavelength: np.ndarray, flux: np.ndarray) -> float:
    """D(4000) of Bruzual (1983): ratio of mean F_nu above and below the 4000 Å break.

    Parameters
    ----------
    wavelength : (n,) array
        Rest-frame wavelength, Å, evenly spaced.
    flux : (n,) array
        F_lambda, any unit.
    """
    per_frequency = flux * wavelength**2
    above = (wavelength >= 4050) & (wavelength <= 4250)
    below = (wavelength >= 3750) & (wavelength <= 3950)
    return float(per_frequency[above].mean() / per_frequency[below].mean())
