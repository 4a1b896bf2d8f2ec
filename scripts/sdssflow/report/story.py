"""The page as a tree of sections, in the order in which the data walked."""

from __future__ import annotations

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import EmbeddedSource, FileSource, Sample
from sdssflow.report import tables
from sdssflow.report.contents import Item
from sdssflow.report.provenance import Facts, ModelRun, read_facts
from sdssflow.report.sections import LONG, Headline, Section, block
from sdssflow.report.verdicts import judge

EXTINCTION = {True: "already subtracted in the source", False: "not subtracted in the source"}


def tell(
    items: list[Item], run: RunConfiguration, samples: dict[str, Sample], model_runs: list[ModelRun]
) -> tuple[list[Headline], list[Section]]:
    """Read everything that `items` names and order it as a story.

    Parameters
    ----------
    items : list of Item
        From `sdssflow.report.contents`.
    run, samples : RunConfiguration, dict of str to Sample
        The run and the definition of each of its samples.
    model_runs : list of ModelRun
        Provenance of the predictions; may be empty.

    Returns
    -------
    headlines : list of Headline
        One per sample, task and split.
    sections : list of Section
        The concepts, then one section per sample.

    Raises
    ------
    ReportError
        If a file is missing, empty or doesn't fit the others.
    """
    concepts = [item for item in items if not item.sample]
    notes = ["Computed from a schematic spectrum: no observed object enters"]
    blocks = [block(item, "schematic spectra", notes) for item in concepts]
    headlines: list[Headline] = []
    sections = [Section("concepts", "Why colours carry redshift", blocks=blocks)]
    for name in run.samples:
        mine = [item for item in items if item.sample == name]
        sections.append(_sample(name, samples[name], mine))
        for task in samples[name].tasks:
            for split in sorted(samples[name].splits):
                of_task = [item for item in mine if (item.room, item.split) == (task, split)]
                headline, judged = judge(of_task, samples[name], run, model_runs)
                headlines.append(headline)
                sections[-1].sections.extend(judged)
    return headlines, [section for section in sections if section.blocks or section.sections]


def _sample(name: str, sample: Sample, items: list[Item]) -> Section:
    """Return the sections of a sample up to its parts."""
    subject = f"sample {name}"
    facts = {item.name: read_facts(item.path) for item in items if item.kind == "data"}
    source, clean = facts["catalogue"], facts["clean"]
    notes = [f"N = {clean.rows:,} after cuts; data digest {clean.digest}"]
    chosen = {
        "cuts": [i for i in items if i.name in ("flow", "flow_table")],
        "look": [i for i in items if i.room == "explore" and not i.name.startswith("cluster")],
        "groups": [i for i in items if i.room == "explore" and i.name.startswith("cluster")],
    }
    titles = {"cuts": "What was cut", "look": "A look at the data", "groups": "Groups"}
    shown = [
        Section(
            f"{name}-{key}", title, blocks=[block(item, subject, notes) for item in chosen[key]]
        )
        for key, title in titles.items()
    ]
    of_data = [item for item in items if item.name in ("defects", "completeness")]
    sections = [_data(name, sample, source, of_data), *shown, _parts(name, sample, items, notes)]
    text = [sample.description] if sample.description else []
    used = [section for section in sections if section.blocks or section.facts]
    if sample.simulated:
        text.insert(0, "Simulated: no observed object is among these rows.")
    return Section(f"sample-{name}", sample.shown_title, text, sections=used)


def _where(sample: Sample, facts: Facts) -> list[tuple[str, str]]:
    """Return where the rows come from, and how they were asked for if they were."""
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


def _data(name: str, sample: Sample, facts: Facts, items: list[Item]) -> Section:
    """Return what the catalogue is, whether it is complete and what is wrong with it."""
    listed = [
        ("Sample", name),
        *_where(sample, facts),
        ("Reference", sample.reference),
        ("Rows", f"{facts.rows:,}"),
        ("Data digest", facts.digest),
        ("Magnitudes", str(facts.entries.get("magnitude_system", ""))),
        ("Galactic extinction", EXTINCTION.get(facts.entries.get("extinction_applied"), "")),
        ("SHA-256 of the source", str(facts.entries.get("source_sha256", ""))),
    ]
    notes = [f"N = {facts.rows:,}; data digest {facts.digest}"]
    blocks = []
    for item in items:
        frame = tables.read_table(item.path, (), empty=True)
        text = item.caption if len(frame) else "None was found."
        folded = len(frame) > LONG
        blocks.append(tables.plain_table(frame, item.title, text, notes, folded))
    return Section(
        f"{name}-data", "The data", facts=[pair for pair in listed if pair[1]], blocks=blocks
    )


def _parts(name: str, sample: Sample, items: list[Item], notes: list[str]) -> Section:
    """Return one table per split, the seeds below each other."""
    blocks = []
    for split, settings in sorted(sample.splits.items()):
        mine = [item for item in items if item.name == "parts" and item.split == split]
        frames = [tables.read_table(item.path, ("fold", "part", "rows")) for item in mine]
        seeds = [item.seed for item in mine]
        frame = pd.concat(frames, keys=seeds, names=["seed", None]).reset_index(level="seed")
        about = ", ".join(f"{key} {value}" for key, value in settings.model_dump().items())
        blocks.append(
            tables.plain_table(
                frame,
                f"{mine[0].title}: split {split}",
                mine[0].caption,
                [*notes, f"Split {split}: {about}"],
                folded=len(frame) > LONG,
            )
        )
    return Section(f"{name}-parts", "Training and test parts", blocks=blocks)
