"""Figures of the quality cuts and of leaks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdssflow.plotting import PALETTE
from sdssflow.prepare.leak_scores import REFUSED


def draw_flow(flow: pd.DataFrame, title: str) -> Figure:
    """Draw the objects that remain after each cut of `apply_cuts`, top to bottom."""
    labels = [f"{row.cut.replace('_', ' ')}\n{row.description}" for row in flow.itertuples()]
    figure, axes = plt.subplots(figsize=(7.5, 1.0 + 0.62 * len(flow)))
    axes.barh(range(len(flow)), flow["after"], color=PALETTE[5], height=0.6)
    axes.barh(
        range(len(flow)), flow["removed"], left=flow["after"], color=PALETTE[1], height=0.6,
        hatch="///", edgecolor="white", label="removed by this cut",
    )  # fmt: skip
    for row in flow.itertuples():
        lost = f"  (−{row.removed:,})" if row.removed else ""
        axes.annotate(
            f"{row.after:,}{lost}", (0, row.step), (4, 0), textcoords="offset points", va="center",
            fontsize=9,
        )  # fmt: skip
    axes.set_yticks(range(len(flow)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set_xlabel("objects")
    axes.set_title(f"{title}: objects left by the cuts")
    if flow["removed"].any():
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
    return figure


def draw_leaks(leaks: pd.DataFrame, title: str) -> Figure:
    """Draw `leak_scores`: columns that can't be features above the features."""
    panels = [
        ("auc", "area under the ROC curve of a class", 0.5),
        ("r2", "explained variance of zspec", 0.0),
    ]
    panels = [panel for panel in panels if leaks[panel[0]].notna().any()]
    refused = (leaks["kind"] == REFUSED).to_numpy()
    score = panels[0][0] if panels else "known"
    order = np.lexsort((-leaks[score].to_numpy(), ~refused))
    leaks, refused = leaks.iloc[order], refused[order]
    width = 3.0 + 3.4 * max(1, len(panels))
    size = (width, 1.6 + 0.22 * len(leaks))
    figure, grid = plt.subplots(1, max(1, len(panels)), figsize=size, squeeze=False, sharey=True)
    heights = np.arange(len(leaks))
    for (name, label, guess), axes in zip(panels, grid.flat, strict=False):
        for mask, color, hatch, words in (
            (refused, PALETTE[1], "///", "can't be a feature"),
            (~refused, PALETTE[5], "", "feature"),
        ):
            axes.barh(
                heights[mask], leaks[name].to_numpy()[mask] - guess, left=guess, color=color,
                height=0.7, hatch=hatch, edgecolor="white", label=words,
            )  # fmt: skip
        axes.axvline(guess, color="black", lw=0.8)
        axes.set(xlim=(min(guess, leaks[name].min()) - 0.01, 1.0), xlabel=label)
        axes.grid(False, axis="y")
    axes = grid[0, 0]
    axes.set_yticks(heights, leaks["column"], fontsize=8)
    axes.invert_yaxis()
    handles, words = axes.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=2)
    figure.suptitle(f"{title}: predictive power of each column for other objects", fontsize=11)
    return figure
