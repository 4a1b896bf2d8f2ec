"""Figures of the photometric redshifts: scores, predictions, residuals, training.

Each function takes tables as written by the rules and returns a matplotlib figure, to be drawn
within `plotting.style` and saved with `plotting.save_figure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from sdssflow.evaluate import importance_figures
from sdssflow.evaluate.metrics import axis_labels, best_model, names, placed
from sdssflow.evaluate.redshift_metrics import METRICS, normalised_residual
from sdssflow.evaluate.tables import Predictions
from sdssflow.plotting import (
    PALETTE,
    SEQUENTIAL,
    draw_bins,
    model_look,
    panels,
    running_percentiles,
)

LABELS = {
    **axis_labels(METRICS),
    "zspec": "zspec",
    "zphot": "zphot",
    "reference_mag": "reference magnitude (mag)",
}
COMPARED = [metric.name for metric in placed(METRICS, "drawn")]
BINNED = names(METRICS, "subgroup")
RUNNING_BINS = 20
DEEP = 0.4  # highest zspec for which the common outlier limit is 0.05, not 0.15


def draw_comparison(scores: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw the scores of all models: mean over seeds with interval, single seeds as small dots.

    The value of a model far from the others (such as the mean redshift) is printed at the edge.
    """
    figure, axes = plt.subplots(2, 3, sharey=True, figsize=(9.5, 1.6 + 0.5 * len(models)))
    scores = scores.assign(seed=scores["seed"].astype(str))
    for axis, metric in zip(axes.flat, COMPARED, strict=True):
        rows = scores[scores["metric"] == metric]
        means = rows[rows["seed"] == "all"].set_index("model")
        low, high = _limits(means["value"], means["lower"], means["upper"])
        for place, model in enumerate(models):
            color, marker, _ = model_look(place)
            mean = means.loc[model]
            if not low <= mean["value"] <= high:
                _name_at_edge(axis, place, mean["value"], mean["value"] > high, color)
                continue
            axis.plot([mean["lower"], mean["upper"]], [place, place], color=color, linewidth=2)
            axis.plot(mean["value"], place, marker, color=color)
            single = rows[(rows["model"] == model) & (rows["seed"] != "all")]["value"]
            axis.plot(single, [place] * len(single), ".", color="black", markersize=3, zorder=3)
        if metric == "bias":
            axis.axvline(0, color="black", linewidth=0.8)
        axis.set_xlim(low, high)
        axis.set_xlabel(LABELS[metric])
        axis.locator_params(axis="x", nbins=4)
    axes[0, 0].set_yticks(range(len(models)), models)
    axes[0, 0].invert_yaxis()
    return figure


def draw_zphot_zspec(predictions: Sequence[Predictions]) -> Figure:
    """Draw zphot against zspec, one panel per model, with equality and the outlier limits."""
    zspec = predictions[0].frame["zspec"].to_numpy()
    low, high = np.quantile(zspec, (0.001, 0.999)) + np.array([-0.02, 0.02]) * np.ptp(zspec)
    limit = 0.05 if high <= DEEP else 0.15
    figure, axes = panels(len(predictions), width=2.6, height=2.5)
    _name_axes(figure, "zphot")
    line = np.array([low, high])
    for axis, prediction in zip(axes, predictions, strict=False):
        x, y = (prediction.frame[name].to_numpy() for name in ("zspec", "zphot"))
        drawn = _density(axis, x, y, (low, high) * 2, prediction.model)
        axis.plot(line, line, color="black", linewidth=0.9)
        for sign in (-1, 1):
            outlier = line + sign * limit * (1 + line)
            axis.plot(line, outlier, color=PALETTE[1], linewidth=0.9, linestyle="--")
    figure.colorbar(drawn, ax=axes, label="objects per cell", shrink=0.8)
    figure.suptitle(f"solid: equality; dashed: $|\\Delta z|/(1+z)={limit}$", fontsize=9)
    return figure


def draw_best_zphot_zspec(scores: pd.DataFrame, predictions: Sequence[Predictions]) -> Figure:
    """Draw zphot against zspec of the model with the lowest sigma_NMAD."""
    best = best_model(scores, "sigma_nmad")
    return draw_zphot_zspec([one for one in predictions if one.model == best])


def draw_residuals(predictions: Sequence[Predictions]) -> Figure:
    """Draw the normalised residual against zspec, one panel per model.

    The running median and the 68 % band (16th to 84th percentile) are computed in bins with equal
    numbers of objects.
    """
    residuals = [
        normalised_residual(p.frame["zspec"].to_numpy(), p.frame["zphot"].to_numpy())
        for p in predictions
    ]
    zspec = predictions[0].frame["zspec"].to_numpy()
    low, high = np.quantile(zspec, (0.001, 0.999))
    # one scale for all panels: 5 sigma of a typical model
    spread = float(np.median([np.ptp(np.quantile(d, (0.16, 0.84))) / 2 for d in residuals]))
    limit = max(5 * spread, 1e-3)
    figure, axes = panels(len(predictions), width=2.8, height=2.1)
    _name_axes(figure, "$\\Delta z/(1+z)$")
    for axis, prediction, residual in zip(axes, predictions, residuals, strict=False):
        zspec = prediction.frame["zspec"].to_numpy()
        drawn = _density(axis, zspec, residual, (low, high, -limit, limit), prediction.model)
        center, bands = running_percentiles(zspec, residual, RUNNING_BINS)
        axis.plot(center, bands[:, 1], color=PALETTE[1], linewidth=1.6)
        for column in (0, 2):
            axis.plot(center, bands[:, column], color=PALETTE[1], linewidth=1, linestyle="--")
        axis.axhline(0, color="black", linewidth=0.8)
    figure.colorbar(drawn, ax=axes, label="objects per cell", shrink=0.8)
    figure.suptitle("solid: running median; dashed: 68 % of the objects", fontsize=9)
    return figure


