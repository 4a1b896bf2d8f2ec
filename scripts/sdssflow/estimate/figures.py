"""Figures of a target: sky maps, colour-magnitude diagrams, n(z) of tomographic bins.

Sky maps count all objects; the others show those drawn at random. Each function returns a
matplotlib figure, to be drawn within `plotting.style`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.estimate.drawn import color_of, columns, quantiles_of
from sdssflow.estimate.layout import CELLS, DRAWN_LEVELS, NSIDE
from sdssflow.evaluate.bootstrap import (
    draw_counts,
    interval,
    positive_or_nan,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.explore.drawing import class_color, draw_density, robust_limits
from sdssflow.explore.sky import POLE_MARGIN, draw_sky_image, label_all_sky, label_field, sky_center
from sdssflow.plotting import SEQUENTIAL, model_look, panels
from sdssflow.redshift_pdf.tabulated import bin_masses

FLAT_RADIUS = 20.0  # deg; smaller fields are drawn as a flat panel, not on a map of the sky
CELL = 1.83  # deg, side of a cell of the sky
SHOWN_TAIL = 0.001  # fraction of all p(z) on either side of the drawn range of n(z)


class Panel(NamedTuple):
    """A map: column of the sky table, label, required task, keyword arguments of the image."""

    column: str
    label: str
    task: str
    look: dict[str, Any]


PANELS = (
    Panel("density", "objects per square degree", "", {"vmin": 0}),
    Panel("stars", "mean probability to be a star", "classify", {"vmin": 0, "vmax": 1}),
    Panel("zphot_median", "median zphot", "regress", {}),
    Panel("width", "mean half width of p(z), 68 %, over 1 + zphot", "regress", {"vmin": 0}),
)


def draw_sky(sky: pa.Table, tasks: list[str]) -> Figure:
    """Draw maps of the columns of ``sky.parquet``: flat for a small field, else of the whole sky.

    Right ascension increases to the left, as seen from inside the sphere.
    """
    if not len(sky):
        return say("No object has a position.")
    from astropy_healpix import HEALPix

    cell = sky["cell"].to_numpy()
    ra, dec = (a.to_value("deg") for a in HEALPix(NSIDE, order="nested").healpix_to_lonlat(cell))
    values = {name: sky[name].to_numpy() for name in ("stars", "zphot_median", "width")}
    values["density"] = sky["objects"].to_numpy() / (4 * np.pi * np.degrees(1) ** 2 / CELLS)
    shown = [
        panel
        for panel in PANELS
        if panel.task in ("", *tasks) and np.isfinite(values[panel.column]).any()
    ]
    center_ra, center_dec, radius = sky_center(ra, dec)
    flat = radius <= FLAT_RADIUS and abs(center_dec) + radius < 90 - POLE_MARGIN
    rows, width = -(-len(shown) // 2), min(len(shown), 2)
    figure, grid = plt.subplots(
        rows, width, squeeze=False, figsize=(5.4 * width, (4.2 if flat else 3.0) * rows + 0.4),
        subplot_kw={} if flat else {"projection": "mollweide"},
    )  # fmt: skip
    for axes in grid.flat[len(shown) :]:
        axes.remove()
    for panel, axes in zip(shown, grid.flat, strict=False):
        image = np.full(CELLS, np.nan)
        image[cell] = values[panel.column]
        axes.grid(False)
        if flat:
            _draw_field(axes, image, (center_ra, center_dec, radius), panel)
        else:
            center = 30 * round(center_ra / 30) % 360
            draw_sky_image(axes, _at(image), center, "", **_look(panel, values[panel.column]))
            label_all_sky(axes, center)
            axes.tick_params(labelsize=8)
        axes.set_title(panel.label, fontsize=10)
    figure.suptitle(f"N = {sky['objects'].to_numpy().sum():,} with a position", fontsize=11)
    return figure


def _look(panel: Panel, values: np.ndarray) -> dict[str, Any]:
    """Return the limits of the colours of a map, without a few outlying cells."""
    low, high = np.nanquantile(values, [0.01, 0.99])
    return {"vmin": low, "vmax": high if high > low else low + 1e-9} | panel.look


def _at(values: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function of positions in degrees to the values of (CELLS,) cells."""
    from astropy import units
    from astropy_healpix import HEALPix

    cells = HEALPix(NSIDE, order="nested")
    return lambda ra, dec: values[cells.lonlat_to_healpix(ra * units.deg, dec * units.deg)]


