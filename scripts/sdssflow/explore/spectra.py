"""Why colours depend on redshift: a spectrum moves through the SDSS filters.

The spectra are schematic, not measured templates: black bodies with a step at 4000 Å, where many
metal absorption lines accumulate, and a few lines at their laboratory wavelengths. Their colours
are within a few tenths of a magnitude of those of galaxies; don't fit redshifts with them.

============== =============== ======== =========================================================
spectrum       black body      D(4000)  lines
============== =============== ======== =========================================================
old            4500 K          2.1      absorption: Ca II K and H, G band, Mg b, Na D
star_forming   6500 K          1.3      emission: [O II], H beta, [O III], H alpha, [N II]
============== =============== ======== =========================================================

D(4000) is the ratio of the mean F_nu at 4050-4250 Å to that at 3750-3950 Å (Bruzual 1983, ApJ 273,
105). Wavelengths are in vacuum, as in SDSS spectra. Strengths of breaks and lines are round
numbers, not fitted.

Filter curves are the ``sdss2010`` set of speclite: Doi et al. 2010 (AJ 139, 1628), with the
atmosphere at airmass 1.3. Magnitudes are AB. The offsets of SDSS catalogue magnitudes,
u_AB = u - 0.04 and z_AB = z + 0.02 (SDSS flux calibration page), are smaller than the accuracy of
these schematic spectra and are not corrected.
"""

from __future__ import annotations

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.constants import c as LIGHT_SPEED
from scipy.constants import h as PLANCK
from scipy.constants import k as BOLTZMANN
from speclite.filters import FilterSequence, load_filters

from sdssflow.acquire.schema import BANDS
from sdssflow.explore.objects import COLORS, Objects, needed
from sdssflow.plotting import PALETTE, running_percentiles

