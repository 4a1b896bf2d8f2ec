"""Where on the sky the objects lie."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from sdssflow.explore.drawing import POINTS_LIMIT, class_color, class_marker
from sdssflow.explore.objects import Objects
from sdssflow.plotting import SEQUENTIAL

LOCAL_RADIUS = 8.0  # deg; within it one flat panel shows more than a map of the whole sky
POLE_MARGIN = 5.0  # deg; nearer to a pole 1/cos(dec) is no longer a scale
NSIDE = 16  # HEALPix cells of equal area, 13.4 square degrees


def sky_center(ra: np.ndarray, dec: np.ndarray) -> tuple[float, float, float]:
    """Centre of positions and their largest distance from it, whatever side of RA = 0.

    Parameters
    ----------
    ra, dec : (n,) array
        ICRS positions in degrees.

    Returns
    -------
    ra, dec : float
        Direction of the mean unit vector, in degrees; ``0 <= ra < 360``.
    radius : float
        Largest angular distance from the centre, in degrees.
    """
    ra, dec = np.radians(ra), np.radians(dec)
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    if length < 1e-9:  # evenly spread: no direction is the centre
        return 180.0, 0.0, 180.0
    mean /= length
    # the chord is accurate for small angles, where the arc cosine of a dot product is not
    chord = np.linalg.norm(vectors - mean, axis=1).max()
    radius = 2 * np.degrees(np.arcsin(min(1.0, chord / 2)))
    center = float(np.degrees(np.arctan2(mean[1], mean[0])) % 360)
    return center, float(np.degrees(np.arcsin(mean[2]))), float(radius)


def signed_offset(ra: np.ndarray, center: float) -> np.ndarray:
    """Right ascension from a centre, in degrees from -180 (included) to 180."""
    return (np.asarray(ra) - center + 180) % 360 - 180


def sky_cells(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """HEALPix cell (ring order, `NSIDE`) of positions in degrees."""
    import astropy.units as u
    from astropy_healpix import lonlat_to_healpix

    return lonlat_to_healpix(ra * u.deg, dec * u.deg, NSIDE, order="ring")


def sky_density(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Objects per square degree in each HEALPix cell: (12 NSIDE^2,) array."""
    cells = 12 * NSIDE**2
    area = 4 * np.pi * np.degrees(1) ** 2 / cells
    return np.bincount(sky_cells(ra, dec), minlength=cells) / area


def draw_sky_map(objects: Objects) -> Figure:
    """Draw positions: one flat panel for a small field, else a Mollweide map of the sky.

    Right ascension increases to the left, as seen from inside the sphere.
    """
    shown = np.isfinite(objects.ra) & np.isfinite(objects.dec)
    ra, dec = objects.ra[shown], objects.dec[shown]
    groups = [(name, mask[shown]) for name, mask in objects.groups()]
    center_ra, center_dec, radius = sky_center(ra, dec)
    if radius <= LOCAL_RADIUS and abs(center_dec) + radius < 90 - POLE_MARGIN:
        figure, axes = plt.subplots(figsize=(6.4, 5.4))
        _draw_local(axes, ra, dec, groups, (center_ra, center_dec))
    else:
        figure, axes = plt.subplots(figsize=(8.4, 5.0), subplot_kw={"projection": "mollweide"})
        _draw_all_sky(axes, ra, dec, groups, 30 * round(center_ra / 30) % 360)
    missing = f", {(~shown).sum()} without a position" if not shown.all() else ""
    figure.suptitle(f"{objects.sample}: positions, N = {shown.sum()}{missing}", fontsize=11)
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
    axes.set_aspect(1 / np.cos(np.radians(center[1])))
    axes.invert_xaxis()
    axes.xaxis.set_major_formatter(lambda tick, _: f"{round((tick + center[0]) % 360, 4):g}")
    axes.set(xlabel="right ascension (deg, ICRS)", ylabel="declination (deg, ICRS)")
    _round_ticks(axes, offset, center[0])


def _round_ticks(axes: Axes, offset: np.ndarray, center: float) -> None:
    # ticks at round right ascensions, not at round offsets from the centre
    low, high = offset.min() + center, offset.max() + center
    ticks = MaxNLocator(4).tick_values(low, high) - center
    limits = axes.get_xlim()
    axes.xaxis.set_major_locator(
        FixedLocator([tick for tick in ticks if min(limits) <= tick <= max(limits)])
    )


def _draw_all_sky(axes: Axes, ra: np.ndarray, dec: np.ndarray, groups: list, center: int) -> None:
    if len(ra) > POINTS_LIMIT:
        _draw_cells(axes, ra, dec, center)
    else:
        x, y = -np.radians(signed_offset(ra, center)), np.radians(dec)
        _draw_points(axes, x, y, groups, size=3)
    ticks = np.arange(-150, 151, 60)
    labels = [f"{(center - tick) % 360}°" for tick in ticks]
    axes.set_xticks(np.radians(ticks), labels)
    for label in axes.get_xticklabels():
        label.set(
            fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
        )
    axes.set_xlabel("right ascension (ICRS), increasing to the left")
    axes.set_ylabel("declination (ICRS)")


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray, groups: list, size: float) -> None:
    for name, mask in groups:
        axes.scatter(
            x[mask], y[mask], s=size, color=class_color(name), marker=class_marker(name),
            alpha=0.6, linewidths=0, label=f"{name} ({mask.sum()})" if name else None,
            rasterized=True,
        )  # fmt: skip


def _draw_cells(axes: Axes, ra: np.ndarray, dec: np.ndarray, center: int) -> None:
    density = sky_density(ra, dec)
    edges_x, edges_y = np.linspace(-180, 180, 721), np.linspace(-90, 90, 361)
    x, y = np.meshgrid((edges_x[1:] + edges_x[:-1]) / 2, (edges_y[1:] + edges_y[:-1]) / 2)
    image = density[sky_cells((center - x) % 360, y)]
    cells = axes.pcolormesh(
        np.radians(edges_x), np.radians(edges_y), np.where(image > 0, image, np.nan),
        norm="log", cmap=SEQUENTIAL, rasterized=True,
    )  # fmt: skip
    axes.figure.colorbar(cells, label="objects per square degree", shrink=0.6)
