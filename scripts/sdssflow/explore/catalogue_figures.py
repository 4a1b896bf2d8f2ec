"""Figures of a catalogue: positions on the sky, magnitudes, redshifts, colours."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sdssflow.acquire.schema import BANDS
from sdssflow.explore.drawing import (
    DENSITY_FROM,
    POINTS_LIMIT,
    class_color,
    class_marker,
    draw_density,
    draw_plane,
    robust_limits,
)
from sdssflow.explore.objects import COLORS, Objects, needed
from sdssflow.explore.sky import (
    POLE_MARGIN,
    draw_sky_image,
    label_all_sky,
    label_field,
    signed_offset,
    sky_center,
)
from sdssflow.plotting import LINE_STYLES, SEQUENTIAL, running_percentiles

LOCAL_RADIUS = 8.0  # deg; smaller fields are drawn in one flat panel
NSIDE = 16  # HEALPix cells of equal area, 13.4 square degrees


def draw_magnitudes(objects: Objects) -> Figure:
    """Draw a histogram of the magnitudes in each band, per class where classes are known."""
    figure, grid = plt.subplots(2, 3, figsize=(9.0, 5.6))
    groups = objects.groups()
    magnitudes = needed(objects.magnitudes)
    bins = _bins(len(magnitudes))
    for column, (band, axes) in enumerate(zip(BANDS, grid.flat, strict=False)):
        values = magnitudes[:, column]
        edges = np.linspace(*robust_limits(values, margin=0.02), num=bins + 1)
        for (name, mask), line in zip(groups, LINE_STYLES, strict=False):
            axes.hist(values[mask], bins=edges, histtype="step", linestyle=line, lw=1.5,
                      color=class_color(name))  # fmt: skip
        if len(groups) > 1 and len(values) > DENSITY_FROM:  # so that rare classes are visible
            axes.set_yscale("log")
        axes.set(xlabel=f"{band} (mag)", ylabel=f"objects per {edges[1] - edges[0]:.2f} mag")
        missing = (~np.isfinite(values)).sum()
        outside = len(values) - missing - ((values >= edges[0]) & (values <= edges[-1])).sum()
        counts = {"missing": missing, "outside": outside}
        axes.set_title(", ".join(f"{n} {what}" for what, n in counts.items() if n), fontsize=9)
    rest = grid.flat[-1]
    rest.axis("off")
    handles = [
        Line2D([], [], color=class_color(name), linestyle=line, label=_counted(name, mask))
        for (name, mask), line in zip(groups, LINE_STYLES, strict=False)
    ]
    rest.legend(handles=handles, loc="center")
    figure.suptitle(_title(objects, objects.magnitude_label), fontsize=11)
    return figure


def draw_redshifts(objects: Objects) -> Figure:
    """Draw a histogram of the redshifts of each class, each over its own range."""
    zspec = needed(objects.zspec)
    groups = [(name, mask & np.isfinite(zspec)) for name, mask in objects.groups()]
    groups = [pair for pair in groups if pair[1].any()]
    width = max(5.6, 3.4 * len(groups))
    figure, grid = plt.subplots(1, len(groups), figsize=(width, 3.8), squeeze=False)
    for (name, mask), axes in zip(groups, grid.flat, strict=True):
        values = zspec[mask]
        limits = robust_limits(values, tail=0.005, margin=0.02)
        edges = np.linspace(*limits, num=_bins(len(values)) + 1)
        axes.hist(values, bins=edges, histtype="stepfilled", alpha=0.6, color=class_color(name))
        median = np.median(values)
        axes.axvline(median, color="black", lw=1, ls="--")
        outside = int(((values < edges[0]) | (values > edges[-1])).sum())
        note = f", {outside} outside" if outside else ""
        axes.set(
            xlabel="zspec",
            ylabel=f"objects per {edges[1] - edges[0]:.2g}",
            title=f"{_counted(name, mask)}{note}\nmedian {median:.4g} (dashed)",
        )
        axes.title.set_fontsize(10)
        axes.locator_params(axis="x", nbins=5)
    missing = int(np.isnan(zspec).sum())
    note = f", {missing} without" if missing else ""
    total = sum(mask.sum() for _, mask in groups)
    figure.suptitle(f"{objects.sample}: spectroscopic redshifts, N = {total:,}{note}", fontsize=11)
    return figure


def draw_color_color(objects: Objects) -> Figure:
    """Draw the three planes of adjacent colours, by class or else by redshift."""
    figure, grid = plt.subplots(1, 3, figsize=(11.0, 4.4))
    colors = objects.colors
    limits = [robust_limits(values, tail=0.002) for values in colors.T]
    filled = None
    shown = _within(colors, limits)
    if objects.zspec is not None and len(objects.groups()) == 1:
        shown &= np.isfinite(objects.zspec)
    for column, axes in enumerate(grid):
        pair = limits[column], limits[column + 1]
        filled = draw_plane(axes, colors[:, column], colors[:, column + 1], objects, pair)
        axes.set(xlabel=f"{COLORS[column]} (mag)", ylabel=f"{COLORS[column + 1]} (mag)")
    if filled is not None:
        label = "number of objects" if objects.zspec is None else "zspec (median of a cell)"
        figure.colorbar(filled, ax=grid, label=label)
    else:
        _class_legend(figure, objects)
    title = _title(objects, "colours of " + objects.magnitude_label)
    figure.suptitle(title + _not_everywhere(shown), fontsize=11)
    return figure


def draw_color_redshift(objects: Objects) -> Figure:
    """Draw the four colours against redshift: density, running median and central 68 %.

    Galaxies and quasars have separate columns; stars are left out.
    """
    zspec = needed(objects.zspec)
    known = np.isfinite(zspec)
    groups = [(name, mask & known) for name, mask in objects.groups() if name != "STAR"]
    groups = [pair for pair in groups if pair[1].any()]
    if not groups:
        raise ValueError(
            f"sample {objects.sample!r} has redshifts of stars only; remove 'color_redshift' from "
            "explore.figures"
        )
    if len(groups) == 1:
        figure, grid = plt.subplots(2, 2, figsize=(9.0, 6.4), sharex=True)
        columns = [list(grid.flat)]
    else:
        size = (4.6 * len(groups), 9.5)
        figure, grid = plt.subplots(4, len(groups), figsize=size, sharex="col")
        columns = grid.T
    shown = []
    for (name, mask), panels in zip(groups, columns, strict=True):
        values = np.column_stack([zspec[mask], objects.colors[mask]])
        limits = [robust_limits(values[:, 0], tail=0.005)]
        limits += [robust_limits(color, tail=0.002) for color in values[:, 1:].T]
        shown.append(_within(values, limits))
        for place, axes in enumerate(panels):
            pair = limits[0], limits[place + 1]
            _draw_trend(axes, values[:, 0], values[:, place + 1], pair, COLORS[place])
        panels[0].set_title(_counted(name, mask), fontsize=10)
    for axes in np.atleast_2d(grid)[-1]:
        axes.set_xlabel("zspec")
    every = np.concatenate(shown)
    title = _title(objects, "colours of " + objects.magnitude_label, len(every))
    figure.suptitle(title + _not_everywhere(every), fontsize=11)
    lines = np.atleast_2d(grid)[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=2)
    return figure


def _draw_trend(
    axes: Axes, zspec: np.ndarray, color: np.ndarray, limits: tuple, label: str
) -> None:
    shown = np.isfinite(zspec) & np.isfinite(color)
    filled = draw_density(axes, zspec[shown], color[shown], limits)
    center, bands = running_percentiles(zspec, color, fewest=15)
    axes.plot(center, bands[:, 1], color="#D55E00", lw=2, label="running median")
    for edge, text in ((0, "16th, 84th percentile"), (2, None)):
        axes.plot(center, bands[:, edge], color="black", lw=1, ls="--", label=text)
    axes.set(xlim=limits[0], ylim=limits[1], ylabel=f"{label} (mag)")
    if filled is not None:
        axes.figure.colorbar(filled, ax=axes, label="objects")


def _bins(n: int) -> int:
    return int(np.clip(np.sqrt(n), 10, 50))


def _counted(name: str, mask: np.ndarray) -> str:
    return f"{name or 'all objects'} (N = {mask.sum():,})"


def _title(objects: Objects, text: str, n: int | None = None) -> str:
    return f"{objects.sample}: {text}, N = {objects.length if n is None else n:,}"


def _within(values: np.ndarray, limits: list[tuple[float, float]]) -> np.ndarray:
    """Return which rows have all their values, and these within the limits."""
    lows, highs = np.array(limits).T
    return ((values >= lows) & (values <= highs)).all(axis=1)


def _not_everywhere(shown: np.ndarray) -> str:
    missing = (~shown).sum()
    return f"\n{missing} of them missing or outside in some panel" if missing else ""


def _class_legend(figure: Figure, objects: Objects) -> None:
    groups = objects.groups()
    if objects.length > POINTS_LIMIT:
        handles = [Line2D([], [], color=class_color(name), label=_counted(name, mask))
                   for name, mask in groups]  # fmt: skip
        handles.append(Line2D([], [], color="black", ls="-", label="half of a class"))
        handles.append(Line2D([], [], color="black", ls="--", label="90 % of a class"))
    else:
        handles = [
            Line2D([], [], ls="", color=class_color(name), marker=class_marker(name),
                   label=_counted(name, mask))
            for name, mask in groups
        ]  # fmt: skip
    if objects.classes is not None:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def sky_cells(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the HEALPix cell (ring order, `NSIDE`) of positions in degrees."""
    import astropy.units as u
    from astropy_healpix import lonlat_to_healpix

    return lonlat_to_healpix(ra * u.deg, dec * u.deg, NSIDE, order="ring")


