"""Figures of the classifiers: scores, confusion matrices, calibration, scores by magnitude, ROC.

Each function takes tables as written by the rules, and the models in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET, CLASS_SET_LEVEL
from sdssflow.evaluate import class_metrics, importance_figures
from sdssflow.evaluate.metrics import ALL, axis_labels, best_model, placed
from sdssflow.evaluate.tables import Predictions
from sdssflow.plotting import CLASS_COLORS, CLASS_MARKERS, LINE_STYLES, PALETTE, SEQUENTIAL, panels

LABELS = axis_labels(placed(class_metrics.METRICS, "drawn"))
LOWER_IS_BETTER = [metric.name for metric in class_metrics.METRICS if metric.better == "low"]
SMALLEST_RATE = 1e-3  # left end of the logarithmic axis of the ROC curves


def draw_comparison(scores: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw six scores of every model with intervals; means over seeds."""
    shown = scores[(scores["seed"].astype(str) == ALL) & (scores["subset"] == ALL)]
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 1.6 + 0.5 * len(models)), sharey=True)
    places = np.arange(len(models))[::-1]
    for axis, (metric, label) in zip(axes.flat, LABELS.items(), strict=True):
        table = shown[shown["metric"] == metric].set_index("model").reindex(models)
        value = table["value"].to_numpy()
        lower_is_better = metric in LOWER_IS_BETTER
        best = np.argmin(value) if lower_is_better else np.argmax(value)
        axis.hlines(places, table["lower"], table["upper"], color=PALETTE[0], lw=2, alpha=0.6)
        axis.plot(value, places, "o", color=PALETTE[0], ms=5)
        axis.plot(value[best], places[best], "o", color=PALETTE[1], ms=7, label="best")
        axis.set_xlabel(f"{label}, {'lower' if lower_is_better else 'higher'} is better")
        axis.set_yticks(places, models)
        axis.xaxis.set_major_locator(plt.MaxNLocator(5))
    figure.suptitle("Mean over seeds with bootstrap intervals; orange: best value")
    return figure


