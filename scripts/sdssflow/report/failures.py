"""Sentences and tables on where models fail, the worst test objects, groups and outliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from sdssflow.configuration.sample import Sample
from sdssflow.evaluate import oddities
from sdssflow.report.figures import Item
from sdssflow.report.glossary import HEADLINES, METRICS, label
from sdssflow.report.scores import overall, score_cell
from sdssflow.report.sections import (
    AGAIN,
    Cell,
    ReportError,
    Table,
    fixed,
    number_cell,
    plain,
    read_table,
    stated,
    text_cell,
    word_columns,
)
from sdssflow.tables import read_parquet, read_schema

VARIABLES = {
    "reference_mag": "magnitudes",
    "zphot": "predicted redshifts",
}  # not zspec, which is unknown for new objects
WORST = 10
FEW = 30  # groups: with fewer, bootstrap intervals are too narrow
NEEDED = {"regress": ("row_id", "seed", "reference_mag", "zspec", "zphot"),
          "classify": ("row_id", "seed", "reference_mag", "spec_class")}  # fmt: skip
PROBABILITY = "probability_"
Objids: TypeAlias = "Mapping[int, int] | pd.Series"  # objid of each row, by row_id
LATEST_RELEASE = 17  # of the imaging; links are by position, the same in every release
EXPLORER = "https://skyserver.sdss.org/dr{release}/en/tools/explore/summary.aspx?{query}"
RANKS = ("isolation_rank", "sparsity_rank", "reconstruction_rank", "combined")
AGREEMENT_COLUMNS = (
    *("algorithm", "groups", "truth", "n"),
    *(f"{name}{end}" for name in ("ari", "ami") for end in ("", "_lower", "_upper")),
)
GALLERY_COLUMNS = ("place", "row_id", *RANKS, "feature", "deviation")


def gain(scores: pd.DataFrame, best: str, baseline: str, metric: str) -> str:
    """Compare the best model with one that uses no features; '' if it is that one."""
    values = _values(overall(scores), metric)
    if best == baseline or not {best, baseline} <= set(values.index):
        return ""
    mine, other = (_with_interval(values.loc[model]) for model in (best, baseline))
    guess = f"with {baseline}, which uses no features, {other}."
    return f"With {best}, {label(metric)} is {mine}; {guess}"


def few_objects(n: int, predictions: str | None = None) -> list[str]:
    """Warn that intervals are too narrow if `n` test objects, or their groups, are few.

    The bootstrap draws groups, counted for the first seed in `predictions` if known.
    """
    groups = n
    if predictions and "group" in read_schema(predictions).names:
        frame = read_parquet(predictions, columns=["seed", "group"]).to_pandas()
        groups = frame.loc[frame["seed"] == frame["seed"].min(), "group"].nunique()
    if groups >= FEW:
        return []
    objects = f"{n:,} test object{'' if n == 1 else 's'}"
    in_groups = f" in {groups} group{'' if groups == 1 else 's'}" if groups < n else ""
    return [
        f"With {objects}{in_groups}, bootstrap intervals are too narrow: significant differences "
        "between models may be chance."
    ]


def worst_bins(scores: pd.DataFrame, by_bin: pd.DataFrame, best: str, metric: str) -> list[str]:
    """Say in which bin of each variable a model is worst, and its overall score.

    `metric` must not be a mean over classes, which drops in bins without one of them.
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
        if group["value"].nunique() < 2 or best not in whole.index:  # no bin is worse
            continue
        low = METRICS[metric].better == "low"
        row = group.loc[group["value"].idxmax() if low else group["value"].idxmin()]
        sentences.append(
            f"Among {words}, {best} is worst from {plain(row['bin_low'])} to "
            f"{plain(row['bin_high'])}: {label(metric)} is {_with_interval(row)} there, "
            f"{_with_interval(whole.loc[best])} overall."
        )
    return sentences


def outliers(scores: pd.DataFrame, best: str) -> list[str]:
    """Say how many objects are outliers by the common limits."""
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
                f"{limit} ({100 * float(row['value']):.3g} %)."
            )
    return sentences


def weakest_class(scores: pd.DataFrame, best: str) -> list[str]:
    """Say which class has the lowest completeness; nothing if all are equal."""
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
        f"{best} is least complete for class {row['subset']}: completeness {_with_interval(row)} "
        f"of {int(row['n']):,} test objects."
    ]


