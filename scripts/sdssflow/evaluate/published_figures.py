"""Figure of published curves with ours."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.evaluate import paper_metrics, redshift_metrics
from sdssflow.evaluate.metrics import axis_labels
from sdssflow.evaluate.published import STANDARD_ERRORS
from sdssflow.plotting import model_look, panels

OF_A_CURVE = ["entry", "sample", "split", "model"]


def draw_curves(published: pd.DataFrame) -> Figure:
    """Draw each curve of `published.csv`, with ours if there is one, against zspec.

    A number is reproduced if our interval lies within the band.
    """
    frame = published[published["zspec_low"].notna()]
    curves = list(frame.groupby(OF_A_CURVE, sort=False))
    figure, grid = panels(max(len(curves), 1), 4.4, 3.2, columns=2, share=False)
    for (_, rows), axes in zip(curves, grid, strict=False):
        _draw_curve(axes, rows)
    if not curves:
        grid[0].text(0.5, 0.5, "no entry with a curve", ha="center", transform=grid[0].transAxes)
        grid[0].set_axis_off()
    return figure


def _draw_curve(axes: Axes, rows: pd.DataFrame) -> None:
    first = rows.iloc[0]
    theirs, ours = model_look(6), model_look(0)
    uncertainty = rows["uncertainty"].fillna(0)
    middle = (rows["zspec_low"] + rows["zspec_high"]) / 2
    margin = rows["tolerance"] + STANDARD_ERRORS * uncertainty
    axes.fill_between(
        middle, rows["theirs"] - margin, rows["theirs"] + margin, color=theirs.color, alpha=0.12,
        lw=0, label="tolerance",
    )  # fmt: skip
    axes.errorbar(
        middle, rows["theirs"], uncertainty, color=theirs.color, marker=theirs.marker, ms=4, lw=1,
        label="published",
    )  # fmt: skip
    if rows["ours"].notna().any():
        reach = [rows["ours"] - rows["ours_low"], rows["ours_high"] - rows["ours"]]
        axes.errorbar(
            middle, rows["ours"], [side.clip(lower=0) for side in reach], color=ours.color,
            marker=ours.marker, ms=5, ls="", label=f"ours: {first['model']}",
        )  # fmt: skip
    labels = axis_labels([*redshift_metrics.METRICS, *paper_metrics.METRICS])
    label = labels.get(first["metric"], first["metric"])
    who = first["citation"].partition(",")[0]
    title = f"{who}: {first['sample']}, split {first['split']}"
    axes.set(xlabel="zspec", ylabel=label, title=title)
    axes.title.set_fontsize(10)
    axes.legend(fontsize=8)
