"""Figures of redshift densities p(z): calibration, scores by bin, examples, stacks.

Each function takes tables as written by the rules and returns a matplotlib figure, to be drawn
within `plotting.style` and saved with `plotting.save_figure`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdssflow.evaluate.metrics import axis_labels
from sdssflow.evaluate.pdf_metrics import DENSITIES, pdf_columns
from sdssflow.evaluate.redshift_figures import LABELS
from sdssflow.evaluate.redshift_metrics import normalised_residual
from sdssflow.evaluate.tables import Predictions
from sdssflow.plotting import PALETTE, draw_bins, model_look, panels

BINNED = axis_labels(metric for metric in DENSITIES if metric.subgroup)
NOMINAL = {metric.name: metric.nominal for metric in DENSITIES if metric.nominal}
VARIABLES = ("zphot", "reference_mag")
LEVELS = np.linspace(0, 1, 101)
BAND = "#bbbbbb"
SHOWN_TAIL = 0.003  # probability of each tail of a p(z) that is not drawn
SUMMARIES = {"mean": "o", "median": "s", "mode": "^", "best": "D"}


def draw_pit(pit: pd.DataFrame, scores: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw the histogram of the PIT, one panel per model, with the band of a uniform PIT.

    Counts are means over seeds, relative to the expected count. The band is that of one seed: seeds
    that share test objects don't narrow it.
    """
    figure, axes = panels(len(models), width=2.9, height=2.5, columns=3, margin=(1.2, 0.9))
    scores = scores[(scores["metric"] == "pit_ks") & (scores["seed"].astype(str) == "all")]
    distance = scores.set_index("model")["value"]
    for place, (axis, model) in enumerate(zip(axes, models, strict=True)):
        rows = pit[pit["model"] == model]
        mean = rows.groupby("bin_low")[["count", "expected", "band_low", "band_high"]].mean()
        edges = np.append(mean.index, 1.0)
        low, high = (mean[end] / mean["expected"] for end in ("band_low", "band_high"))
        axis.stairs(high, edges, baseline=low, fill=True, color=BAND, label="uniform PIT")
        relative = mean["count"] / mean["expected"]
        color = model_look(place).color
        axis.stairs(relative, edges, color=color, linewidth=1.8, label="observed")
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_title(f"{model}: KS {distance[model]:.3f}", fontsize=10)
        axis.set_xlim(0, 1)
    axes[0].set_ylim(bottom=0)
    figure.supxlabel("PIT: probability of p(z) below zspec", fontsize=10)
    figure.supylabel("objects / expected", fontsize=10)
    return figure


def draw_coverage(predictions: Sequence[Predictions], level: float) -> Figure:
    """Draw the coverage of central intervals against nominal coverage, and the difference.

    Lines are means over seeds; the band is where the coverage of calibrated p(z) lies with
    probability `level`, at each nominal coverage, for the objects of one seed.
    """
    from scipy.stats import binom  # slow to import

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 4.2))
    n = min(len(p.of_seed(seed)) for p in predictions for seed in p.seeds)
    low, high = (np.array(end) / n for end in binom.interval(level, n, LEVELS[1:-1]))
    nominal = LEVELS[1:-1]
    label = f"calibrated p(z), {100 * level:g} %"
    left.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    right.axhline(0, color="black", linewidth=0.8)
    right.fill_between(nominal, low - nominal, high - nominal, color=BAND, label=label)
    for place, prediction in enumerate(predictions):
        covered = np.mean(
            [coverage(pdf_columns(prediction, s)["pit"]) for s in prediction.seeds], 0
        )
        about = {"markevery": (5 + 3 * place, 20), "markersize": 5, "label": prediction.model}
        about |= model_look(place)._asdict()
        left.plot(LEVELS, covered, **about)
        right.plot(LEVELS, covered - LEVELS, **about)
    left.set_ylabel("fraction of zspec within")
    right.set_ylabel("fraction within \N{MINUS SIGN} nominal")
    for axis in (left, right):
        axis.set_xlabel("nominal coverage of the central interval")
        axis.set_xlim(0, 1)
    left.set_ylim(0, 1)
    right.legend(fontsize=9)
    return figure


