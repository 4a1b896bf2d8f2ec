"""Data of the interactive charts, as JSON for the script of the page.

`templates/charts.js.j2` draws them with Observable Plot. The static figure stays on the page for
readers without script, pointer or screen.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from sdssflow.report.failures import Objids, object_name
from sdssflow.report.glossary import label
from sdssflow.report.sections import AGAIN, Chart, ReportError, plain, reading, stated

DRAWN = 500  # objects: enough to show the relation, few enough to select one
TOP_CLASS = "most probable class"
TAIL = 0.003  # probability of each tail of a p(z) that is not drawn, as in the static figure
PDF_BINS = 40
POINTS_OF_FIT = 40
BEYOND = 4  # a fit is drawn to this multiple of the training part, as in the static figure
RELIABILITY_COLUMNS = (
    *("model", "subset", "bin_low", "bin_high", "n", "mean_probability", "fraction"),
    *("lower", "upper", "consistent_lower", "consistent_upper"),
)
STACKED_COLUMNS = ("model", "tomographic_bin", "zphot_low", "zphot_high", "z_low", "z_high",
                   "stacked", "true")  # fmt: skip
CURVE_COLUMNS = ("task", "model", "part", "metric", "objects", "value", "lower", "upper")


def reliability_chart(table: pd.DataFrame, best: str) -> Chart:
    """Return the calibration curve of each model and class, the best model's first."""
    models = _best_first(table["model"], best)
    subsets = list(dict.fromkeys(table["subset"]))
    series: list[dict[str, Any]] = []
    for (model, subset), rows in table.groupby(["model", "subset"], sort=False):
        about = {"choice": [models.index(model), subsets.index(subset)], "group": model}
        x = _rounded(rows["mean_probability"])
        ends = [_rounded(rows[f"consistent_{end}"]) for end in ("lower", "upper")]
        series.append({**about, "kind": "band", "x": x, "lower": ends[0], "upper": ends[1]})
        text = [
            f"probability {row.bin_low:g} to {row.bin_high:g}, mean {row.mean_probability:.3f}\n"
            f"correct: {stated(row.fraction, row.lower, row.upper)}\nN = {row.n:,.0f}"
            for row in rows.itertuples()
        ]
        series.append({**about, **_points(x, rows, "fraction"), "text": text})
        series.append({**about, "kind": "line", "x": x, "y": _rounded(rows["fraction"])})
    names = [TOP_CLASS if name == "all" else name for name in subsets]
    axes = [{"label": text, "domain": [0, 1]} for text in ("mean probability", "fraction correct")]
    return _curves({"Model": models, "Probability of the": names}, axes, series, diagonal=True)


def stacks_chart(table: pd.DataFrame, best: str) -> Chart:
    """Return n(z) of the tomographic bins of each model: sum of p(z), and true numbers."""
    models = _best_first(table["model"], best)
    series = []
    for (model, number), rows in table.groupby(["model", "tomographic_bin"], sort=False):
        first = rows.iloc[0]
        group = f"bin {number}: zphot {first['zphot_low']:.3f} to {first['zphot_high']:.3f}"
        filled = rows[(rows["stacked"] > 5e-3) | (rows["true"] > 0)]  # without empty ends
        rows = rows[rows["z_low"].between(filled["z_low"].min(), filled["z_low"].max())]
        about = {"choice": [models.index(model)], "group": group}
        x = _rounded((rows["z_low"] + rows["z_high"]) / 2)
        text = [
            f"redshift {row.z_low:.3f} to {row.z_high:.3f}, bin {number}\n"
            f"sum of p(z): {plain(row.stacked)} objects\nzspec: {plain(row.true)} objects"
            for row in rows.itertuples()
        ]
        series.append({**about, "kind": "area", "x": x, "y": _rounded(rows["true"])})
        stacked = _rounded(rows["stacked"])
        series.append({**about, "kind": "step", "x": x, "y": stacked, "text": text})
    axes = [{"label": "redshift"}, {"label": "objects per bin"}]
    return _curves({"Model": models}, axes, series, "Filled: zspec; line: sum of p(z).")


def learning_chart(curves: pd.DataFrame, fits: pd.DataFrame) -> Chart:
    """Return the learning curves of the test part and their fits."""
    curves, fits = (table[table["part"] == "test"] for table in (curves, fits))
    keys = list(dict.fromkeys(zip(curves["task"], curves["metric"], strict=True)))
    fitted = fits.set_index(["task", "metric", "model"])
    series = []
    for (task, metric, model), rows in curves.groupby(["task", "metric", "model"], sort=False):
        about = {"choice": [keys.index((task, metric))], "group": model}
        text = [
            f"{model}, {row.objects:,.0f} training objects\n"
            f"{label(metric)} {stated(row.value, row.lower, row.upper)}"
            for row in rows.itertuples()
        ]
        series.append({**about, **_points(_rounded(rows["objects"]), rows, "value"), "text": text})
        if (task, metric, model) not in fitted.index:
            continue
        fit = fitted.loc[(task, metric, model)]
        for kind, ends in (("line", (rows["objects"].min(), fit["objects"])),
                           ("dashed", (fit["objects"], BEYOND * fit["objects"]))):  # fmt: skip
            x = np.geomspace(*ends, POINTS_OF_FIT)
            y = fit["floor"] + fit["factor"] * x ** -fit["exponent"]
            series.append({**about, "kind": kind, "x": _rounded(x), "y": _rounded(y)})
    logarithmic = "log" if (curves["value"] > 0).all() else "linear"
    axes = [{"label": "training objects", "type": "log", "tickFormat": "~s"}]
    axes.append({"label": "score", "type": logarithmic, "tickFormat": "~r"})
    names = [label(metric) for _, metric in keys]
    return _curves({"Score": names}, axes, series, "Dashed: beyond the training part.")


