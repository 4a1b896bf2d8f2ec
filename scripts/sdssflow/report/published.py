"""Published numbers beside ours, as tables for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sdssflow.report.figures import PUBLISHED
from sdssflow.report.glossary import label
from sdssflow.report.tables import (
    Cell,
    Table,
    number_cell,
    plain,
    read_table,
    text_cell,
    with_interval,
    word_columns,
)

COLUMNS = (
    "citation", "metric", "convention", "subset", "theirs", "uncertainty", "sample", "split",
    "model", "ours", "ours_low", "ours_high", "difference", "tolerance", "verdict", "because",
)  # fmt: skip
COMPARED = ("reproduced", "undecided", "differs")


def published_tables(path: str | Path) -> list[Table]:
    """Return what was compared with published numbers, and, folded, what was not and why.

    Raises
    ------
    ReportError
        If published.csv is missing or is no such table.
    """
    frame = read_table(path, COLUMNS, empty=True)
    compared = frame[frame["verdict"].isin(COMPARED)]
    others = frame[~frame["verdict"].isin(COMPARED)]
    # those with a number of ours come first
    others = others.sort_values("ours", key=pd.isna, kind="stable")
    counts = compared["verdict"].value_counts()
    note = ", ".join(f"{counts[verdict]} {verdict}" for verdict in COMPARED if verdict in counts)
    found = []
    if len(compared):
        found.append(
            Table(
                PUBLISHED.title,
                PUBLISHED.caption,
                word_columns(
                    "published in", "score", "theirs", "ours", "of", "difference", "tolerance",
                    "verdict", "why this tolerance",
                    numeric=("theirs", "ours", "difference", "tolerance"),
                ),
                [_pair(row) for _, row in compared.iterrows()],
                [note],
                source=str(path),
            )
        )  # fmt: skip
    if len(others):
        heads = word_columns(
            "published in", "score", "theirs", "ours", "of", "verdict", "why",
            numeric=("theirs", "ours"),
        )  # fmt: skip
        rows = [
            [
                *_theirs(row),
                *_ours(row),
                text_cell(row["verdict"]),
                text_cell(_words(row["because"])),
            ]
            for _, row in others.iterrows()
        ]
        text = "Not run, or of other objects or features, so that the difference says little."
        title = "Published numbers without a comparison"
        found.append(Table(title, text, heads, rows, folded=True, source=str(path)))
    return found


def _theirs(row: pd.Series) -> list[Cell]:
    score = f"{label(row['metric'])}, {row['convention']}"
    if row["subset"] not in ("all", "") and not pd.isna(row["subset"]):
        score = f"{score}, {row['subset']}"
    theirs = number_cell(row["theirs"])
    if not pd.isna(row["uncertainty"]):
        theirs = Cell(f"{theirs.text} ± {plain(row['uncertainty'])}", sort=theirs.sort)
    return [text_cell(row["citation"]), text_cell(score), theirs]


def _pair(row: pd.Series) -> list[Cell]:
    return [
        *_theirs(row),
        *_ours(row),
        number_cell(row["difference"]),
        number_cell(row["tolerance"]),
        text_cell(row["verdict"], strong=True),
        text_cell(_words(row["because"])),
    ]


def _ours(row: pd.Series) -> list[Cell]:
    """Return our number, empty where this run has none, and what it is of."""
    place = [_words(row[name]) for name in ("sample", "split", "model")]
    ours = text_cell("")
    if not pd.isna(row["ours"]):
        value, interval = with_interval(row["ours"], row["ours_low"], row["ours_high"])
        ours = Cell(value, interval, float(row["ours"]))
    return [ours, text_cell(" / ".join(filter(None, place)))]


def _words(value: object) -> str:
    return "" if pd.isna(value) else str(value)