def _draw_field(
    axes: Axes, values: np.ndarray, circle: tuple[float, float, float], panel: Panel
) -> None:
    """Draw values of cells on a flat panel; ra, dec and radius of the field in degrees."""
    ra, dec, radius = circle
    reach = radius + CELL
    offset = np.linspace(-reach, reach, 401) / np.cos(np.radians(dec))
    height = np.linspace(dec - reach, dec + reach, 401)
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in (offset, height)]
    x, y = np.meshgrid(*middle)
    image = _at(values)((x + ra) % 360, y)
    filled = np.isfinite(image)
    look: dict[str, Any] = {"cmap": SEQUENTIAL, "rasterized": True} | _look(panel, values)
    axes.figure.colorbar(axes.pcolormesh(offset, height, image, **look), shrink=0.8)
    columns, rows = filled.any(axis=0), filled.any(axis=1)
    axes.set(xlim=_ends(middle[0][columns]), ylim=_ends(middle[1][rows]))
    label_field(axes, middle[0][columns], (ra, dec))


def _ends(values: np.ndarray) -> tuple[float, float]:
    margin = 0.03 * (values.max() - values.min()) + 0.05
    return values.min() - margin, values.max() + margin


def draw_magnitude_color(drawn: pa.Table, objects: int) -> Figure:
    """Draw the most probable classes in a colour-magnitude diagram.

    Parameters
    ----------
    drawn : pyarrow.Table
        `drawn.read_drawn`, with `class`, `reference_mag` and the features.
    objects : int
        Number of objects that they were drawn from.
    """
    color = color_of(drawn.column_names, "classify")
    if color is None:
        return say("The model uses no colour." if len(drawn) else "There are no objects.")
    magnitude, values = columns(drawn, ["reference_mag", color[0]]).T
    classes = np.array(drawn["class"].to_pylist(), dtype=object)
    limits = robust_limits(magnitude, tail=0.002), robust_limits(values, tail=0.002)
    shown = np.isfinite(magnitude) & np.isfinite(values)
    figure, axes = panels(len(CLASSES), width=3.3, height=3.4, columns=3, margin=(1.2, 1.0))
    for axis, name in zip(axes, CLASSES, strict=True):
        inside = shown & (classes == name)
        cells = draw_density(axis, magnitude[inside], values[inside], limits, class_color(name))
        if cells is not None:
            figure.colorbar(cells, ax=axis, label="objects per cell")
        axis.set(xlim=limits[0], ylim=limits[1])
        share = np.mean(classes == name)
        axis.set_title(f"{name}: {100 * share:.1f} %", fontsize=10)
    figure.supxlabel("reference magnitude (mag)", fontsize=10)
    figure.supylabel(f"{color[1]} (mag)", fontsize=10)
    figure.suptitle(_drawn_of(len(drawn), objects), fontsize=11)
    return figure


