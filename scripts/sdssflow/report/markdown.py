"""Sections as Markdown files with a head that machines read."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from sdssflow.report.sections import Section
from sdssflow.report.tables import Cell, Table

SPECIAL = "\\`*_[]<>#|"


def markdown(section: Section) -> str:
    """Return a section as Markdown: its record as YAML between two rules, then words and tables.

    Figures are left out.
    """
    # None: a score a line, not a line for each of its ends
    head = yaml.safe_dump(
        section.record, sort_keys=False, allow_unicode=True, default_flow_style=None, width=200
    )
    return f"---\n{head}---\n\n" + "\n".join(_lines(section, 1)).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it stands.

    Examples
    --------
    >>> escaped("model_mag_r < 17.77")
    'model\\_mag\\_r \\< 17.77'
    """
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in str(text))


def _lines(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * min(level, 6)} {escaped(section.title)}"
    yield ""
    for paragraph in section.text:
        yield from (escaped(paragraph), "")
    for name, value in section.facts:
        yield f"- **{escaped(name)}**: {escaped(' '.join(str(value).split()))}"
    if section.facts:
        yield ""
    for block in section.blocks:
        if isinstance(block, Table):
            yield from _table(block, min(level + 1, 6))
    for part in section.sections:
        yield from _lines(part, level + 1)


def _table(table: Table, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {escaped(table.title)}", "", escaped(table.text), "")
    if table.rows:
        heads = [
            f"{escaped(column.label)} ({escaped(column.convention)})"
            if column.convention
            else escaped(column.label)
            for column in table.columns
        ]
        yield _row(heads)
        yield _row(["---:" if column.numeric else "---" for column in table.columns])
        for row in table.rows:
            yield _row([_cell(cell) for cell in row])
        yield ""
    for note in table.notes:
        yield from (escaped(note), "")


def _cell(cell: Cell) -> str:
    text = escaped(f"{cell.text} {cell.interval}".strip())
    return f"**{text}**" if cell.strong and text else text


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"
