"""Figure of the learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.plotting import model_look, panels

LABELS = {
    "error_rate": "fraction in the wrong class",
    "log_loss": "log-loss",
    "sigma_nmad": "$\\sigma_{\\rm NMAD}$",
    "rms": "rms of $\\Delta z/(1+z)$",
}
BEYOND = 4  # the curve is extrapolated to this multiple of the last point


def draw_learning(curves: pd.DataFrame, fits: pd.DataFrame, title: str) -> Figure:
    """Draw scores of the test part against the number of training objects, with power-law fits.

    Extrapolations are dashed.
    """
    curves, fits = (table[table["part"] == "test"] for table in (curves, fits))
    keys = list(curves[["task", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    figure, grid = panels(len(keys), 4.2, 3.6, columns=2, share=False)
    for (task, metric), axes in zip(keys, grid, strict=True):
        of_panel = curves[(curves["task"] == task) & (curves["metric"] == metric)]
        for place, (model, rows) in enumerate(of_panel.groupby("model", sort=False)):
            look = model_look(place)
            reach = [rows["value"] - rows["lower"], rows["upper"] - rows["value"]]
            axes.errorbar(
                rows["objects"], rows["value"], np.maximum(reach, 0), ls="", marker=look.marker,
                color=look.color, ms=5, lw=1, label=model,
            )  # fmt: skip
            chosen = (fits["task"] == task) & (fits["metric"] == metric) & (fits["model"] == model)
            _draw_fit(axes, fits[chosen].iloc[0], rows["objects"].min(), look.color)
        axes.set(xscale="log", xlabel="training objects", ylabel=LABELS[metric])
        if (of_panel["value"] > 0).all():
            axes.set_yscale("log")
        axes.legend(fontsize=8)
    n = int(curves["n"].iloc[0])
    figure.suptitle(f"{title}: learning curves, N = {n} test objects", fontsize=11)
    return figure


def _draw_fit(axes: Axes, fit: pd.Series, start: float, color: str) -> None:
    if np.isnan(fit["floor"]):
        return
    end = fit["objects"]
    for low, high, line in ((start, end, "-"), (end, BEYOND * end, "--")):
        objects = np.geomspace(low, high, 60)
        curve = fit["floor"] + fit["factor"] * objects ** -fit["exponent"]
        axes.plot(objects, curve, ls=line, color=color, lw=1.2)