def draw_confusion(table: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw the row-normalised confusion matrix of every model; all seeds pooled."""
    pooled = table[table["seed"].astype(str) == ALL]
    figure, axes = panels(len(models), width=2.4, height=2.5, margin=(0.6, 0.7))
    for axis, model in zip(axes, models, strict=True):
        rows = pooled[pooled["model"] == model]
        fraction = rows.pivot(index="truth", columns="predicted", values="fraction")
        fraction = fraction.loc[list(CLASSES), list(CLASSES)].to_numpy()
        axis.imshow(fraction, cmap=SEQUENTIAL, vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(fraction):
            text = "–" if np.isnan(value) else f"{value:.3f}"
            axis.text(
                column, row, text, ha="center", va="center", color="k" if value > 0.5 else "w"
            )
        axis.set_title(model)
        axis.set_xticks(range(len(CLASSES)), CLASSES, fontsize=8)
        axis.set_yticks(range(len(CLASSES)), CLASSES, fontsize=8, rotation=90, va="center")
        axis.grid(False)
    figure.supxlabel("predicted class", fontsize=10)
    figure.supylabel("true class (each row sums to 1)", fontsize=10)
    return figure


def draw_best_confusion(scores: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw the confusion matrix of the classifier with the highest macro F1."""
    return draw_confusion(table, [best_model(scores, "macro_f1", lowest=False)])


def draw_reliability(table: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw the calibration curves of every model, for the most probable class and for each class.

    Bars are bootstrap intervals; the band is where calibrated probabilities lie.
    """
    subsets = (ALL, *CLASSES)
    figure, axes = plt.subplots(
        len(subsets), len(models), figsize=(1 + 1.7 * len(models), 7), sharex=True, sharey=True,
        squeeze=False,
    )  # fmt: skip
    for row, subset in enumerate(subsets):
        color = CLASS_COLORS.get(subset, PALETTE[0])
        for axis, model in zip(axes[row], models, strict=True):
            rows = table[(table["model"] == model) & (table["subset"] == subset)]
            bars = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["fraction"].to_numpy())
            stated = rows["mean_probability"]
            axis.plot([0, 1], [0, 1], color="0.5", lw=1)
            axis.fill_between(
                stated, rows["consistent_lower"], rows["consistent_upper"], color="0.8", lw=0
            )
            axis.errorbar(
                stated, rows["fraction"], np.nan_to_num(bars), fmt="o-", color=color, ms=3, lw=1
            )
            share = rows["n"] / rows["n"].sum()
            width = rows["bin_high"] - rows["bin_low"]
            axis.bar(rows["bin_low"], share, width, align="edge", color=PALETTE[4], alpha=0.35)
            axis.set(xlim=(-0.02, 1.02), ylim=(0, 1.05))
            if not row:
                axis.set_title(model)
        axes[row, 0].set_ylabel("top class" if subset == ALL else subset, color=color)
    figure.supxlabel("mean predicted probability (bars at the bottom: share of the objects)")
    figure.supylabel("fraction correct")
    return figure


def draw_class_sets(table: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw coverage and size of class sets against magnitude, one column per class."""
    labels = {CLASS_SET: "coverage", f"{CLASS_SET}_size": "classes in the set"}
    binned = table[table["variable"] == "reference_mag"]
    return _against_magnitude(binned, models, labels, "row", (CLASS_SET_LEVEL, 1))


def draw_by_magnitude(table: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw completeness and purity of each class against magnitude, one panel per class."""
    labels = {"recall": "completeness", "precision": "purity"}
    return _against_magnitude(table, models, labels, True)


def _against_magnitude(
    table: pd.DataFrame,
    models: Sequence[str],
    labels: dict[str, str],
    sharey: bool | Literal["row"],
    nominal: tuple[float, ...] = (),
) -> Figure:
    """Draw two metrics in bins of magnitude, one per row, with a line at the nominal value."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6), sharex=True, sharey=sharey)
    for row, (metric, label) in enumerate(labels.items()):
        for axis, name in zip(axes[row], CLASSES, strict=True):
            shown = table[(table["metric"] == metric) & (table["subset"] == name)]
            for level in nominal[row : row + 1]:
                axis.axhline(level, color="0.5", lw=1)
            _lines_by_bin(axis, shown, [name for name in models if (shown["model"] == name).any()])
            axis.set_title(name, color=CLASS_COLORS[name])
        axes[row, 0].set_ylabel(label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    figure.supxlabel("reference magnitude (mag)")
    return figure


def draw_roc(predictions: Sequence[Predictions]) -> Figure:
    """Draw the ROC curve of each class against the rest; seeds pooled."""
    from sklearn.metrics import roc_curve

    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.8), sharey=True)
    for axis, name in zip(axes, CLASSES, strict=True):
        for place, one in enumerate(predictions):
            positive = (one.frame["spec_class"] == name).to_numpy()
            if not 0 < positive.sum() < len(positive):
                continue
            false, true, _ = roc_curve(positive, one.frame[f"probability_{name}"].to_numpy())
            color, style = _look(place)
            axis.step(
                np.maximum(false, SMALLEST_RATE / 2), true, where="post", color=color,
                linestyle=style, lw=1.3, label=one.model,
            )  # fmt: skip
        axis.set(xscale="log", xlim=(SMALLEST_RATE, 1), ylim=(0, 1.02))
        axis.set_xlabel("false positive rate")
        axis.set_title(f"{name} against the rest", color=CLASS_COLORS[name])
    axes[0].set_ylabel("completeness")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _lines_by_bin(axis: Axes, shown: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw a line per model, slightly shifted so that intervals don't overlap."""
    for place, model in enumerate(models):
        rows = shown[shown["model"] == model]
        middle = (rows["bin_low"] + rows["bin_high"]) / 2
        shift = (place - (len(models) - 1) / 2) * 0.06 * (rows["bin_high"] - rows["bin_low"]).min()
        bars = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["value"].to_numpy())
        color, style = _look(place)
        axis.errorbar(
            middle + shift, rows["value"], np.nan_to_num(bars), color=color, linestyle=style,
            marker=list(CLASS_MARKERS.values())[place % 3], ms=4, lw=1.1, elinewidth=0.7,
            label=model,
        )  # fmt: skip


def _look(place: int) -> tuple[str, str]:
    """Return colour and line style of the n-th model: models never differ by colour alone."""
    again = place // len(PALETTE)
    return PALETTE[place % len(PALETTE)], LINE_STYLES[(place + again) % len(LINE_STYLES)]


FIGURES = {
    "comparison": (draw_comparison, ("scores", "models")),
    "best_confusion": (draw_best_confusion, ("scores", "confusion")),
    "confusion": (draw_confusion, ("confusion", "models")),
    "reliability": (draw_reliability, ("reliability", "models")),
    "class_sets": (draw_class_sets, ("class_sets", "models")),
    "by_magnitude": (draw_by_magnitude, ("scores_by_bin", "models")),
    "roc": (draw_roc, ("predictions",)),
    **importance_figures.FIGURES,
}
