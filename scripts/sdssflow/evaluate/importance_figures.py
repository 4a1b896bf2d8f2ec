"""Figures of feature importance and partial dependence, for classifiers and regressors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from sdssflow.evaluate.metrics import ALL
from sdssflow.plotting import CLASS_COLORS, CLASS_MARKERS, PALETTE

SCORES = {"log_loss": "log-loss", "crps": "CRPS", "mae": "mean absolute error"}
KINDS = {"feature": (PALETTE[0], "o"), "group": (PALETTE[1], "s")}


def draw_importance(table: pd.DataFrame) -> Figure:
    """Draw the importance of each feature, then of each group, one panel per model.

    All panels have the same order, by the mean over models.
    """
    means = table[table["seed"].astype(str) == ALL]
    models = list(dict.fromkeys(means["model"]))
    shown = [
        (kind, name)
        for kind in KINDS
        for name in _by_importance(means[means["kind"] == kind])
    ]  # fmt: skip
    size = (2.2 + 2.8 * len(models), 1.2 + 0.27 * len(shown))
    figure, axes = plt.subplots(1, len(models), sharey=True, squeeze=False, figsize=size)
    for axis, model in zip(axes[0], models, strict=True):
        rows = means[means["model"] == model].set_index(["kind", "name"])
        axis.axvline(0, color="black", linewidth=0.8)
        for kind, (color, marker) in KINDS.items():
            places = [place for place, (of, _) in enumerate(shown) if of == kind]
            some = rows.loc[[shown[place] for place in places]]
            axis.hlines(places, some["lower"], some["upper"], color=color, lw=2, alpha=0.6)
            axis.plot(some["value"], places, marker, color=color, ms=5, label=kind)
        axis.set_title(model, fontsize=10)
        axis.set_xlabel(f"increase of the {SCORES[rows['score'].iloc[0]]}")
        axis.locator_params(axis="x", nbins=4)
    axes[0, 0].set_yticks(range(len(shown)), [name for _, name in shown])
    axes[0, 0].invert_yaxis()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def _by_importance(rows: pd.DataFrame) -> list[str]:
    mean = rows.groupby("name", sort=False)["value"].mean()
    return list(mean.sort_values(ascending=False, kind="stable").index)


def draw_partial_dependence(table: pd.DataFrame) -> Figure:
    """Draw the mean prediction against the most important features, one row per model."""
    models = list(dict.fromkeys(table["model"]))
    columns = int(table["rank"].max()) if len(table) else 1
    size = (1.0 + 2.6 * columns, 0.6 + 2.2 * max(len(models), 1))
    figure, axes = plt.subplots(
        max(len(models), 1), columns, sharey=True, squeeze=False, figsize=size
    )
    drawn = set()
    for line, model in zip(axes, models, strict=False):
        for (rank, feature), rows in table[table["model"] == model].groupby(["rank", "feature"]):
            axis = line[rank - 1]
            drawn.add(axis)
            for output, curve in rows.groupby("output", sort=False):
                color = CLASS_COLORS.get(output, PALETTE[0])
                low, high = (curve[name].to_numpy(dtype=float) for name in ("lower", "upper"))
                axis.fill_between(curve["at"], low, high, color=color, alpha=0.25, lw=0)
                axis.plot(
                    curve["at"], curve["value"], marker=CLASS_MARKERS.get(output, "o"), ms=3,
                    lw=1.2, color=color, label=output,
                )  # fmt: skip
            axis.set_xlabel(feature, fontsize=9)
        line[0].set_ylabel(model)
    for axis in set(axes.flat) - drawn:
        axis.set_axis_off()
    outputs = list(dict.fromkeys(table["output"]))
    figure.supylabel("mean zphot" if outputs == ["zphot"] else "mean probability", fontsize=10)
    if len(outputs) > 1:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


FIGURES = {
    "importance": (draw_importance, ("importance",)),
    "partial_dependence": (draw_partial_dependence, ("dependence",)),
}
