"""Contents of the pages of samples, from scores to source, and of parts of the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.cards import data_sheet, facts_of
from sdssflow.report.failures import (
    AGREEMENT_COLUMNS,
    Objids,
    agreement_table,
    read_objids,
    strange_table,
)
from sdssflow.report.figures import Item
from sdssflow.report.provenance import Facts, Provenance, read_facts
from sdssflow.report.sections import (
    LONG,
    Figure,
    Section,
    Table,
    block,
    most_telling,
    plain_table,
    read_table,
)
from sdssflow.report.summary import TaskSummary, learning_section, splits_section, summarise

FLOW_COLUMNS = ("cut", "before", "removed", "after")


@dataclass(frozen=True)
class SamplePage:
    """The page of one sample: text below the title, summary sentences by stage, sections.

    `findings` has a line for each task and split, `picture` is shown with them on the index.
    `sheet`, the data sheet, is only written to a file: its tables are in the sections.
    """

    name: str
    title: str
    text: list[str]
    findings: list[str]
    picture: Figure | None
    in_short: list[tuple[str, list[str]]]
    summaries: list[TaskSummary]
    sections: list[Section]
    cards: list[Section]
    sheet: Section

    @property
    def has_charts(self) -> bool:
        """Whether a figure has an interactive chart."""
        return any(getattr(one, "chart", None) for part in self.sections for one in part.blocks)


def concepts_section(items: list[Item]) -> Section:
    """Return the section of figures and tables that belong to no sample."""
    notes = ["Computed from schematic spectra, without observed objects"]
    blocks = [block(item, "schematic spectra", notes) for item in items if not item.sample]
    return Section("concepts", "Why colours carry redshift", blocks=blocks)


def sample_page(
    name: str, items: list[Item], run: RunConfiguration, sample: Sample, provenance: Provenance
) -> SamplePage:
    """Read the files in `items` that belong to a sample.

    ReportError if a file is missing, empty or inconsistent with the others.
    """
    mine = [item for item in items if item.sample == name]
    facts = {item.name: read_facts(item.path) for item in mine if item.kind == "data"}
    source, clean = facts["catalogue"], facts["clean"]
    provenance = replace(provenance, objids=read_objids(clean.path))
    summaries = [
        summarise([i for i in mine if (i.stage, i.split) == (task, split)], sample, run, provenance)
        for task in sample.tasks
        for split in sorted(sample.splits)
    ]
    flow = read_table(_path(mine, "flow_table"), FLOW_COLUMNS)
    defects = read_table(_path(mine, "defects"), (), empty=True)
    alone = read_table(_path(mine, "single_features"), ("feature", "remark"))
    sections = _stages(name, sample, mine, source, clean, provenance.objids)
    sheet = data_sheet(name, sample, (source, clean), flow, defects, sections[:3])
    text = [sample.description] if sample.description else []
    if sample.simulated:
        text.insert(0, "Simulated data: no observed objects.")
    results = [part for one in summaries for part in one.sections]
    results.append(splits_section(name, mine, run))
    results += [learning_section(name, split, mine, run) for split in sorted(sample.splits)]
    # results first, their source last
    sections = [*results, *sections[3:], *sections[:3]]
    sections = [section for section in sections if section.blocks or section.facts]
    cards = [card for one in summaries for card in one.cards]
    written = named([*sections, *cards], name)
    return SamplePage(
        name,
        sample.shown_title,
        text,
        [one.finding for one in summaries],
        most_telling(mine, f"sample {name}"),
        _in_short(source, clean, flow, defects, alone, summaries),
        summaries,
        written[: len(sections)],
        written[len(sections) :],
        sheet,
    )


def named(sections: list[Section], name: str) -> list[Section]:
    """Return sections with a unique file name for each of their tables."""
    taken: set[str] = set()
    found = []
    for section in sections:
        stem = section.anchor.removeprefix(f"{name}-")
        blocks = []
        for shown in section.blocks:
            if isinstance(shown, Table) and shown.rows:
                words = re.sub(r"[^a-z0-9]+", "_", f"{stem} {shown.title}".lower()).strip("_")
                while words in taken:
                    words += "_"
                taken.add(words)
                shown = replace(shown, exported=f"{words}.tex")
            blocks.append(shown)
        found.append(replace(section, blocks=blocks))
    return found


def tables_of(page: SamplePage) -> Iterator[Table]:
    """Yield the tables of a page that are exported."""
    for section in [*page.sections, *page.cards]:
        for shown in section.blocks:
            if isinstance(shown, Table) and shown.exported:
                yield shown


def _path(items: list[Item], name: str) -> str:
    return next(item.path for item in items if item.name == name)


def _in_short(
    source: Facts,
    clean: Facts,
    flow: pd.DataFrame,
    defects: pd.DataFrame,
    alone: pd.DataFrame,
    summaries: list[TaskSummary],
) -> list[tuple[str, list[str]]]:
    """Return a few sentences for each stage."""
    found = int(defects["count"].sum()) if "count" in defects else 0
    data = [f"{source.rows:,} objects came from the source."]
    if found:
        data.append(
            f"{len(defects)} kinds of defects were found in their values, {found:,} in total."
            if len(defects) > 1
            else f"One kind of defect was found in their values, {found:,} times."
        )
    else:
        data.append("No defect was found in their values.")
    removed = source.rows - clean.rows
    cuts = [f"{clean.rows:,} of {source.rows:,} objects passed the cuts."]
    if removed:
        most = flow.loc[flow["removed"].idxmax()]
        cuts.append(f"The cut {most['cut']} removed most, {int(most['removed']):,} of {removed:,}.")
    short = [("The data", data), ("What was cut", cuts)]
    remarked = alone.loc[alone["remark"] != "", "feature"]
    if len(remarked):
        text = "Each determines nearly everything alone. Is it a measurement?"
        short.append(("Features to check", [f"{text} {', '.join(remarked)}."]))
    for one in summaries:
        scores = one.scores
        where = f" ({one.task.lower()}, split {scores.split})" if len(summaries) > 1 else ""
        best = f"By {scores.ranked_by}, the best of all models is {scores.best}."
        if scores.ties:
            best = f"{best[:-1]}; not significantly better than {', '.join(scores.ties)}."
        short.append((f"What was learnt{where}", [best, *one.gain]))
        if one.limits:
            short.append((f"Where it fails{where}", one.limits))
    return short


def _stages(
    name: str, sample: Sample, items: list[Item], source: Facts, clean: Facts, objids: Objids
) -> list[Section]:
    """Return the sections on data, cuts and split parts of a sample, then those on exploration."""
    counted = [f"N = {source.rows:,}; data digest {source.digest}"]
    notes = [f"N = {clean.rows:,} after cuts; data digest {clean.digest}"]
    chosen: dict[str, list[Item]] = {
        "data": [],
        "cuts": [],
        "features": [],
        "look": [],
        "groups": [],
    }
    strange = [item for item in items if item.name in ("outliers", "oddity_scores")]
    items = [item for item in items if item not in strange]
    for item in items:
        if item.stage == "explore":
            chosen["groups" if item.name.startswith("cluster") else "look"].append(item)
        elif item.name in ("defects", "completeness"):
            chosen["data"].append(item)
        elif item.name in ("flow", "flow_table"):
            chosen["cuts"].append(item)
        elif item.name in ("single_features", "leaks", "leaks_table"):
            chosen["features"].append(item)
    blocks = {
        key: [
            agreement_table(read_table(item.path, AGREEMENT_COLUMNS, empty=True), item, notes)
            if item.name == "clusters_agreement"
            else block(
                item,
                f"sample {name}",
                counted if key == "data" else notes,
                empty=key == "data" or item.name == "clusters_contingency",
            )
            for item in found
        ]
        for key, found in chosen.items()
    }
    facts = facts_of(name, sample, source, clean)
    return [
        Section(f"{name}-data", "The data", facts=facts, blocks=blocks["data"]),
        Section(f"{name}-cuts", "What was cut", blocks=blocks["cuts"]),
        _parts(name, sample, items, notes),
        Section(f"{name}-features", "Features", blocks=blocks["features"]),
        Section(f"{name}-look", "A look at the data", blocks=blocks["look"]),
        Section(f"{name}-groups", "Groups", blocks=blocks["groups"]),
        Section(
            f"{name}-strange",
            "Strange objects",
            blocks=[strange_table(item, sample, objids, notes) for item in strange],
        ),
    ]


def _parts(name: str, sample: Sample, items: list[Item], notes: list[str]) -> Section:
    """Return one table per split, with all seeds."""
    blocks = []
    for split, settings in sorted(sample.splits.items()):
        mine = [item for item in items if item.name == "parts" and item.split == split]
        frames = [read_table(item.path, ("fold", "part", "rows")) for item in mine]
        seeds = [item.seed for item in mine]
        frame = pd.concat(frames, keys=seeds, names=["seed", None]).reset_index(level="seed")
        about = ", ".join(f"{key} {value}" for key, value in settings.model_dump().items())
        blocks.append(
            plain_table(
                frame,
                f"{mine[0].title}: split {split}",
                mine[0].caption,
                [*notes, f"Split {split}: {about}"],
                folded=len(frame) > LONG,
            )
        )
    return Section(f"{name}-parts", "Training and test parts", blocks=blocks)
