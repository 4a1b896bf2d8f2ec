"""Sky maps: centre and radius of a field, axes, images of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from sdssflow.plotting import SEQUENTIAL

POLE_MARGIN = 5.0  # deg; closer to a pole, 1/cos(dec) varies too much


def sky_center(ra: np.ndarray, dec: np.ndarray) -> tuple[float, float, float]:
    """Return RA and Dec of the centre of positions, and the largest distance from it, in degrees.

    The centre is the direction of the mean unit vector, so RA = 0 is no exception.
    """
    ra, dec = np.radians(ra), np.radians(dec)
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    if length < 1e-9:  # no centre
        return 180.0, 0.0, 180.0
    mean /= length
    # for small angles the chord is accurate, the arc cosine of a dot product is not
    chord = np.linalg.norm(vectors - mean, axis=1).max()
    radius = 2 * np.degrees(np.arcsin(min(1.0, chord / 2)))
    center = float(np.degrees(np.arctan2(mean[1], mean[0])) % 360)
    return center, float(np.degrees(np.arcsin(mean[2]))), float(radius)


def signed_offset(ra: np.ndarray, center: float) -> np.ndarray:
    """Return the right ascension relative to a centre, in degrees from -180 (included) to 180."""
    return (np.asarray(ra) - center + 180) % 360 - 180


def label_field(axes: Axes, offset: np.ndarray, center: tuple[float, float]) -> None:
    """Label a flat panel of right ascension relative to a centre, and declination."""
    axes.set_aspect(1 / np.cos(np.radians(center[1])))
    axes.invert_xaxis()
    axes.xaxis.set_major_formatter(lambda tick, _: f"{round((tick + center[0]) % 360, 4):g}")
    axes.set(xlabel="right ascension (deg, ICRS)", ylabel="declination (deg, ICRS)")
    # ticks at round right ascensions, not at round offsets from the centre
    low, high = offset.min() + center[0], offset.max() + center[0]
    ticks = np.asarray(MaxNLocator(4).tick_values(low, high)) - center[0]
    limits = axes.get_xlim()
    axes.xaxis.set_major_locator(
        FixedLocator([tick for tick in ticks if min(limits) <= tick <= max(limits)])
    )


def label_all_sky(axes: Axes, center: int) -> None:
    """Label a Mollweide map centred on a right ascension, in degrees."""
    ticks = np.arange(-150, 151, 60)
    labels = [f"{(center - tick) % 360}°" for tick in ticks]
    axes.set_xticks(np.radians(ticks), labels)
    for label in axes.get_xticklabels():
        label.set(
            fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
        )
    axes.set_xlabel("right ascension (ICRS), increasing to the left")
    axes.set_ylabel("declination (ICRS)")


def draw_sky_image(
    axes: Axes,
    value_at: Callable[[np.ndarray, np.ndarray], np.ndarray],
    center: int,
    label: str,
    **look: Any,
) -> None:
    """Draw a Mollweide map of `value_at` for (n, m) RA and Dec in degrees."""
    edges_x, edges_y = np.linspace(-180, 180, 721), np.linspace(-90, 90, 361)
    x, y = np.meshgrid((edges_x[1:] + edges_x[:-1]) / 2, (edges_y[1:] + edges_y[:-1]) / 2)
    cells = axes.pcolormesh(
        np.radians(edges_x), np.radians(edges_y), value_at((center - x) % 360, y),
        cmap=SEQUENTIAL, rasterized=True, **look,
    )  # fmt: skip
    axes.figure.colorbar(cells, label=label, shrink=0.6)
