"""Style and common functions of all figures, with colours safe for colour blindness."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.configuration.figures import Figures
from sdssflow.files import replacing

logging.getLogger("fontTools").setLevel(logging.WARNING)  # logs how it subsets fonts for PDF

# Okabe & Ito (2008), safe for the common kinds of colour blindness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
CLASS_COLORS = {"GALAXY": "#D55E00", "QSO": "#0072B2", "STAR": "#009E73"}
CLASS_MARKERS = {"GALAXY": "o", "QSO": "^", "STAR": "s"}  # never colour alone
MARKERS = "os^Dv<>P"
LINE_STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
SEQUENTIAL = "cividis"

STYLE: dict[Any, Any] = {
    "figure.constrained_layout.use": True,
    "figure.figsize": (7.0, 4.6),
    "axes.prop_cycle": plt.cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "svg.hashsalt": "sdssflow",  # reproducible ids
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType fonts, as journals require
}
UNDATED = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Look(NamedTuple):
    """Colour, marker and line style of a model."""

    color: str
    marker: str
    linestyle: str


def model_look(place: int) -> Look:
    """Return the style of the n-th model; the first 32 differ, not only by colour.

    >>> model_look(0)
    Look(color='#0072B2', marker='o', linestyle='-')
    >>> model_look(8)
    Look(color='#0072B2', marker='s', linestyle='--')
    """
    again = place // len(PALETTE)
    return Look(
        PALETTE[place % len(PALETTE)],
        MARKERS[(place + again) % len(MARKERS)],
        LINE_STYLES[again % len(LINE_STYLES)],
    )


@contextmanager
def style() -> Iterator[None]:
    """Draw in the project's style; close all figures at the end."""
    with plt.rc_context(STYLE):
        try:
            yield
        finally:
            plt.close("all")


def save_figure(figure: Figure, path: str | Path, settings: Figures) -> None:
    """Write a figure to `path`, and next to it in the other formats of the settings.

    Files are written atomically, without date and versions, so that their bytes are reproducible.
    """
    for further in [Path(path), *(Path(path).with_suffix(f".{kind}") for kind in settings.also)]:
        with replacing(further) as temporary:
            kind = further.suffix.lstrip(".")
            figure.savefig(temporary, dpi=settings.dpi, metadata=UNDATED[kind])


def draw_all(
    paths: Iterable[str | Path],
    figures: Mapping[str, tuple[Callable[..., Figure], tuple[str, ...]]],
    read: Callable[[str], Any],
    settings: Figures,
) -> None:
    """Draw and save the figures named by the stems of `paths`.

    `figures` maps names to a drawing function and the names of its arguments; `read` returns an
    argument by name, and is called once for each.
    """
    read = functools.cache(read)
    for path in paths:
        name = Path(path).stem
        if name not in figures:
            raise ValueError(f"unknown figure {name!r}; there are {', '.join(figures)}")
        draw, needs = figures[name]
        with style():
            save_figure(draw(*map(read, needs)), path, settings)


def panels(
    count: int,
    width: float,
    height: float,
    columns: int = 4,
    margin: tuple[float, float] = (1.2, 0.6),
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` equal panels, `columns` in a row; sizes are in inches."""
    columns = min(count, columns)
    rows = math.ceil(count / columns)
    size = (margin[0] + width * columns, margin[1] + height * rows)
    figure, grid = plt.subplots(
        rows, columns, sharex=share, sharey=share, squeeze=False, figsize=size
    )
    for axis in grid.flat[count:]:
        axis.remove()
    for axis in grid.flat[max(0, count - columns) : count]:
        axis.tick_params(labelbottom=True)  # the lowest panel of each column
    return figure, list(grid.flat[:count])


def draw_bins(
    scores_by_bin: pd.DataFrame,
    models: Sequence[str],
    metrics: Iterable[str],
    variables: Sequence[str],
    size: tuple[float, float],
) -> tuple[Figure, np.ndarray]:
    """Draw scores with intervals against bins: a row per metric, a column per variable.

    Models are offset along the axis so that their intervals don't overlap. Only scores over all
    seeds are drawn. Returns the figure (`size` in inches), without labels and legend, and its axes
    (metrics, variables).
    """
    frame = scores_by_bin[scores_by_bin["seed"].astype(str) == "all"]
    metrics = list(metrics)
    figure, axes = plt.subplots(
        len(metrics), len(variables), sharex="col", sharey="row", squeeze=False, figsize=size
    )
    for line, metric in zip(axes, metrics, strict=True):
        for axis, variable in zip(line, variables, strict=True):
            shown = frame[(frame["metric"] == metric) & (frame["variable"] == variable)]
            for place, model in enumerate(models):
                rows = shown[shown["model"] == model].sort_values("bin_low")
                widths = rows["bin_high"] - rows["bin_low"]
                shift = 0.6 * widths.min() * (place - (len(models) - 1) / 2) / len(models)
                x = (rows["bin_low"] + rows["bin_high"]) / 2 + shift
                look = model_look(place)
                axis.vlines(
                    x, rows["lower"], rows["upper"], color=look.color, linewidth=1, alpha=0.6
                )
                axis.plot(x, rows["value"], **look._asdict(), markersize=4, label=model)
    return figure, axes


def running_percentiles(
    x: np.ndarray, y: np.ndarray, bins: int = 20, fewest: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return percentiles of `y` in bins of `x` with equal numbers of objects.

    Pairs of `x` and `y`, (n,), with NaN are left out. There are at most `bins` bins, each with at
    least `fewest` objects; none for smaller samples. Returns the medians of `x` in each bin, (m,),
    and the 16th, 50th and 84th percentiles of `y`, (m, 3).

    >>> center, bands = running_percentiles(np.arange(4.0), np.array([0.0, 2.0, 5.0, 7.0]), 2)
    >>> center, bands[:, 1]
    (array([0.5, 2.5]), array([1., 6.]))
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    order = np.argsort(x, kind="stable")
    count = min(bins, len(x) // fewest)
    chunks = np.array_split(order, count) if count else []
    center = np.array([np.median(x[rows]) for rows in chunks])
    bands = np.array([np.quantile(y[rows], (0.16, 0.5, 0.84)) for rows in chunks])
    return center, bands.reshape(count, 3)
