"""What was found without labels, as tables: groups beside classes, and the strangest objects."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pandas as pd

from sdssflow.configuration.sample import Sample
from sdssflow.evaluate import oddities
from sdssflow.report.contents import Item
from sdssflow.report.failures import Objids, object_name
from sdssflow.report.scores import score_cell
from sdssflow.report.tables import (
    Cell,
    Table,
    fixed,
    number_cell,
    plain,
    read_table,
    text_cell,
    word_columns,
)

LATEST_RELEASE = 17  # of the imaging; a position means the same in every release
EXPLORER = "https://skyserver.sdss.org/dr{release}/en/tools/explore/summary.aspx?{query}"
RANKS = ("isolation_rank", "sparsity_rank", "reconstruction_rank", "combined")
AGREEMENT_COLUMNS = (
    *("algorithm", "groups", "truth", "n"),
    *(f"{name}{end}" for name in ("ari", "ami") for end in ("", "_lower", "_upper")),
)
GALLERY_COLUMNS = ("place", "row_id", *RANKS, "feature", "deviation")


def explorer_link(ra: float, dec: float, release: int = LATEST_RELEASE) -> str:
    """Return the address of the page of SDSS on the object nearest to a position in degrees.

    >>> explorer_link(180.25, -0.5, 14)
    'https://skyserver.sdss.org/dr14/en/tools/explore/summary.aspx?ra=180.25&dec=-0.5'
    """
    at = {"ra": ra, "dec": dec}
    query = urlencode({name: f"{of:.6f}".rstrip("0").rstrip(".") for name, of in at.items()})
    return EXPLORER.format(release=release, query=query)


def agreement_table(scores: pd.DataFrame, item: Item, notes: list[str]) -> Table:
    """Show how far groups agree with the truth, each index with its interval."""
    body = []
    for _, row in scores.iterrows():
        indices = [
            score_cell(pd.Series({"value": row[name], "lower": row[f"{name}_lower"],
                                  "upper": row[f"{name}_upper"]}))
            for name in ("ari", "ami")
        ]  # fmt: skip
        words = [text_cell(row["algorithm"]), number_cell(row["groups"]), text_cell(row["truth"])]
        body.append([*words, *indices, number_cell(row["n"])])
    heads = ("algorithm", "groups", "truth", "ARI", "AMI", "N")
    text = item.caption if body else "No object has a class or a redshift to compare with."
    columns = word_columns(*heads, numeric=("groups", "ARI", "AMI", "N"))
    return Table(item.title, text, columns, body, notes, source=item.path)


def strange_table(item: Item, sample: Sample, objids: Objids, notes: list[str]) -> Table:
    """Show the strangest objects, or, of a sky with oddities, how well they were found."""
    if item.name == "oddity_scores":
        table = _oddities(read_table(item.path, oddities.COLUMNS), item, notes)
    else:
        table = _gallery(read_table(item.path, GALLERY_COLUMNS), item, sample, objids, notes)
    return replace(table, source=item.path)


def _gallery(
    frame: pd.DataFrame, item: Item, sample: Sample, objids: Objids, notes: list[str]
) -> Table:
    """Objects of a sky that was observed lead to their page at SDSS, by position."""
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
    links = ["An object leads to the page of SDSS on what lies nearest to its position"]
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
