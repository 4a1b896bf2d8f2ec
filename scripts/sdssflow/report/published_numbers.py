"""Published numbers and ours, for the index of the report."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sdssflow.evaluate import published
from sdssflow.report.figures import CURVES, PUBLISHED
from sdssflow.report.glossary import label
from sdssflow.report.sections import (
    Cell,
    Figure,
    Section,
    Table,
    decimals,
    fixed,
    number_cell,
    plain,
    read_figure,
    read_table,
    text_cell,
    with_interval,
    word_columns,
)

COMPARED = (published.REPRODUCED, published.UNDECIDED, published.DIFFERS)
WEIGHTED = tuple(published.OF_WEIGHTED.values())
BOTH = ("published in", "score", "theirs", "ours", "of")


def published_section(path: str | Path, curves: str | Path) -> Section:
    """Return the comparison with published numbers: counts of verdicts, curves, tables.

    The figure `curves` is left out if no curve was compared.
    """
    frame = read_table(path, published.COLUMNS, empty=True)
    counts = frame["verdict"].value_counts()
    found = [
        f"{counts.get(verdict, 0):,} {verdict}"
        for verdict in published.VERDICTS
        if verdict not in WEIGHTED or verdict in counts
    ]
    text = f"{len(frame):,} published numbers, counting each bin of a curve: {', '.join(found)}."
    blocks: list[Table | Figure] = list(published_tables(path))
    if (frame["zspec_low"].notna() & frame["verdict"].isin(COMPARED)).any():
        blocks.insert(0, read_figure(curves, CURVES.title, CURVES.caption, "bin by bin"))
    return Section("published", "Published numbers", text=[text], blocks=blocks)


def published_tables(path: str | Path) -> list[Table]:
    """Return tables of the numbers that were compared and, folded, of the others with the reason.

    Each curve has a table with a row for each bin.
    """
    frame = read_table(path, published.COLUMNS, empty=True)
    of_curve = frame["zspec_low"].notna()
    compared = frame["verdict"].isin(COMPARED)
    ran = of_curve & compared.groupby(frame["entry"]).transform("any")
    found = [_curve(rows, path) for _, rows in frame[ran].groupby("entry")]
    if (compared & ~of_curve).any():
        found.append(_compared(frame[compared & ~of_curve], path))
    weighted = frame["verdict"].isin(WEIGHTED)
    if weighted.any():
        found.append(_weighted(frame[weighted], path))
    others = frame[~compared & ~ran & ~weighted]
    # only the first bin of a curve that was not run; rows with a number of ours first
    others = others[~(others["zspec_low"].notna() & others.duplicated("entry"))]
    others = others.sort_values("ours", key=pd.isna, kind="stable")
    heads = word_columns(*BOTH, "verdict", "why", numeric=("theirs", "ours"))
    rows = [
        [*_numbers(row), text_cell(row["verdict"]), text_cell(row["because"])]
        for _, row in others.iterrows()
    ]
    if rows:
        title = "Published numbers without a comparison"
        text = "Not run, or of other objects or features, so that the difference means little."
        found.append(Table(title, text, heads, rows, folded=True, source=str(path)))
    # only entries without any comparison
    open_still = ~compared.groupby(frame["entry"]).transform("any") & (frame["gaps"] != "")
    if open_still.any():
        found.append(_gaps(frame[open_still], path))
    return found


def _gaps(frame: pd.DataFrame, path: str | Path) -> Table:
    """Return the gaps between papers and us, one row for all numbers with the same gaps."""
    rows = []
    for (citation, *gaps), numbers in frame.groupby(["citation", "gaps", "closed_by"], sort=False):
        scores = "; ".join(dict.fromkeys(map(_score, numbers.to_dict("records"))))
        rows.append([text_cell(words) for words in (citation, scores, *gaps)])
    title = "Why other numbers are not reproduced"
    text = (
        "Rows, features or methods of a published number that the data shipped with the project "
        "lack, or unknown details of its formula; and what would close the gap."
    )
    heads = word_columns("published in", "scores", "gap", "closed by")
    return Table(title, text, heads, rows, folded=True, source=str(path))


def _compared(frame: pd.DataFrame, path: str | Path) -> Table:
    names = (*BOTH, "difference", "tolerance", "verdict", "why this tolerance")
    heads = word_columns(*names, numeric=("theirs", "ours", "difference", "tolerance"))
    rows = []
    for _, row in frame.iterrows():
        numbers = [_difference(row), number_cell(row["tolerance"])]
        verdict = [text_cell(row["verdict"], strong=True), text_cell(row["because"])]
        rows.append([*_numbers(row), *numbers, *verdict])
    title, text = PUBLISHED.title, PUBLISHED.caption
    return Table(title, text, heads, rows, [_counts(frame)], source=str(path))


def _weighted(frame: pd.DataFrame, path: str | Path) -> Table:
    """Return the comparisons with objects weighted to a paper's selection."""
    numeric = ("theirs", "ours", "effective N", "within")
    heads = (*BOTH, "effective N", "within", "verdict", "weighted to", "why this tolerance")
    rows = [
        [
            *_numbers(row),
            number_cell(round(row["effective_n"])),
            number_cell(row["tolerance"]),
            text_cell(row["verdict"], strong=True),
            text_cell(row["weighted_to"]),
            text_cell(row["because"]),
        ]
        for _, row in frame.iterrows()
    ]
    text = (
        "Our test objects, weighted to the distribution of magnitudes or redshifts stated in the "
        "paper. They are not its objects, so nothing is reproduced here: our whole interval lies "
        "within the tolerance of the published number (compatible within), part of it does "
        "(compatibility undecided) or none does (not compatible). Effective N: the number of "
        "objects of equal weight that would be as precise."
    )
    title = "Published numbers compared with weighted objects"
    columns = word_columns(*heads, numeric=numeric)
    return Table(title, text, columns, rows, [_counts(frame)], source=str(path))


