"""Scatter plots and, for many objects, density maps and contours."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from scipy.ndimage import gaussian_filter

from sdssflow.explore.objects import Objects
from sdssflow.plotting import CLASS_COLORS, CLASS_MARKERS, SEQUENTIAL

POINTS_LIMIT = 20_000  # more points would overlap: densities and contours instead
DENSITY_FROM = 2_000  # the same for points of one class or with a colour scale
GRID_SIZE = 55
UNKNOWN_COLOR = "#777777"


def class_color(name: str) -> str:
    """Return the colour of a class, grey if unknown."""
    return CLASS_COLORS.get(name, UNKNOWN_COLOR)


def class_marker(name: str) -> str:
    """Return the marker of a class, so that colour is not the only difference."""
    return CLASS_MARKERS.get(name, "D")


def robust_limits(
    values: np.ndarray, tail: float = 0.001, margin: float = 0.05
) -> tuple[float, float]:
    """Return axis limits that are robust against a few extreme values; always low < high.

    At either end, up to a fraction `tail` of the values is outside (none of fewer than 1 / `tail`)
    and a fraction `margin` of the range is added. NaN and infinity are ignored.
    """
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return 0.0, 1.0
    ordered = np.sort(values)
    outside = int(tail * len(ordered))
    low, high = ordered[outside], ordered[len(ordered) - 1 - outside]
    pad = margin * (high - low) if high > low else 0.5
    return float(low - pad), float(high + pad)


def draw_plane(
    axes: Axes, x: np.ndarray, y: np.ndarray, objects: Objects, limits: tuple
) -> ScalarMappable | None:
    """Draw objects in a plane, coloured by class, else by redshift, else by number, without NaN.

    Returns the mappable for a colour bar of redshift or number, None if coloured by class.
    """
    axes.set(xlim=limits[0], ylim=limits[1])
    shown = np.isfinite(x) & np.isfinite(y)
    if objects.classes is not None and len(objects.groups()) > 1:
        _draw_classes(axes, x, y, objects, shown, limits)
        return None
    if objects.zspec is not None:
        shown &= np.isfinite(objects.zspec)
        return _draw_values(axes, x[shown], y[shown], objects.zspec[shown], limits)
    return draw_density(axes, x[shown], y[shown], limits)


def draw_density(
    axes: Axes, x: np.ndarray, y: np.ndarray, limits: tuple, color: str = UNKNOWN_COLOR
) -> ScalarMappable | None:
    """Draw points, or for many objects their number per cell (logarithmic)."""
    if len(x) < DENSITY_FROM:
        axes.scatter(x, y, s=6, color=color, alpha=0.6, linewidths=0, rasterized=True)
        return None
    return axes.hexbin(
        x, y, gridsize=GRID_SIZE, extent=(*limits[0], *limits[1]), bins="log", mincnt=1,
        cmap=SEQUENTIAL, linewidths=0, rasterized=True,
    )  # fmt: skip


def _draw_values(
    axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, limits: tuple
) -> ScalarMappable:
    low, high = np.percentile(values, [1, 99]) if len(values) else (0.0, 1.0)
    style: dict[str, Any] = {"vmin": low, "vmax": high, "cmap": SEQUENTIAL}
    style |= {"linewidths": 0, "rasterized": True}
    if len(x) < DENSITY_FROM:
        return axes.scatter(x, y, s=6, c=values, **style)
    return axes.hexbin(
        x, y, C=values, reduce_C_function=np.median, gridsize=GRID_SIZE,
        extent=(*limits[0], *limits[1]), **style,
    )  # fmt: skip


def _draw_classes(
    axes: Axes, x: np.ndarray, y: np.ndarray, objects: Objects, shown: np.ndarray, limits: tuple
) -> None:
    if shown.sum() <= POINTS_LIMIT:
        # the most frequent class first, below the others
        size = 9 if shown.sum() <= DENSITY_FROM else 3
        for name, mask in objects.groups():
            axes.scatter(
                x[mask & shown], y[mask & shown], s=size, color=class_color(name),
                marker=class_marker(name), alpha=0.55, linewidths=0, rasterized=True,
            )  # fmt: skip
        return
    axes.hexbin(
        x[shown], y[shown], gridsize=GRID_SIZE, extent=(*limits[0], *limits[1]), bins="log",
        mincnt=1, cmap="Greys", alpha=0.6, linewidths=0, rasterized=True,
    )  # fmt: skip
    for name, mask in objects.groups():
        _draw_contours(axes, x[mask & shown], y[mask & shown], limits, class_color(name))


def _draw_contours(axes: Axes, x: np.ndarray, y: np.ndarray, limits: tuple, color: str) -> None:
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=120, range=limits)
    if counts.sum() == 0:
        return
    smooth = gaussian_filter(counts, 1.5)
    levels = enclosing_levels(smooth, (0.9, 0.5))
    if levels[0] < levels[1]:
        x_mid, y_mid = (x_edges[1:] + x_edges[:-1]) / 2, (y_edges[1:] + y_edges[:-1]) / 2
        axes.contour(
            x_mid, y_mid, smooth.T, levels=levels, colors=color, linestyles=["--", "-"],
            linewidths=1.3,
        )  # fmt: skip


def enclosing_levels(density: np.ndarray, fractions: tuple[float, ...]) -> list[float]:
    """Return the density levels whose contours enclose the given fractions of the total."""
    ordered = np.sort(density, axis=None)[::-1]
    enclosed = np.cumsum(ordered) / ordered.sum()
    return [float(ordered[np.searchsorted(enclosed, fraction)]) for fraction in fractions]