REDSHIFTS = np.round(np.arange(0.0, 0.6001, 0.01), 2)
COLOR_COLUMNS = ("u_g", "g_r", "r_i", "i_z")
FLUX_UNIT = 1e-17  # erg / (s cm2 Å), as SDSS spectra; any value gives the same colours
BAND_COLORS = dict(zip(BANDS, ("#CC79A7", "#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True))
SHOWN_REDSHIFTS = (0.0, 0.2, 0.4)
SPECTRUM_STYLES = {"old": (PALETTE[1], "-"), "star_forming": (PALETTE[0], "--")}
CAPTION = (
    "Why colours carry redshift\n"
    "Schematic spectra (black body, 4000 Å break, laboratory lines; see sdssflow.explore.spectra), "
    "not measured templates.\nFilters: Doi et al. 2010 via speclite, AB magnitudes."
)
BREAK = 4000.0  # Å
BREAK_WIDTH = 25.0  # Å
LINE_WIDTH = 6.0  # Å, Gaussian sigma: wide enough for the grid, narrow against a filter
BAND_WIDTH = 14.0  # Å, for the blends G band, Mg b and Na D
# from below u at z = 0.65 to beyond z at z = 0: covers all filters
WAVELENGTH = np.arange(1750.0, 11500.0, 2.0)


class Line(NamedTuple):
    """A spectral line at a laboratory wavelength in vacuum, all in Å.

    The rest-frame equivalent width is positive in emission; `sigma` is the Gaussian width.
    """

    name: str
    wavelength: float
    equivalent_width: float
    sigma: float = LINE_WIDTH


class Recipe(NamedTuple):
    """A schematic spectrum: a black body with a `temperature` in K, a break and lines.

    `break_factor` is the flux just below the 4000 Å break, relative to the black body.
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
    """Return Planck's law per unit wavelength (in Å, temperature in K), 1 at 5500 Å."""

    def planck(metres: np.ndarray | float) -> np.ndarray:
        exponent = PLANCK * LIGHT_SPEED / (metres * BOLTZMANN * temperature)
        return 1 / (metres**5 * np.expm1(exponent))

    return planck(np.asarray(wavelength) * 1e-10) / planck(5500e-10)


def schematic_spectrum(name: str) -> np.ndarray:
    """Return the rest-frame F_lambda of a spectrum of `RECIPES` at `WAVELENGTH`, without unit."""
    recipe = RECIPES[name]
    step = 1 / (1 + np.exp(-(WAVELENGTH - BREAK) / BREAK_WIDTH))
    continuum = black_body(WAVELENGTH, recipe.temperature)
    continuum *= recipe.break_factor + (1 - recipe.break_factor) * step
    profile = np.ones_like(WAVELENGTH)
    for line in recipe.lines:
        gauss = np.exp(-0.5 * ((WAVELENGTH - line.wavelength) / line.sigma) ** 2)
        profile += line.equivalent_width * gauss / (line.sigma * np.sqrt(2 * np.pi))
    return continuum * profile


def sdss_filters() -> FilterSequence:
    """Return the SDSS filter curves, in the order u, g, r, i, z."""
    return load_filters(*[f"sdss2010-{band}" for band in BANDS])


def redshifted(
    wavelength: np.ndarray, flux: np.ndarray, zspec: float
) -> tuple[np.ndarray, np.ndarray]:
    """Redshift a rest-frame spectrum, wavelength in Å; zspec > -1.

    Wavelengths are multiplied and F_lambda is divided by (1 + z), which conserves the integral.
    Dimming with distance is omitted: it does not affect colours.
    """
    factor = 1 + zspec
    return wavelength * factor, flux * factor**-1.0


def synthetic_colors(wavelength: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Return the AB colours u-g, g-r, r-i, i-z in mag of a spectrum, F_lambda over Å in any unit.

    ValueError if the spectrum does not cover all filters: missing flux is not zero.
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
    """Return AB colours of the schematic spectra: ``spectrum, zspec, u_g, g_r, r_i, i_z``."""
    rows = []
    for name in RECIPES:
        flux = schematic_spectrum(name)
        for zspec in redshifts:
            colors = synthetic_colors(*redshifted(WAVELENGTH, flux, float(zspec)))
            named = zip(COLOR_COLUMNS, np.round(colors, 6).tolist(), strict=True)
            rows.append({"spectrum": name, "zspec": float(zspec), **dict(named)})
    return pd.DataFrame(rows)


def draw_redshifted_spectrum(colors: pd.DataFrame, galaxies: Objects | None = None) -> Figure:
    """Draw the spectra at three redshifts with the filter curves, and colours against redshift.

    The running median of observed `galaxies` is drawn with the curves.
    """
    figure = plt.figure(figsize=(10.0, 9.0))
    grid = figure.add_gridspec(5, 2)
    spectra = [figure.add_subplot(grid[row, :]) for row in range(3)]
    panels = [figure.add_subplot(grid[3 + column // 2, column % 2]) for column in range(4)]
    for axes, zspec in zip(spectra, SHOWN_REDSHIFTS, strict=True):
        _draw_spectrum(axes, zspec)
        axes.tick_params(labelbottom=axes is spectra[-1])
    spectra[-1].set_xlabel("observed wavelength (Å)")
    for axes, column, label in zip(panels, COLOR_COLUMNS, COLORS, strict=True):
        for name, (color, line) in SPECTRUM_STYLES.items():
            rows = colors[colors.spectrum == name]
            axes.plot(rows.zspec, rows[column], color=color, ls=line, label=RECIPES[name].label)
        if galaxies is not None:
            _draw_galaxies(axes, galaxies, COLOR_COLUMNS.index(column), colors.zspec.max())
        axes.set(xlabel="redshift", ylabel=f"{label} (mag)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), fontsize=9)
    figure.suptitle(CAPTION, fontsize=9)
    return figure


def _draw_spectrum(axes: Axes, zspec: float) -> None:
    for band, curve in zip(BANDS, sdss_filters(), strict=True):
        shape = curve.response / curve.response.max()
        axes.fill_between(curve.wavelength, shape, color=BAND_COLORS[band], alpha=0.25, lw=0)
        center = curve.effective_wavelength.value
        axes.text(center, 0.04, band, ha="center", color=BAND_COLORS[band], weight="bold")
    for name, (color, line) in SPECTRUM_STYLES.items():
        wavelength, flux = redshifted(WAVELENGTH, schematic_spectrum(name), zspec)
        reference = np.interp(6500.0 * (1 + zspec), wavelength, flux)  # continuum next to H alpha
        axes.plot(wavelength, flux / reference * 0.8, color=color, ls=line, lw=1)
    axes.axvline(BREAK * (1 + zspec), color="black", lw=1, ls=":")
    place = f"z = {zspec:g}: the 4000 Å break (dotted) lies at {BREAK * (1 + zspec):.0f} Å"
    axes.set_title(place, loc="left", fontsize=9)
    axes.set(xlim=(2800, 11300), ylim=(0, 1.75), ylabel=r"$F_\lambda$ (scaled)")


def _draw_galaxies(axes: Axes, galaxies: Objects, column: int, highest: float) -> None:
    """Draw the running median and the central 68 % of a colour of galaxies up to a redshift."""
    zspec = needed(galaxies.zspec)
    shown = zspec <= highest
    if galaxies.classes is not None:
        shown = shown & (galaxies.classes == "GALAXY")
    center, bands = running_percentiles(zspec[shown], galaxies.colors[shown, column], fewest=15)
    axes.fill_between(
        center, bands[:, 0], bands[:, 2], color="0.5", alpha=0.3, lw=0, label="their central 68 %"
    )
    name = f"{galaxies.sample}: median of {shown.sum()} galaxies"
    axes.plot(center, bands[:, 1], color="black", lw=1.5, label=name)
