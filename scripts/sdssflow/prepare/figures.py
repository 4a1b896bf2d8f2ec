"""Figure of the quality cuts."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdssflow.plotting import PALETTE


def draw_flow(flow: pd.DataFrame, title: str) -> Figure:
    """Draw what `apply_cuts` left after each cut, top to bottom."""
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
    axes.set_title(f"{title}: what the cuts leave")
    if flow["removed"].any():
        axes.legend(loc="lower right")
    return figure