def draw_distributions(
    drawn: pa.Table, objects: int, stack_bins: int, bootstrap: Bootstrap
) -> Figure:
    """Draw n(z) of the tomographic bins, the mean p(z) of their objects, with bootstrap bands.

    Parameters
    ----------
    drawn : pyarrow.Table
        `drawn.read_drawn`, with `row_id`, `quantiles` and `tomographic_bin`.
    objects : int
        Number of objects that they were drawn from.
    stack_bins : int
        Number of redshift bins.
    bootstrap : Bootstrap
        Over the drawn objects.
    """
    known, quantiles = quantiles_of(drawn)
    if not known.any():
        return say("No object has p(z).")
    chosen = drawn.filter(pa.array(known))
    edges = shown_redshifts(quantiles, stack_bins)
    figure, axis = plt.subplots(figsize=(7.6, 4.6))
    middle = (edges[1:] + edges[:-1]) / 2
    found = distributions(chosen, quantiles, edges, bootstrap)
    for line, (number, n, (mean, low, high)) in enumerate(found):
        look = model_look(line)
        axis.fill_between(middle, low, high, color=look.color, alpha=0.25, linewidth=0)
        label = f"{'no bin' if number is None else f'bin {number}'}: {100 * n / len(chosen):.1f} %"
        axis.plot(
            middle, mean, **look._asdict(), markersize=5, markevery=(3 + 2 * line, 12), label=label
        )
    axis.set(xlabel="redshift", ylabel="n(z), each bin with an integral of 1", xlim=edges[[0, -1]])
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=9)
    axis.set_title(_drawn_of(len(drawn), objects) + f", {len(chosen):,} with p(z)", fontsize=11)
    return figure


def shown_redshifts(quantiles: np.ndarray, bins: int) -> np.ndarray:
    """Return (bins + 1,) edges over the range of all p(z), without small tails."""
    low, high = np.quantile(quantiles, [SHOWN_TAIL, 1 - SHOWN_TAIL])
    return np.linspace(min(0.0, low), max(high, low + 1e-3), bins + 1)


def distributions(
    drawn: pa.Table, quantiles: np.ndarray, edges: np.ndarray, bootstrap: Bootstrap
) -> Iterator[tuple[int | None, int, np.ndarray]]:
    """Yield each tomographic bin, its number of objects, and (3, b): n(z), lower and upper limit.

    Parameters
    ----------
    drawn : (n,) pyarrow.Table
        Objects with p(z): `partition`, `row_id`, `tomographic_bin`, null in no bin.
    quantiles : (n, q) float64 array
        Quantiles of their p(z) at `DRAWN_LEVELS`.
    edges : (b + 1,) float64 array
        Edges of redshift bins. The integral of 1 includes what is beyond them.
    bootstrap : Bootstrap
        Over objects: the band does not include errors of p(z).
    """
    number = drawn["tomographic_bin"].cast(pa.int16()).fill_null(-1).to_numpy()
    pairs = zip(drawn["partition"].to_pylist(), drawn["row_id"].to_pylist(), strict=True)
    keys = np.array([f"{part}|{row_id}" for part, row_id in pairs])
    masses = bin_masses(DRAWN_LEVELS, quantiles, np.array([-np.inf, *edges, np.inf]))[:, 1:-1]
    for name in np.unique(number):
        inside = number == name
        weights = with_point_estimate(draw_counts(keys[inside], bootstrap))
        total = positive_or_nan(weights.sum(axis=1, dtype=np.int64))
        density = weighted_sums(weights, masses[inside]) / total[:, None] / np.diff(edges)
        low, high = interval(density[1:], bootstrap.level)
        yield None if name < 0 else int(name), int(inside.sum()), np.stack([density[0], low, high])


def say(text: str) -> Figure:
    """Return a figure with a text instead of data."""
    figure, axis = plt.subplots(figsize=(6.4, 1.6))
    axis.axis("off")
    axis.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def _drawn_of(drawn: int, objects: int) -> str:
    if drawn == objects:
        return f"all {objects:,} objects"
    return f"{drawn:,} of {objects:,} objects, drawn at random"


FIGURES: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "sky": (draw_sky, ("sky", "tasks")),
    "magnitude_color": (draw_magnitude_color, ("drawn", "objects")),
    "redshift_distributions": (draw_distributions, ("drawn", "objects", "stack_bins", "bootstrap")),
}
