"""Figure: a spectrum slides through the filters, and what that does to the colours."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.acquire.schema import BANDS
from sdssflow.explore.drawing import running_median
from sdssflow.explore.filters import COLOR_COLUMNS, redshifted, sdss_filters
from sdssflow.explore.objects import COLORS, Objects
from sdssflow.explore.spectra import BREAK, RECIPES, WAVELENGTH, schematic_spectrum
from sdssflow.plotting import PALETTE

BAND_COLORS = dict(zip(BANDS, ("#CC79A7", "#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True))
SHOWN_REDSHIFTS = (0.0, 0.2, 0.4)
SPECTRUM_STYLES = {"old": (PALETTE[1], "-"), "star_forming": (PALETTE[0], "--")}
CAPTION = (
    "Why colours carry redshift\n"
    "Schematic spectra (black body, 4000 Å break, laboratory lines; see sdssflow.explore.spectra), "
    "not measured templates.\nFilters: Doi et al. 2010 via speclite, AB magnitudes."
)


def draw_redshifted_spectrum(colors: pd.DataFrame, galaxies: Objects | None) -> Figure:
    """Draw the old spectrum at three redshifts over the filter curves, and colours against z.

    Parameters
    ----------
    colors : pandas.DataFrame
        From `redshifted_colors`.
    galaxies : Objects or None
        Real galaxies, whose running median is drawn beside the curves.
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
        _draw_color(axes, colors, column, label, galaxies)
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
        reference = np.interp(6500.0 * (1 + zspec), wavelength, flux)  # continuum beside H alpha
        axes.plot(wavelength, flux / reference * 0.8, color=color, ls=line, lw=1)
    axes.axvline(BREAK * (1 + zspec), color="black", lw=1, ls=":")
    place = f"z = {zspec:g}: the 4000 Å break (dotted) lies at {BREAK * (1 + zspec):.0f} Å"
    axes.set_title(place, loc="left", fontsize=9)
    axes.set(xlim=(2800, 11300), ylim=(0, 1.75), ylabel=r"$F_\lambda$ (scaled)")


def _draw_color(
    axes: Axes, colors: pd.DataFrame, column: str, label: str, galaxies: Objects | None
) -> None:
    for name, (color, line) in SPECTRUM_STYLES.items():
        rows = colors[colors.spectrum == name]
        axes.plot(rows.zspec, rows[column], color=color, ls=line, label=RECIPES[name].label)
    if galaxies is not None:
        shown = galaxies.zspec <= colors.zspec.max()
        if galaxies.classes is not None:
            shown &= galaxies.classes == "GALAXY"
        measured = galaxies.colors[shown, COLOR_COLUMNS.index(column)]
        center, median, low, high = running_median(galaxies.zspec[shown], measured)
        axes.fill_between(
            center, low, high, color="0.5", alpha=0.3, lw=0, label="their central 68 %"
        )
        name = f"{galaxies.sample}: median of {shown.sum()} galaxies"
        axes.plot(center, median, color="black", lw=1.5, label=name)
    axes.set(xlabel="redshift", ylabel=f"{label} (mag)")