def sky_density(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the objects per square degree in each HEALPix cell: (12 NSIDE^2,) array."""
    cells = 12 * NSIDE**2
    area = 4 * np.pi * np.degrees(1) ** 2 / cells
    return np.bincount(sky_cells(ra, dec), minlength=cells) / area


def draw_sky_map(objects: Objects) -> Figure:
    """Draw positions: one flat panel for a small field, else a Mollweide map of the sky.

    Right ascension increases to the left, as seen from inside the sphere.
    """
    ra, dec = needed(objects.ra), needed(objects.dec)
    shown = np.isfinite(ra) & np.isfinite(dec)
    ra, dec = ra[shown], dec[shown]
    groups = [(name, mask[shown]) for name, mask in objects.groups()]
    center_ra, center_dec, radius = sky_center(ra, dec)
    if radius <= LOCAL_RADIUS and abs(center_dec) + radius < 90 - POLE_MARGIN:
        figure, axes = plt.subplots(figsize=(6.4, 5.4))
        _draw_local(axes, ra, dec, groups, (center_ra, center_dec))
    else:
        figure, axes = plt.subplots(figsize=(8.4, 5.0), subplot_kw={"projection": "mollweide"})
        _draw_all_sky(axes, ra, dec, groups, 30 * round(center_ra / 30) % 360)
    missing = f", {(~shown).sum()} without a position" if not shown.all() else ""
    figure.suptitle(f"{objects.sample}: positions, N = {shown.sum():,}{missing}", fontsize=11)
    if any(name for name, _ in groups) and len(ra) <= POINTS_LIMIT:
        figure.legend(loc="outside lower center", ncols=len(groups), markerscale=3)
    return figure


def _draw_local(axes: Axes, ra: np.ndarray, dec: np.ndarray, groups: list, center: tuple) -> None:
    offset = signed_offset(ra, center[0])
    if len(ra) > POINTS_LIMIT:
        cells = axes.hexbin(offset, dec, gridsize=80, mincnt=1, bins="log", cmap=SEQUENTIAL)
        axes.figure.colorbar(cells, label="objects per cell")
    else:
        _draw_points(axes, offset, dec, groups, size=7)
    label_field(axes, offset, center)


def _draw_all_sky(axes: Axes, ra: np.ndarray, dec: np.ndarray, groups: list, center: int) -> None:
    if len(ra) > POINTS_LIMIT:
        _draw_cells(axes, ra, dec, center)
    else:
        x, y = -np.radians(signed_offset(ra, center)), np.radians(dec)
        _draw_points(axes, x, y, groups, size=3)
    label_all_sky(axes, center)


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray, groups: list, size: float) -> None:
    for name, mask in groups:
        axes.scatter(
            x[mask], y[mask], s=size, color=class_color(name), marker=class_marker(name),
            alpha=0.6, linewidths=0, label=f"{name} ({mask.sum()})" if name else None,
            rasterized=True,
        )  # fmt: skip


def _draw_cells(axes: Axes, ra: np.ndarray, dec: np.ndarray, center: int) -> None:
    density = sky_density(ra, dec)
    density = np.where(density > 0, density, np.nan)
    draw_sky_image(axes, lambda ra, dec: density[sky_cells(ra, dec)], center,
                   "objects per square degree", norm="log")  # fmt: skip


FIGURES: dict[str, Callable[[Objects], Figure]] = {
    "sky_map": draw_sky_map,
    "magnitudes": draw_magnitudes,
    "redshifts": draw_redshifts,
    "color_color": draw_color_color,
    "color_redshift": draw_color_redshift,
}
