"""Test objects one by one: those that the page shows as points, and the worst of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sdssflow.report.tables import Cell, ReportError, Table, fixed, text_cell, word_columns
from sdssflow.tables import read_parquet, read_schema

SHOWN = 800  # objects on a page: enough to see the relation, few enough to point at
WORST = 10
NEEDED = {"regress": ("row_id", "seed", "reference_mag", "zspec", "zphot"),
          "classify": ("row_id", "seed", "reference_mag", "spec_class")}  # fmt: skip
PROBABILITY = "probability_"
Objids = Mapping[int, int] | pd.Series  # objid of each row, by row_id


@dataclass(frozen=True)
class Residuals:
    """Test objects as points to look at one by one; `content` is JSON for the page's script."""

    title: str
    caption: str
    content: str
    models: list[str]


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
        raise ReportError(f"{path}: no rows; delete it, and the rule that makes it runs again")
    first = frame[frame["seed"] == frame["seed"].iloc[0]]
    return first.sort_values("row_id", kind="stable").reset_index(drop=True)


def read_objids(path: str | Path) -> Objids:
    """Return the objid of each row of a catalogue by `row_id`; empty if it has none."""
    if "objid" not in read_schema(path).names:
        return {}
    frame = read_parquet(path, columns=["row_id", "objid"]).drop_null()
    return pd.Series(frame["objid"].to_numpy(), frame["row_id"].to_numpy()).sort_index()


def residuals(
    predictions: dict[str, pd.DataFrame], best: str, objids: Objids, title: str
) -> Residuals:
    """Return a draw of the test objects with the redshifts that every model gives them.

    Parameters
    ----------
    predictions : dict of str to pandas.DataFrame
        From `read_predictions`, by model; all of the same objects.
    best : str
        The model that the page shows first.
    objids : mapping of int to str
        From `read_objids`.
    title : str
        What stands above the points.

    Raises
    ------
    ReportError
        If two models have predicted other objects.
    """
    known = predictions[best]
    chosen = np.sort(np.random.default_rng(1).permutation(len(known))[:SHOWN])
    rows = known.iloc[chosen]
    models = [best, *(name for name in predictions if name != best)]
    zphot = {}
    for model in models:
        frame = predictions[model]
        if len(frame) != len(known) or (frame["row_id"] != known["row_id"]).any():
            raise ReportError(
                f"{model} and {best} predicted other objects; delete both predictions"
            )
        zphot[model] = _rounded(frame["zphot"].iloc[chosen], 5)
    content = {
        "object": [_object(row, objids) for row in rows["row_id"]],
        "zspec": _rounded(rows["zspec"], 5),
        "magnitude": _rounded(rows["reference_mag"], 2),
        "zphot": zphot,
    }
    caption = (
        f"{len(rows):,} of the {len(known):,} test objects, drawn at random; δ = (zphot − zspec) / "
        "(1 + zspec). Point at an object, or step through them from the worst residual to the "
        "best. Objects beyond the frame stand at its edge."
    )
    # in a script element only "</" could end it early
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return Residuals(title, caption, text, models)


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
        rows.append([text_cell(_object(row["row_id"], objids)), *cells])
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
            text_cell(_object(frame.loc[place, "row_id"], objids)),
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


def _object(row: int, objids: Objids) -> str:
    objid = objids.get(int(row))
    return f"objid {objid}" if objid else f"row {int(row)}"


def _number(value: float, places: int) -> Cell:
    return Cell(fixed(float(value), places), sort="" if np.isnan(value) else float(value))


def _rounded(values: pd.Series, places: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), places) for value in values]