def objects_chart(
    predictions: Mapping[str, pd.DataFrame], best: str, pdfs: Mapping[str, str], objids: Objids
) -> Chart:
    """Return random test objects with zphot and p(z) of every model.

    `predictions`, from `failures.read_predictions`, are by model; ReportError if their objects
    differ. `best` is the model shown first, `pdfs` has the ``pdfs.hdf5`` of the models with p(z),
    `objids` is from `failures.read_objids`.
    """
    known = predictions[best]
    chosen = np.sort(np.random.default_rng(1).permutation(len(known))[:DRAWN])
    rows = known.iloc[chosen]
    models = _best_first(predictions, best)
    zphot = {}
    for model in models:
        frame = predictions[model]
        if len(frame) != len(known) or (frame["row_id"] != known["row_id"]).any():
            raise ReportError(
                f"{model} and {best} predicted different objects; delete both predictions"
            )
        zphot[model] = _rounded(frame["zphot"].iloc[chosen], 5)
    content = {
        "object": [object_name(row, objids) for row in rows["row_id"]],
        "zspec": _rounded(rows["zspec"], 5),
        "magnitude": _rounded(rows["reference_mag"], 2),
        "zphot": zphot,
        "bins": PDF_BINS,
        "pdf": {
            model: read_densities(pdfs[model], rows["row_id"].to_numpy(), int(rows["seed"].iloc[0]))
            for model in models
            if model in pdfs
        },
    }
    text = (
        f"{len(rows):,} of the {len(known):,} test objects of the first seed, a fixed random "
        "selection; δ = (zphot − zspec) / (1 + zspec). Point at an object, or step through them "
        "from the largest residual to the smallest. Objects outside the frame are drawn at its "
        f"edge. p(z) is drawn between its quantiles {TAIL} and {1 - TAIL}."
    )
    views = {"zphot against zspec": "redshift", "residual against redshift": "residual",
             "residual against magnitude": "magnitude"}  # fmt: skip
    choices = {"Model": {name: name for name in models}, "Shown": views}
    return Chart("objects", choices, text, _json(content))


def read_densities(path: str | Path, row_id: np.ndarray, seed: int) -> dict[str, Any]:
    """Read the p(z) of some objects of a seed, each in `PDF_BINS` bins between its tails.

    Returns lists `low` and `high`, the range of each object, and `density`: a byte for each bin of
    each object, with 255 at its maximum, in base64. ReportError if the file has no densities or
    lacks an object.
    """
    with reading(path, "redshift densities", KeyError, OSError), h5py.File(path, "r") as file:
        levels = file["meta/quants"][0].astype(float)
        of_seed = np.flatnonzero(file["ancil/seed"][:] == seed)
        places = pd.Series(of_seed, file["ancil/row_id"][:][of_seed])
        if not np.isin(row_id, places.index).all():
            raise ReportError(f"{path}: lacks objects of the predictions beside it; {AGAIN}")
        wanted = places.loc[row_id].to_numpy()
        order = np.argsort(wanted)
        quantiles = np.empty((len(wanted), len(levels)))
        quantiles[order] = file["data/locs"][wanted[order]]
    ends = np.array([np.interp([TAIL, 1 - TAIL], levels, row) for row in quantiles])
    edges = np.linspace(ends[:, 0], ends[:, 1], PDF_BINS + 1, axis=1)
    cdf = [np.interp(at, row, levels) for at, row in zip(edges, quantiles, strict=True)]
    mass = np.diff(np.array(cdf), axis=1)
    heights = np.rint(255 * mass / np.maximum(mass.max(axis=1, keepdims=True), 1e-12))
    density = base64.b64encode(heights.astype(np.uint8).tobytes()).decode("ascii")
    return {"low": _rounded(ends[:, 0], 5), "high": _rounded(ends[:, 1], 5), "density": density}


def _curves(
    choices: dict[str, list[str]],
    axes: Sequence[dict[str, Any]],
    series: list[dict[str, Any]],
    text: str = "",
    diagonal: bool = False,
) -> Chart:
    content = {"x": axes[0], "y": axes[1], "diagonal": diagonal, "series": series}
    named = {word: {name: name for name in names} for word, names in choices.items()}
    return Chart("curves", named, f"{text} Point at it for values.".lstrip(), _json(content))


def _points(x: list[float | None], rows: pd.DataFrame, value: str) -> dict[str, Any]:
    """Return points with error bars, where known."""
    names = {"y": value, "lower": "lower", "upper": "upper"}
    return {"kind": "points", "x": x, **{key: _rounded(rows[of]) for key, of in names.items()}}


def _best_first(models: Sequence[str] | pd.Series | Mapping[str, Any], best: str) -> list[str]:
    return list(dict.fromkeys([best, *models]))


def _rounded(values: pd.Series | np.ndarray, places: int | None = None) -> list[float | None]:
    """Round numbers for JSON to `places` decimals or five significant digits; None for NaN."""
    return [
        None if np.isnan(value) else float(f"{value:.5g}") if places is None
        else round(float(value), places)
        for value in np.asarray(values, dtype=float)
    ]  # fmt: skip


def _json(content: Any) -> str:
    # "</" could end the script element
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