def draw_by_bin(
    scores_by_bin: pd.DataFrame, models: Sequence[str], variables: Sequence[str]
) -> Figure:
    """Draw scores with intervals in bins of one or more variables, one column for each."""
    size = (2.0 + 4.2 * len(variables), 7.4)
    figure, axes = draw_bins(scores_by_bin, models, BINNED, variables, size)
    frame = scores_by_bin[scores_by_bin["seed"].astype(str) == "all"]
    for line, metric in zip(axes, BINNED, strict=True):
        for axis in line:
            axis.axhline(0, color="black", linewidth=0.8)
        shown = frame[(frame["metric"] == metric) & frame["variable"].isin(variables)]
        line[0].set_ylabel(LABELS[metric])
        line[0].set_ylim(_limits(shown["value"], shown["lower"], shown["upper"]))
    for axis, variable in zip(axes[-1], variables, strict=True):
        axis.set_xlabel(LABELS[variable])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def draw_training(histories: Sequence[tuple[str, int, pd.DataFrame]]) -> Figure:
    """Draw the loss curves of the torch models, one panel per model.

    `histories` are (model, seed, table of fold, epoch, train_loss, validation_loss). The scale is
    logarithmic unless a loss, such as a negative log-likelihood, is below 0.
    """
    models = list(dict.fromkeys(model for model, _, _ in histories))
    figure, axes = plt.subplots(1, len(models), squeeze=False, figsize=(1 + 3.8 * len(models), 3.6))
    for axis, wanted in zip(axes[0], models, strict=True):
        chosen = [(seed, frame) for model, seed, frame in histories if model == wanted]
        for place, (seed, history) in enumerate(chosen):
            color = PALETTE[place % len(PALETTE)]
            names = {"train": f"seed {seed}, train", "validation": f"seed {seed}, validation"}
            for _, fold in history.groupby("fold"):
                epoch, train, validation = (
                    fold[name] for name in ("epoch", "train_loss", "validation_loss")
                )
                axis.plot(epoch, train, color=color, label=names.pop("train", None))
                label = names.pop("validation", None)
                if validation.notna().any():
                    axis.plot(epoch, validation, "--", color=color, label=label)
        losses = pd.concat([frame[["train_loss", "validation_loss"]] for _, frame in chosen])
        low, high = np.nanmin(losses), np.nanmax(losses)
        if low > 0:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(ScalarFormatter())
            crowded = high > 10 * low
            axis.yaxis.set_minor_formatter(NullFormatter() if crowded else ScalarFormatter())
        axis.set_title(wanted, fontsize=10)
        axis.set_xlabel("epoch")
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("loss of the standardised redshift")
    return figure


def _name_axes(figure: Figure, y: str) -> None:
    figure.supxlabel("zspec", fontsize=10)
    figure.supylabel(y, fontsize=10)


def _density(
    axis: Axes,
    x: np.ndarray,
    y: np.ndarray,
    extent: tuple[float, float, float, float],
    title: str,
) -> PolyCollection:
    """Draw counts in hexagons on a logarithmic scale; the title counts those outside `extent`."""
    inside = (x >= extent[0]) & (x <= extent[1]) & (y >= extent[2]) & (y <= extent[3])
    drawn = axis.hexbin(
        x[inside], y[inside], gridsize=45, extent=extent, mincnt=1, cmap=SEQUENTIAL, linewidths=0,
        norm=LogNorm(vmin=1, vmax=max(len(x) / 100, 10)),
    )  # fmt: skip
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])
    outside = (~inside).sum()
    axis.set_title(f"{title}, {outside} outside" if outside else title, fontsize=10)
    return drawn


def _limits(value: pd.Series, lower: pd.Series, upper: pd.Series) -> tuple[float, float]:
    """Return axis limits that include all intervals except those of outlying values.

    Outlying: more than 3 interquartile ranges outside the quartiles (Tukey's outer fences).
    """
    value, lower, upper = (np.asarray(part, dtype=float) for part in (value, lower, upper))
    finite = np.isfinite(value)
    if not finite.any():
        return 0.0, 1.0
    quarter, three_quarters = np.quantile(value[finite], (0.25, 0.75))
    fence = 3 * (three_quarters - quarter)
    kept = finite & (value >= quarter - fence) & (value <= three_quarters + fence)
    low = np.fmin(lower, value)[kept].min()
    high = np.fmax(upper, value)[kept].max()
    margin = 0.06 * ((high - low) or abs(low) or 1.0)
    return float(low - margin), float(high + margin)


def _name_at_edge(axis: Axes, place: int, value: float, right: bool, color: str) -> None:
    number = f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    text = f"{number} \N{RIGHTWARDS ARROW}" if right else f"\N{LEFTWARDS ARROW} {number}"
    axis.text(
        0.98 if right else 0.02, place, text, transform=axis.get_yaxis_transform(), va="center",
        ha="right" if right else "left", fontsize=8, color=color,
    )  # fmt: skip


BINS = ("scores_by_bin", "models")
FIGURES = {
    "comparison": (draw_comparison, ("scores", "models")),
    "best_zphot_zspec": (draw_best_zphot_zspec, ("scores", "predictions")),
    "zphot_zspec": (draw_zphot_zspec, ("predictions",)),
    "residuals": (draw_residuals, ("predictions",)),
    "by_redshift": (partial(draw_by_bin, variables=["zspec", "zphot"]), BINS),
    "by_magnitude": (partial(draw_by_bin, variables=["reference_mag"]), BINS),
    "training": (draw_training, ("histories",)),
    **importance_figures.FIGURES,
}
