"""What the page is made of: sections that hold tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdssflow.report.contents import Item
from sdssflow.report.figures import Figure, read_figure
from sdssflow.report.tables import Cell, Column, Table, plain_table, read_table

LONG = 12  # rows; longer tables are folded


@dataclass(frozen=True)
class Section:
    """A titled part of the page; `anchor` is unique on it."""

    anchor: str
    title: str
    text: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    blocks: list[Table | Figure] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


@dataclass(frozen=True)
class Best:
    """The best of some models.

    `not_told_apart` names the models whose paired difference from it may be zero in the metric
    `ranked_by`.
    """

    model: str
    ranked_by: str
    not_told_apart: list[str]
    scores: list[tuple[Column, Cell]]


@dataclass(frozen=True)
class Headline:
    """The best model of a sample, task and split, for the summary.

    `densities` is the best of the models that give a p(z), None where none does.
    """

    title: str
    task: str
    split: str
    anchor: str
    best: Best
    n: int
    digests: str
    seeds: str
    densities: Best | None = None


def block(item: Item, subject: str, notes: list[str], folded: bool = False) -> Table | Figure:
    """Read a figure or a table and show it as it stands.

    Raises
    ------
    ReportError
        If the file can't be shown.
    """
    if item.kind == "figure":
        return read_figure(item.path, item.title, item.caption, subject)
    frame = read_table(item.path, ())
    return plain_table(frame, item.title, item.caption, notes, folded or len(frame) > LONG)