def coverage(pit: np.ndarray) -> np.ndarray:
    """Return the (101,) fractions of objects within the central intervals of `LEVELS`.

    >>> coverage(np.array([0.5, 0.9]))[[0, 79, 81]]
    array([0.5, 0.5, 1. ])
    """
    least = np.sort(np.abs(2 * pit - 1))  # smallest level whose interval contains zspec
    return np.searchsorted(least, LEVELS, side="right") / len(least)


def draw_by_bin(scores_by_bin: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw CRPS, coverage and width with intervals against zphot and reference magnitude."""
    frame = scores_by_bin[scores_by_bin["seed"].astype(str) == "all"]
    variables = [name for name in VARIABLES if name in set(frame["variable"])]
    size = (2.2 + 3.9 * len(variables), 7.4)
    figure, axes = draw_bins(frame, models, BINNED, variables, size)
    for line, (metric, label) in zip(axes, BINNED.items(), strict=True):
        for axis in line:
            if metric in NOMINAL:
                axis.axhline(NOMINAL[metric], color="black", linewidth=0.8)
            else:
                axis.set_ylim(bottom=0)
        line[0].set_ylabel(label)
    for axis, variable in zip(axes[-1], variables, strict=True):
        axis.set_xlabel(LABELS[variable])
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=min(len(models), 4),
    )
    return figure


def draw_gallery(prediction: Predictions, quantiles: tuple[np.ndarray, np.ndarray]) -> Figure:
    """Draw the p(z) of twelve test objects of the first seed of a model, selected by `choose`.

    `quantiles` are (q,) ascending levels and the (n, q) quantiles of each p(z), in the order of the
    predictions.
    """
    levels, redshifts = quantiles
    first = (prediction.frame["seed"] == prediction.seeds[0]).to_numpy()
    frame = prediction.frame[first].reset_index(drop=True)
    redshifts = redshifts[first]
    chosen = choose(frame)
    figure, axes = panels(len(chosen), width=2.6, height=1.75, margin=(1.2, 0.9), share=False)
    for axis, (reason, row) in zip(axes, chosen, strict=True):
        _draw_density(axis, frame.iloc[row], levels, redshifts[row])
        axis.set_title(f"{reason}\nrow_id {frame['row_id'][row]}", fontsize=8)
    figure.supxlabel("redshift", fontsize=10)
    figure.supylabel("p(z)", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    title = f"{prediction.model}, seed {prediction.seeds[0]}"
    figure.legend(handles, labels, loc="outside upper center", ncols=7, fontsize=9, title=title)
    return figure


def draw_stacks(stacks: pd.DataFrame, summary: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw stacked p(z) and true numbers: a row per model, a column per tomographic bin."""
    bins = sorted(set(stacks["tomographic_bin"]))
    size = (1.2 + 2.5 * len(bins), 1.0 + 2.1 * len(models))
    figure, axes = plt.subplots(
        len(models), len(bins), sharex=True, sharey="row", squeeze=False, figsize=size
    )
    summary = summary.assign(tomographic_bin=summary["tomographic_bin"].astype(str))
    summary = summary.set_index(["model", "tomographic_bin"])
    for line, model in zip(axes, models, strict=True):
        for axis, number in zip(line, bins, strict=True):
            rows = stacks[(stacks["model"] == model) & (stacks["tomographic_bin"] == number)]
            if rows.empty:  # many equal zphot give a model fewer bins
                axis.set_axis_off()
                continue
            edges = np.append(rows["z_low"], rows["z_high"].iloc[-1])
            axis.stairs(rows["true"], edges, fill=True, color=BAND, label="zspec")
            axis.stairs(
                rows["stacked"], edges, color=PALETTE[0], linewidth=1.6, label="sum of p(z)"
            )
            about = summary.loc[(model, str(number))]
            half = (about["mean_upper"] - about["mean_lower"]) / 2
            difference = f"{about['mean_difference']:+z.4f}".replace("-", "\N{MINUS SIGN}")
            ends = f"zphot {about['zphot_low']:.3f} to {about['zphot_high']:.3f}"
            axis.set_title(f"{ends}\n$\\Delta\\bar z$ = {difference} ± {half:.4f}", fontsize=9)
        line[0].set_ylabel(f"{model}\nobjects per bin")
    axes[0, 0].set_xlim(_shown_range(stacks))
    figure.supxlabel("redshift", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _shown_range(stacks: pd.DataFrame) -> tuple[float, float]:
    """Return the redshift range with 99.8 % of all zspec and p(z): few outliers extend far."""
    totals = stacks.groupby("z_high")[["stacked", "true"]].sum().sum(axis=1)
    share = totals.cumsum() / totals.sum()
    return float(stacks["z_low"].min()), float(share.index[np.searchsorted(share, 0.998)])


def _draw_density(axis: Axes, row: pd.Series, levels: np.ndarray, redshifts: np.ndarray) -> None:
    """Draw one p(z) with its point estimates, conformal interval and zspec."""
    shown = (levels > SHOWN_TAIL - 1e-9) & (levels < 1 - SHOWN_TAIL + 1e-9)
    levels, redshifts = levels[shown], redshifts[shown]
    density = np.diff(levels) / np.maximum(np.diff(redshifts), 1e-9)
    axis.stairs(density, redshifts, fill=True, color=PALETTE[5], alpha=0.6, label="p(z)")
    axis.stairs(density, redshifts, color=PALETTE[0], linewidth=0.8)
    axis.axvline(row["zspec"], color=PALETTE[1], linewidth=1.6, label="zspec")
    top = density.max()
    ends = row["conformal_low_95"], row["conformal_high_95"]
    axis.plot(ends, [-0.16 * top] * 2, color="black", linewidth=2.5, label="conformal 95 %")
    for name, marker in SUMMARIES.items():
        at = (row[f"zphot_{name}"], -0.06 * top)
        axis.plot(*at, marker, color="black", markersize=4, markerfacecolor="white", label=name)
    axis.set_ylim(-0.24 * top, 1.1 * top)
    axis.set_yticks([])
    axis.locator_params(axis="x", nbins=4)


def choose(frame: pd.DataFrame) -> list[tuple[str, int]]:
    """Select up to twelve objects by `RULES`, each object once.

    Returns the rule and the row in `frame` of each; of ties, the first. A rule without a finite
    value, such as the faintest object without magnitudes, selects none.
    """
    chosen: list[tuple[str, int]] = []
    taken = np.zeros(len(frame), dtype=bool)
    for reason, rule in RULES.items():
        value = np.asarray(rule(frame), dtype=np.float64)
        value = np.where(taken | ~np.isfinite(value), -np.inf, value)
        if not len(value) or value.max() == -np.inf:
            continue
        place = int(value.argmax())
        taken[place] = True
        chosen.append((reason, place))
    return chosen


def _width(frame: pd.DataFrame) -> pd.Series:
    return frame["z_high_95"] - frame["z_low_95"]


def _skewness(frame: pd.DataFrame) -> pd.Series:
    """Distance of mode and median, in half widths of the 68 % interval."""
    half = (frame["z_high_68"] - frame["z_low_68"]) / 2
    return (frame["zphot_mode"] - frame["zphot_median"]).abs() / half


def _typicality(frame: pd.DataFrame) -> pd.Series:
    """How close log width and log CRPS are to their medians."""
    parts = [np.log(np.maximum(values, 1e-12)) for values in (_width(frame), frame["crps"])]
    return -sum(np.abs(part - np.median(part)) for part in parts)


def _residual(frame: pd.DataFrame) -> np.ndarray:
    return normalised_residual(frame["zspec"].to_numpy(), frame["zphot"].to_numpy())


# each rule selects the object with the largest value, in this order
RULES: dict[str, Callable[[pd.DataFrame], np.ndarray | pd.Series]] = {
    "typical width and CRPS": _typicality,
    "narrowest": lambda frame: -_width(frame),
    "widest": _width,
    "most lopsided": _skewness,
    "worst outlier, too high": _residual,
    "worst outlier, too low": lambda frame: -_residual(frame),
    "worst CRPS of the rest": lambda frame: frame["crps"],
    "best CRPS of the rest": lambda frame: -frame["crps"],
    "highest zspec of the rest": lambda frame: frame["zspec"],
    "brightest of the rest": lambda frame: -frame["reference_mag"],
    "faintest of the rest": lambda frame: frame["reference_mag"],
    "farthest from training": lambda frame: frame["train_distance"],
}


FIGURES = {
    "pit": (draw_pit, ("pit", "scores", "models")),
    "coverage": (draw_coverage, ("predictions", "level")),
    "pdf_by_bin": (draw_by_bin, ("scores_by_bin", "models")),
    "pdf_gallery": (draw_gallery, ("best_predictions", "best_quantiles")),
    "redshift_stacks": (draw_stacks, ("stacks", "summary", "models")),
}