def commonest_mistake(confusion: pd.DataFrame, best: str) -> list[str]:
    """Say which class is most often classified as which other."""
    rows = confusion[confusion["model"] == best]
    seeds = rows["seed"].nunique() - 1
    rows = rows[rows["seed"] == "all"]
    totals = rows.groupby("truth")["count"].sum()
    wrong = rows[(rows["truth"] != rows["predicted"]) & (rows["count"] > 0)]
    if wrong.empty:
        return []
    row = wrong.loc[wrong["count"].idxmax()]
    return [
        f"Its most frequent mistake is to classify {row['truth']} as {row['predicted']}: "
        f"{plain(row['count'])} of {plain(totals[row['truth']])}"
        f"{f', {seeds} seeds together' if seeds > 1 else ''}."
    ]


def _values(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    chosen = rows[(rows["metric"] == metric) & rows["value"].notna()]
    return chosen.drop_duplicates("model").set_index("model")


def _with_interval(row: pd.Series) -> str:
    return stated(row["value"], row["lower"], row["upper"])


def read_predictions(path: str | Path, task: str) -> pd.DataFrame:
    """Read the test objects of the first seed of a predictions.parquet, ordered by `row_id`.

    ReportError if a column is missing or there are no rows.
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
    """Return the test objects with the largest normalised residuals."""
    delta = (frame["zphot"] - frame["zspec"]) / (1 + frame["zspec"])
    order = delta.abs().sort_values(ascending=False, kind="stable").index[:WORST]
    rows = []
    for place in order:
        row = frame.loc[place]
        cells = [_decimals(row["reference_mag"], 2)]
        cells += [_decimals(row[name], 4) for name in ("zspec", "zphot")] + [
            _decimals(delta[place], 4)
        ]
        if "outside_training" in frame:
            cells.append(text_cell("yes" if row["outside_training"] else "no"))
        rows.append([text_cell(object_name(row["row_id"], objids)), *cells])
    columns = ["object", "magnitude", "zspec", "zphot", "δ"]
    columns += ["unlike the training objects"] if "outside_training" in frame else []
    text = f"Test objects with the largest |δ| of {model}, δ = (zphot − zspec) / (1 + zspec)."
    heads = word_columns(*columns, numeric=columns[1:5])
    return Table("The largest residuals", text, heads, rows)


def worst_classes(frame: pd.DataFrame, model: str, objids: Objids) -> Table:
    """Return the misclassified test objects with the highest probabilities."""
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
            _decimals(frame.loc[place, "reference_mag"], 2),
            text_cell(frame.loc[place, "spec_class"]),
            text_cell(guess[place]),
            _decimals(surest[place], 3),
        ]
        for place in order
    ]
    text = (
        f"Misclassified test objects with the highest probabilities by {model}; {len(wrong):,} of "
        f"{len(frame):,} are misclassified."
    )
    labels = ("object", "magnitude", "true class", "predicted class", "probability")
    return Table(
        "The surest mistakes", text, word_columns(*labels, numeric=("magnitude", labels[4])), rows
    )


def object_name(row: int, objids: Objids) -> str:
    """Return the name of an object: its objid, or its row_id."""
    objid = objids.get(int(row))
    return f"objid {objid}" if objid else f"row {int(row)}"


def explorer_link(ra: float, dec: float, release: int = LATEST_RELEASE) -> str:
    """Return the address of the SDSS page on the object nearest to a position in degrees.

    >>> explorer_link(180.25, -0.5, 14)
    'https://skyserver.sdss.org/dr14/en/tools/explore/summary.aspx?ra=180.25&dec=-0.5'
    """
    at = {"ra": ra, "dec": dec}
    query = urlencode({name: f"{of:.6f}".rstrip("0").rstrip(".") for name, of in at.items()})
    return EXPLORER.format(release=release, query=query)


def rare_table(scores: pd.DataFrame, item: Item, notes: list[str]) -> Table:
    """Tabulate the scores predicted where spectra are rare, and those measured there."""
    body = []
    for _, row in scores.iterrows():
        words = (row["model"], row["seed"], label(row["metric"]), row["convention"])
        numbers = (row["unweighted"], row["on_target"], row["n"], round(row["effective_n"]))
        cells = [number_cell(number) for number in numbers]
        weighted = score_cell(row, value="weighted")
        body.append([*map(text_cell, words), cells[0], weighted, *cells[1:]])
    numeric = ("unweighted", "weighted", "on the test part", "N", "effective N")
    heads = word_columns("model", "seed", "score", "convention", *numeric, numeric=numeric)
    notes = [f"On the test part: {notes[0]}", *notes[1:]]
    return Table(item.title, item.caption, heads, body, notes, folded=True)


def agreement_table(scores: pd.DataFrame, item: Item, notes: list[str]) -> Table:
    """Tabulate the agreement of groups with the truth, with intervals."""
    body = []
    for _, row in scores.iterrows():
        indices = [score_cell(row, value=name, ends=f"{name}_") for name in ("ari", "ami")]
        words = [text_cell(row["algorithm"]), number_cell(row["groups"]), text_cell(row["truth"])]
        body.append([*words, *indices, number_cell(row["n"])])
    heads = ("algorithm", "groups", "truth", "ARI", "AMI", "N")
    text = item.caption if body else "No object has a class or a redshift to compare with."
    columns = word_columns(*heads, numeric=("groups", "ARI", "AMI", "N"))
    return Table(item.title, text, columns, body, notes, source=item.path)


def strange_table(item: Item, sample: Sample, objids: Objids, notes: list[str]) -> Table:
    """Tabulate the strangest objects or, for a sky with oddities, how well they were found."""
    if item.name == "oddity_scores":
        table = _oddities(read_table(item.path, oddities.COLUMNS), item, notes)
    else:
        table = _gallery(read_table(item.path, GALLERY_COLUMNS), item, sample, objids, notes)
    return replace(table, source=item.path)


def _gallery(
    frame: pd.DataFrame, item: Item, sample: Sample, objids: Objids, notes: list[str]
) -> Table:
    """Observed objects link to their SDSS page, by position."""
    release = getattr(sample.source, "release", LATEST_RELEASE)
    shown = {"ra": "RA", "dec": "Dec", "reference_mag": "magnitude", "spec_class": "class"}
    shown = {name: words for name, words in (shown | {"zspec": "zspec"}).items() if name in frame}
    places = {"ra": 5, "dec": 5, "reference_mag": 2, "zspec": 4}
    body = []
    for _, row in frame.iterrows():
        name = object_name(row["row_id"], objids)
        known = not sample.simulated and {"ra", "dec"} <= set(frame)
        known = known and row[["ra", "dec"]].notna().all()
        link = explorer_link(row["ra"], row["dec"], release) if known else ""
        cells = [
            text_cell(row[key] or "") if key == "spec_class" else _decimals(row[key], places[key])
            for key in shown
        ]
        ranks = [number_cell(row[key]) for key in RANKS]
        far = f"{row['feature']}: {plain(row['deviation'])}"
        body.append([replace(text_cell(name), link=link), *cells, *ranks, text_cell(far)])
    words = [key.removesuffix("_rank") for key in RANKS]
    heads = ["object", *shown.values(), *words, "farthest feature: deviation"]
    numeric = [head for head in heads[1:-1] if head != "class"]
    links = ["Each object links to the SDSS page of the object nearest to its position"]
    notes = [*notes, *(links if any(cells[0].link for cells in body) else [])]
    return Table(item.title, item.caption, word_columns(*heads, numeric=numeric), body, notes)


def _oddities(frame: pd.DataFrame, item: Item, notes: list[str]) -> Table:
    body = [
        [
            *(text_cell(row[name]) for name in ("ranking", "score", "kind")),
            score_cell(row),
            *(number_cell(row[name]) for name in ("chance", "oddities", "injected", "n")),
        ]
        for _, row in frame.iterrows()
    ]
    numeric = ("value", "chance", "oddities", "injected", "N")
    columns = word_columns("ranking", "score", "kind", *numeric, numeric=numeric)
    return Table(item.title, item.caption, columns, body, notes)


def _decimals(value: float, places: int) -> Cell:
    return Cell(fixed(float(value), places), sort="" if pd.isna(value) else float(value))
