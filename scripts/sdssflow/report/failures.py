"""Where the best model of a task fails: sentences of its scores, and its worst test objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from sdssflow.report.glossary import HEADLINES, METRICS, label
from sdssflow.report.scores import overall
from sdssflow.report.tables import (
    AGAIN,
    Cell,
    ReportError,
    Table,
    fixed,
    plain,
    text_cell,
    with_interval,
    word_columns,
)
from sdssflow.tables import read_parquet, read_schema

VARIABLES = {
    "reference_mag": "magnitudes",
    "zphot": "predicted redshifts",
}  # bins of the truth are left out: nobody knows it of a new object
WORST = 10
NEEDED = {"regress": ("row_id", "seed", "reference_mag", "zspec", "zphot"),
          "classify": ("row_id", "seed", "reference_mag", "spec_class")}  # fmt: skip
PROBABILITY = "probability_"
Objids: TypeAlias = "Mapping[int, int] | pd.Series"  # objid of each row, by row_id


def gain(scores: pd.DataFrame, best: str, baseline: str, metric: str) -> str:
    """Say what the best model has over one that looks at no feature; '' if it is that one."""
    values = _values(overall(scores), metric)
    if best == baseline or not {best, baseline} <= set(values.index):
        return ""
    mine, other = (_with_interval(values.loc[model]) for model in (best, baseline))
    guess = f"with {baseline}, which looks at no feature, {other}."
    return f"With {best}, {label(metric)} is {mine}; {guess}"


def worst_bins(scores: pd.DataFrame, by_bin: pd.DataFrame, best: str, metric: str) -> list[str]:
    """Say in which bin of each variable a model is worst, and how it is over all.

    A metric that means the same in every bin is wanted: a mean over classes drops where a class is
    missing.
    """
    whole = _values(overall(scores), metric)
    rows = by_bin[
        (by_bin["model"] == best)
        & (by_bin["seed"] == "all")
        & (by_bin["subset"] == "all")
        & (by_bin["metric"] == metric)
        & by_bin["value"].notna()
    ]
    sentences = []
    for variable, words in VARIABLES.items():
        group = rows[rows["variable"] == variable]
        if group["value"].nunique() < 2 or best not in whole.index:  # none is worse
            continue
        low = METRICS[metric].better == "low"
        row = group.loc[group["value"].idxmax() if low else group["value"].idxmin()]
        sentences.append(
            f"Among {words}, {best} is worst from {plain(row['bin_low'])} to "
            f"{plain(row['bin_high'])}: {label(metric)} is {_with_interval(row)} there, "
            f"{_with_interval(whole.loc[best])} over all."
        )
    return sentences


def outliers(scores: pd.DataFrame, best: str) -> list[str]:
    """Say how many objects a regressor misses by more than the limits of papers."""
    rows = overall(scores)
    sentences = []
    for metric in (name for name in HEADLINES["regress"] if METRICS[name].fraction):
        limit = metric.removeprefix("outlier_")
        values = _values(rows, metric)
        if best in values.index:
            row = values.loc[best]
            count = round(float(row["value"]) * float(row["n"]))
            sentences.append(
                f"{count:,} of {int(row['n']):,} test objects have a normalised residual beyond "
                f"{limit} ({100 * float(row['value']):.2g} %)."
            )
    return sentences


def weakest_class(scores: pd.DataFrame, best: str) -> list[str]:
    """Say which class a classifier finds least of; nothing if all are found alike."""
    rows = scores[
        (scores["seed"] == "all")
        & (scores["subset"] != "all")
        & (scores["metric"] == "recall")
        & (scores["model"] == best)
        & scores["value"].notna()
    ]
    if rows["value"].nunique() < 2:
        return []
    row = rows.loc[rows["value"].idxmin()]
    return [
        f"Of the {int(row['n']):,} test objects of class {row['subset']}, {best} finds the "
        f"smallest part: completeness {_with_interval(row)}."
    ]


def commonest_mistake(confusion: pd.DataFrame, best: str) -> list[str]:
    """Say which class a classifier most often takes for which other."""
    rows = confusion[confusion["model"] == best]
    if "seed" in rows and (rows["seed"] == "all").any():
        rows = rows[rows["seed"] == "all"]
    totals = rows.groupby("truth")["count"].sum()
    wrong = rows[(rows["truth"] != rows["predicted"]) & (rows["count"] > 0)]
    if wrong.empty:
        return []
    row = wrong.loc[wrong["count"].idxmax()]
    return [
        f"Its commonest mistake is to take {row['truth']} for {row['predicted']}: "
        f"{plain(row['count'])} of {plain(totals[row['truth']])}."
    ]


def _values(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    chosen = rows[(rows["metric"] == metric) & rows["value"].notna()]
    return chosen.drop_duplicates("model").set_index("model")


def _with_interval(row: pd.Series) -> str:
    value, interval = with_interval(row["value"], row["lower"], row["upper"])
    return f"{value} {interval}".strip()


def read_predictions(path: str | Path, task: str) -> pd.DataFrame:
    """Read the test objects of the first seed of a predictions.parquet, in the order of `row_id`.

    Raises
    ------
    ReportError
        If the table lacks a column or has no rows.
    """
    names = read_schema(path).names
    missing = [name for name in NEEDED[task] if name not in names]
    if missing:
        raise ReportError(f"{path}: no column {missing[0]!r}; it has {', '.join(names)}")
    more = [name for name in names if name.startswith(PROBABILITY) or name == "outside_training"]
    frame = read_parquet(path, columns=[*NEEDED[task], *more]).to_pandas()
    if frame.empty:
        raise ReportError(f"{path}: no rows; {AGAIN}")
    first = frame[frame["seed"] == frame["seed"].iloc[0]]
    return first.sort_values("row_id", kind="stable").reset_index(drop=True)


def read_objids(path: str | Path) -> Objids:
    """Return the objid of each row of a catalogue by `row_id`; empty if it has none."""
    if "objid" not in read_schema(path).names:
        return {}
    frame = read_parquet(path, columns=["row_id", "objid"]).drop_null()
    return pd.Series(frame["objid"].to_numpy(), frame["row_id"].to_numpy()).sort_index()


def worst_redshifts(frame: pd.DataFrame, model: str, objids: Objids) -> Table:
    """Return the objects whose redshift a model misses by most, in the normalised residual."""
    delta = (frame["zphot"] - frame["zspec"]) / (1 + frame["zspec"])
    order = delta.abs().sort_values(ascending=False, kind="stable").index[:WORST]
    rows = []
    for place in order:
        row = frame.loc[place]
        cells = [_number(row["reference_mag"], 2)]
        cells += [_number(row[name], 4) for name in ("zspec", "zphot")] + [_number(delta[place], 4)]
        if "outside_training" in frame:
            cells.append(text_cell("yes" if row["outside_training"] else "no"))
        rows.append([text_cell(object_name(row["row_id"], objids)), *cells])
    columns = ["object", "magnitude", "zspec", "zphot", "δ"]
    columns += ["unlike the training objects"] if "outside_training" in frame else []
    text = f"Test objects with the largest |δ| of {model}, δ = (zphot − zspec) / (1 + zspec)."
    heads = word_columns(*columns, numeric=columns[1:5])
    return Table("The largest residuals", text, heads, rows)


def worst_classes(frame: pd.DataFrame, model: str, objids: Objids) -> Table:
    """Return the objects that a classifier puts in a wrong class and is surest of."""
    names = [name for name in frame if name.startswith(PROBABILITY)]
    probabilities = frame[names].to_numpy()
    top = probabilities.argmax(axis=1)
    guess = np.array([name.removeprefix(PROBABILITY) for name in names])[top]
    surest = pd.Series(probabilities.max(axis=1), index=frame.index)
    wrong = surest[guess != frame["spec_class"].to_numpy()]
    order = wrong.sort_values(ascending=False, kind="stable").index[:WORST]
    rows = [
        [
            text_cell(object_name(frame.loc[place, "row_id"], objids)),
            _number(frame.loc[place, "reference_mag"], 2),
            text_cell(frame.loc[place, "spec_class"]),
            text_cell(guess[place]),
            _number(surest[place], 3),
        ]
        for place in order
    ]
    text = (
        f"Test objects in the wrong class that {model} is surest of; {len(wrong):,} of "
        f"{len(frame):,} are in the wrong class."
    )
    labels = ("object", "magnitude", "true class", "predicted class", "probability")
    return Table(
        "The surest mistakes", text, word_columns(*labels, numeric=("magnitude", labels[4])), rows
    )


def object_name(row: int, objids: Objids) -> str:
    """Return what an object is called: its objid, or the number of its row."""
    objid = objids.get(int(row))
    return f"objid {objid}" if objid else f"row {int(row)}"


def _number(value: float, places: int) -> Cell:
    return Cell(fixed(float(value), places), sort="" if np.isnan(value) else float(value))
