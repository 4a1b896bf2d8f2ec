"""One look for all figures: colours that colour-blind people can tell apart, units on the axes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from sdssflow.configuration.figures import Figures
from sdssflow.files import replacing

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells how it packs letters into PDF

# Okabe & Ito (2008), safe for the common kinds of colour blindness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
CLASS_COLORS = {"GALAXY": "#D55E00", "QSO": "#0072B2", "STAR": "#009E73"}
CLASS_MARKERS = {"GALAXY": "o", "QSO": "^", "STAR": "s"}  # never colour alone
MARKERS = "os^Dv<>P"
LINE_STYLES = ("-", "--", ":", "-.")
SEQUENTIAL = "cividis"

STYLE = {
    "figure.constrained_layout.use": True,
    "figure.figsize": (7.0, 4.6),
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "svg.hashsalt": "sdssflow",  # else every SVG has other ids
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # letters stay letters: journals ask for it
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
    """Return how the n-th model is drawn: never told by colour alone, the first 32 all unlike.

    Examples
    --------
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
    """Draw in the project's style; close every figure at the end."""
    with plt.rc_context(STYLE):
        try:
            yield
        finally:
            plt.close("all")


def save_figure(figure: Figure, path: str | Path, settings: Figures) -> None:
    """Write a figure to `path`, and beside it in each further format of the settings.

    Each file is written whole or not at all, without the date and versions that change its bytes.
    """
    for further in [Path(path), *(Path(path).with_suffix(f".{kind}") for kind in settings.also)]:
        with replacing(further) as temporary:
            kind = further.suffix.lstrip(".")
            figure.savefig(temporary, dpi=settings.dpi, metadata=UNDATED[kind])
