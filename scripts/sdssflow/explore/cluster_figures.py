"""Figures of groups: positions, number and agreement with the classes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.clustering import ALGORITHMS, NOISE
from sdssflow.explore.drawing import UNKNOWN_COLOR, class_color, class_marker, robust_limits
from sdssflow.explore.objects import UNKNOWN
from sdssflow.plotting import PALETTE, SEQUENTIAL
from sdssflow.prepare.columns import numbers, strings

NOISE_COLOR = "#BBBBBB"
GROUP_COLORS = PALETTE[:7]  # the eighth is grey, as noise
GROUP_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
NAMES = {"kmeans": "k-means", "mixture": "Gaussian mixture", "hdbscan": "HDBSCAN"}
CRITERIA = (
    ("kmeans", "silhouette", "mean silhouette (larger is better)"),
    ("kmeans", "davies_bouldin", "Davies–Bouldin index (smaller is better)"),
    ("mixture", "bic", "BIC (smaller is better)"),
)
TRUTHS = {
    "spec_class": "spectroscopic classes",
    "zspec_terciles": "terciles of zspec (fewer than two classes known)",
}


def join_labels(labels: pa.Table, embedding: pa.Table) -> pa.Table:
    """Add the group labels to the embedding; ValueError if their objects differ."""
    if labels.column("row_id").to_pylist() != embedding.column("row_id").to_pylist():
        raise ValueError(
            "clusters and embedding have different objects; make both from the same features "
            "with the same explore.max_objects and seed"
        )
    for name in ALGORITHMS:
        embedding = embedding.append_column(name, labels.column(name))
    return embedding


def draw_groups(table: pa.Table, sample: str, explained: list[float] | None) -> Figure:
    """Draw a grid of scatter plots: embeddings by truth, k-means, mixture and HDBSCAN.

    `table` is from `join_labels`; `explained` is the fraction of variance of each principal
    component.
    """
    kinds = [kind for kind in ("pca", "umap") if f"{kind}_1" in table.column_names]
    figure, grid = plt.subplots(
        len(kinds), 4, figsize=(13.0, 3.5 * len(kinds) + 0.8), squeeze=False, sharex="row",
        sharey="row",
    )  # fmt: skip
    notes = ""
    for kind, panels in zip(kinds, grid, strict=True):
        x, y = (numbers(table, f"{kind}_{axis}", "explore") for axis in (1, 2))
        _draw_truth(panels[0], x, y, table)
        for name, axes in zip(ALGORITHMS, panels[1:], strict=True):
            _draw_labels(axes, x, y, table.column(name).to_numpy(), NAMES[name])
        _label_axes(panels, kind, explained)
        limits = robust_limits(x, tail=0.002), robust_limits(y, tail=0.002)
        panels[0].set(xlim=limits[0], ylim=limits[1])  # the row shares its axes
        low, high = np.transpose(limits)
        plane = np.column_stack([x, y])
        outside = np.sum(((plane < low) | (plane > high)).any(axis=1))
        notes += f", {outside} outside the {kind.upper()} panels" if outside else ""
    n = f"N = {table.num_rows:,}"
    figure.suptitle(f"{sample}: groups in feature space, {n}{notes}", fontsize=11)
    return figure


def draw_selection(table: pd.DataFrame, sample: str) -> Figure:
    """Draw the criteria of clusters.csv against the number of groups, and the agreement."""
    figure, grid = plt.subplots(2, 2, figsize=(9.5, 6.8))
    for (algorithm, criterion, label), axes in zip(CRITERIA, grid.flat, strict=False):
        rows = table[(table.algorithm == algorithm) & (table.criterion == criterion)]
        axes.plot(rows.k, rows.value, marker="o", color=PALETTE[0])
        best = rows[rows.chosen]
        axes.plot(best.k, best.value, ls="", marker="o", ms=13, mfc="none", mec=PALETTE[1], mew=2)
        axes.set(xlabel="number of groups k", ylabel=label, xticks=rows.k)
        axes.set_title(f"{NAMES[algorithm]}: chosen k = {best.k.iloc[0]}", fontsize=10)
    _draw_agreement(grid[1, 1], table)
    figure.suptitle(f"{sample}: how many groups? N = {table.n.iloc[0]:,}", fontsize=11)
    return figure


def _draw_truth(axes: Axes, x: np.ndarray, y: np.ndarray, table: pa.Table) -> None:
    present = table.column_names
    if "spec_class" in present and len(table.column("spec_class").unique().drop_null()) > 1:
        values = strings(table, "spec_class", "explore")
        values = np.array([value or UNKNOWN for value in values])
        names = sorted(set(values), key=lambda name: (-(values == name).sum(), name))
        for name in names:
            _scatter(axes, x, y, values == name, class_color(name), class_marker(name))
        _legend(axes, [(name, class_color(name), class_marker(name))
                       for name in (*CLASSES, UNKNOWN) if name in names])  # fmt: skip
        axes.set_title("spectroscopic class", fontsize=10)
    elif "zspec" in present:
        zspec = numbers(table, "zspec", "explore")
        low, high = np.nanpercentile(zspec, [1, 99])
        points = axes.scatter(
            x, y, s=_size(len(x)), c=zspec, vmin=low, vmax=high, cmap=SEQUENTIAL, linewidths=0,
            rasterized=True,
        )  # fmt: skip
        axes.figure.colorbar(points, ax=axes, label="zspec", pad=0.02)
        unknown = ~np.isfinite(zspec)
        _scatter(axes, x, y, unknown, UNKNOWN_COLOR, "o")
        note = f" (grey: {unknown.sum()} unknown)" if unknown.any() else ""
        axes.set_title(f"redshift{note}", fontsize=10)
    else:
        _scatter(axes, x, y, np.ones(len(x), dtype=bool), UNKNOWN_COLOR, "o")
        axes.set_title("no classes, no redshifts", fontsize=10)


def _draw_labels(axes: Axes, x: np.ndarray, y: np.ndarray, labels: np.ndarray, name: str) -> None:
    noise = labels == NOISE
    _scatter(axes, x, y, noise, NOISE_COLOR, "o")
    groups = range(int(labels.max()) + 1)
    for group in groups:
        _scatter(axes, x, y, labels == group, *_group_style(group))
    entries = [(f"{group} ({(labels == group).sum():,})", *_group_style(group)) for group in groups]
    hidden = max(0, len(entries) - 8)
    entries = entries[:8] + ([(f"{hidden} more", "none", "")] if hidden else [])
    if noise.any():
        entries.append((f"noise ({noise.sum():,})", NOISE_COLOR, "o"))
    _legend(axes, entries)
    axes.set_title(f"{name}: {len(groups)} group{'s' if len(groups) != 1 else ''}", fontsize=10)


def _draw_agreement(axes: Axes, table: pd.DataFrame) -> None:
    chosen = table[table.chosen].drop_duplicates("algorithm").set_index("algorithm")
    chosen = chosen.loc[list(ALGORITHMS)]
    truth = chosen.truth.iloc[0]
    if truth not in TRUTHS:
        axes.axis("off")
        axes.text(0.5, 0.5, "no classes or redshifts\nto compare with", ha="center", va="center")
        return
    place = np.arange(len(ALGORITHMS))
    axes.set_axisbelow(True)
    for shift, (column, label, hatch) in zip(
        (-0.2, 0.2),
        (("ari", "adjusted Rand index", ""), ("ami", "adjusted mutual information", "//")),
        strict=True,
    ):
        bars = axes.bar(place + shift, chosen[column], width=0.38, hatch=hatch, label=label,
                        color=PALETTE[0 if column == "ari" else 5])  # fmt: skip
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    noise = table[table.criterion == "noise_fraction"].value.iloc[0]
    ticks = [f"{NAMES[name]}\nk = {chosen.k[name]}" for name in ALGORITHMS]
    ticks[-1] += f", {100 * noise:.0f} % noise"
    axes.set_xticks(place, ticks, fontsize=8)
    axes.axhline(0, color="black", lw=0.8)
    axes.set(ylim=(min(0.0, float(chosen[["ari", "ami"]].min().min())) - 0.02, 1.25))
    axes.set_ylabel("agreement (1: identical)")
    axes.set_title(f"{TRUTHS[truth]}, N = {chosen.n_truth.iloc[0]:,}", fontsize=10)
    axes.legend(fontsize=8, loc="upper right")


def _group_style(group: int) -> tuple[str, str]:
    # beyond seven groups, colours repeat with other markers
    turn = group // len(GROUP_COLORS)
    marker = GROUP_MARKERS[(group + turn) % len(GROUP_MARKERS)]
    return GROUP_COLORS[group % len(GROUP_COLORS)], marker


def _size(n: int) -> float:
    return float(np.clip(6000 / n, 3, 14))


def _scatter(
    axes: Axes, x: np.ndarray, y: np.ndarray, mask: np.ndarray, color: str, marker: str
) -> None:
    axes.scatter(x[mask], y[mask], s=_size(len(x)), color=color, marker=marker, alpha=0.6,
                 linewidths=0, rasterized=True)  # fmt: skip


def _legend(axes: Axes, entries: list[tuple[str, str, str]]) -> None:
    """Name the groups of a column below its last panel, where no objects are hidden."""
    place = axes.get_subplotspec()
    if place and not place.is_last_row():
        return
    handles = [
        Line2D([], [], ls="", color=color, marker=marker, ms=5, label=label)
        for label, color, marker in entries
    ]
    axes.legend(handles=handles, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.17),
                ncols=3, handletextpad=0.1, columnspacing=0.8)  # fmt: skip


def _label_axes(panels: np.ndarray, kind: str, explained: list[float] | None) -> None:
    names = ["UMAP 1 (no unit)", "UMAP 2 (no unit)"]
    if kind == "pca":
        names = ["PCA 1", "PCA 2"]
        for axis, fraction in enumerate((explained or [])[:2]):
            names[axis] += f" ({100 * fraction:.0f} % of the variance)"
    for axes in panels:
        axes.set_xlabel(names[0])
    panels[0].set_ylabel(names[1])