def _curve(frame: pd.DataFrame, path: str | Path) -> Table:
    """Return the comparison with a curve, bin by bin."""
    first = frame.iloc[0]
    heads = ("zspec", "theirs", "ours", "difference", "verdict")
    rows = [
        [
            text_cell(f"{row['zspec_low']:.3f} to {row['zspec_high']:.3f}"),
            *_pair(row),
            _difference(row),
            text_cell(row["verdict"], strong=True),
        ]
        for _, row in frame.iterrows()
    ]
    return Table(
        f"{label(first['metric'])} in bins of zspec: {first['citation']}",
        f"Ours: {_place(first)}. Tolerance {plain(first['tolerance'])}: {first['because']}.",
        word_columns(*heads, numeric=("theirs", "ours", "difference")),
        rows,
        [_counts(frame), PUBLISHED.caption],
        source=str(path),
    )


def _counts(frame: pd.DataFrame) -> str:
    counts = frame["verdict"].value_counts()
    return ", ".join(f"{counts[name]} {name}" for name in published.VERDICTS if name in counts)


def _place(row: pd.Series) -> str:
    return " / ".join(filter(None, map(str, row[["sample", "split", "model"]])))


def _numbers(row: pd.Series) -> list[Cell]:
    """Return the cells of citation, score, their number, ours if there is one, and our model."""
    words = text_cell(row["citation"]), text_cell(_score(row))
    return [*words, *_pair(row), text_cell(_place(row))]


def _score(row: Mapping[Hashable, Any]) -> str:
    score = f"{label(row['metric'])}, {row['convention']}"
    return score if row["subset"] in ("all", "") else f"{score}, {row['subset']}"


def _pair(row: pd.Series) -> list[Cell]:
    """Return theirs with its uncertainty, and ours with its interval if there is one."""
    theirs, ours = number_cell(row["theirs"]), text_cell("")
    if not pd.isna(row["uncertainty"]):
        value, error = theirs.text, plain(row["uncertainty"])
        if "×" not in value + error:  # as many decimals as published: zeros at the end count
            value = fixed(row["theirs"], max(len(t.partition(".")[2]) for t in (value, error)))
        theirs = Cell(f"{value} ± {error}", sort=theirs.sort)
    if not pd.isna(row["ours"]):
        value, interval = with_interval(row["ours"], row["ours_low"], row["ours_high"])
        ours = Cell(value, interval, float(row["ours"]))
    return [theirs, ours]


def _difference(row: pd.Series) -> Cell:
    """Return the cell of ours minus theirs, with as many decimals as ours."""
    half_width = (row["ours_high"] - row["ours_low"]) / 2
    value = float(row["difference"])
    if not half_width > 0:
        return number_cell(value)
    return Cell(fixed(value, decimals(half_width)), sort=value)
