"""Data sheets, and how they and model cards are written: Markdown with a head for machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import yaml

from sdssflow.configuration.sample import Sample
from sdssflow.configuration.sources import EmbeddedSource, FileSource
from sdssflow.report.provenance import Facts
from sdssflow.report.sections import Section
from sdssflow.report.tables import Cell, Table

SPECIAL = "\\`*_[]<>#|"  # to Markdown
EXTINCTION = {True: "already subtracted in the source", False: "not subtracted in the source"}
LICENCES = {
    "mgs": "University of Illinois/NCSA (data/embedded/LICENSE-MLZ.txt)",
    "mclass": "BSD 3-clause (data/embedded/LICENSE-mclearn.txt)",
}
SIMULATED = (
    "Made by this program; templates under the licences in data/embedded. No observed object."
)
OF_THE_ARCHIVE = (
    "As the archive says. SDSS data are in the public domain; the SDSS asks to be acknowledged: "
    "https://www.sdss.org/collaboration/citing-sdss/"
)


def licence(sample: Sample) -> str:
    """Return under which terms the rows stand, as far as this program can know."""
    if sample.simulated:
        return SIMULATED
    if isinstance(sample.source, EmbeddedSource):
        return LICENCES[sample.source.table]
    if isinstance(sample.source, FileSource):
        return "Yours to know: the file is your own."
    return OF_THE_ARCHIVE


def origin(sample: Sample, facts: Facts) -> list[tuple[str, str]]:
    """Return where the rows come from, and the query, if there was one."""
    source = sample.source
    if isinstance(source, EmbeddedSource):
        return [("Source", f"embedded: table {source.table}")]
    if isinstance(source, FileSource):
        return [("Source", f"file: {source.path}")]
    limit = facts.entries.get("limit")
    return [
        ("Source", f"{source.kind}: {facts.entries.get('archive')}"),
        ("Data release", str(facts.entries.get("release"))),
        ("Query", str(facts.entries.get("query"))),
        ("Limit", f"the first {limit:,} rows in the order of specobjid" if limit else ""),
    ]


def facts_of(name: str, sample: Sample, source: Facts, clean: Facts) -> list[tuple[str, str]]:
    """Return what is known of a catalogue, as pairs of a word and its value."""
    listed = [
        ("Sample", name),
        *origin(sample, source),
        ("Reference", sample.reference),
        ("Licence", licence(sample)),
        ("Rows", f"{source.rows:,} in the source, {clean.rows:,} after cuts"),
        ("Data digest", source.digest),
        ("Data digest after cuts", clean.digest),
        ("Magnitudes", str(source.entries.get("magnitude_system", ""))),
        ("Galactic extinction", EXTINCTION.get(source.entries.get("extinction_applied"), "")),
        ("SHA-256 of the source", str(source.entries.get("source_sha256", ""))),
    ]
    return [pair for pair in listed if pair[1]]


def data_sheet(
    name: str,
    sample: Sample,
    facts: tuple[Facts, Facts],
    flow: pd.DataFrame,
    defects: pd.DataFrame,
    sections: list[Section],
) -> Section:
    """Return the data sheet of a sample.

    Parameters
    ----------
    name, sample : str, Sample
        The sample and its definition.
    facts : (Facts, Facts)
        Of the catalogue as read and after cuts.
    flow, defects : pandas.DataFrame
        flow.csv and defects.csv.
    sections : list of Section
        Whose tables the sheet holds.
    """
    source, clean = facts
    tables = [block for part in sections for block in part.blocks if isinstance(block, Table)]
    record = {
        "sample": name,
        "title": sample.title,
        "simulated": sample.simulated,
        "reference": sample.reference,
        "licence": licence(sample),
        "source": sample.source.model_dump(mode="json"),
        "query": source.entries.get("query"),
        "release": source.entries.get("release"),
        "columns": source.columns,
        "magnitude_system": source.entries.get("magnitude_system"),
        "extinction_applied": source.entries.get("extinction_applied"),
        "source_sha256": source.entries.get("source_sha256"),
        "rows": source.rows,
        "data_digest": source.digest,
        "rows_after_cuts": clean.rows,
        "data_digest_after_cuts": clean.digest,
        "cuts": _rows(flow),
        "defects": _rows(defects),
        "tasks": list(sample.tasks),
    }
    return Section(
        f"{name}-sheet",
        f"Data sheet: {sample.shown_title}",
        text=[sample.description] if sample.description else [],
        facts=facts_of(name, sample, source, clean),
        blocks=[replace(table, folded=False) for table in tables],
        record=record,
        exported="data_sheet.md",
    )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as plain values."""
    return [
        {key: value for key, value in row.items() if not pd.isna(value)}
        for row in frame.astype(object).to_dict(orient="records")
    ]


def markdown(section: Section) -> str:
    """Return a section as Markdown: its record as YAML between two rules, then words and tables.

    Figures are left out.
    """
    # None: a score a line, not a line for each of its ends
    head = yaml.safe_dump(
        section.record, sort_keys=False, allow_unicode=True, default_flow_style=None, width=200
    )
    return f"---\n{head}---\n\n" + "\n".join(_lines(section)).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it stands.

    Examples
    --------
    >>> escaped("model_mag_r < 17.77")
    'model\\_mag\\_r \\< 17.77'
    """
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in str(text))


def _lines(section: Section) -> Iterator[str]:
    yield f"# {escaped(section.title)}"
    yield ""
    for paragraph in section.text:
        yield from (escaped(paragraph), "")
    for name, value in section.facts:
        yield f"- **{escaped(name)}**: {escaped(' '.join(str(value).split()))}"
    if section.facts:
        yield ""
    for block in section.blocks:
        if isinstance(block, Table):
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    yield from (f"## {escaped(table.title)}", "", escaped(table.text), "")
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
