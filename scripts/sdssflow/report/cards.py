"""Data sheets and model cards, as sections and as Markdown with YAML front matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import yaml

from sdssflow.configuration.file_sources import EmbeddedSource, FileSource, UrlSource
from sdssflow.configuration.sample import Sample
from sdssflow.report.glossary import SUBGROUP_METRICS, better, label, order
from sdssflow.report.provenance import Facts, ModelRun, Provenance, versions
from sdssflow.report.scores import ModelScores, bin_tables, class_table, overall, score_cell
from sdssflow.report.sections import Cell, Section, Table, text_cell, word_columns

SPECIAL = "\\`*_[]<>#|"  # in Markdown
LICENCES = {
    "mgs": "University of Illinois/NCSA (data/embedded/LICENSE-MLZ.txt)",
    "mclass": "BSD 3-clause (data/embedded/LICENSE-mclearn.txt)",
}
SIMULATED = (
    "Made by this program; templates under the licences in data/embedded. No observed objects."
)
OF_THE_ARCHIVE = (
    "That of the archive. SDSS data are in the public domain; please acknowledge the SDSS: "
    "https://www.sdss.org/collaboration/citing-sdss/"
)
USES = {
    "classify": "Probabilities of the classes star, galaxy and quasar from photometry",
    "regress": "Photometric redshifts from magnitudes and colours",
}
ALWAYS = (
    "Objects selected differently from the sample: fainter ones, other classes, magnitudes of "
    "other surveys. Single objects where a mistake is costly: take a spectrum."
)


def licence(sample: Sample) -> str:
    """Return the licence of the rows, as far as this program knows it."""
    if sample.simulated:
        return SIMULATED
    if isinstance(sample.source, EmbeddedSource):
        return LICENCES[sample.source.table]
    if isinstance(sample.source, FileSource):
        return "Unknown to this program: a file of the user."
    if isinstance(sample.source, UrlSource):
        return "That of the publisher, at the address of the file."
    return OF_THE_ARCHIVE


def origin(sample: Sample, facts: Facts) -> list[tuple[str, str]]:
    """Return the source of the rows, with the query if there was one."""
    source = sample.source
    if isinstance(source, EmbeddedSource):
        return [("Source", f"embedded: table {source.table}")]
    if isinstance(source, FileSource):
        return [("Source", f"file: {source.path}")]
    if isinstance(source, UrlSource):
        return [("Source", f"url: {source.url}")]
    limit = facts.entries.get("limit")
    return [
        ("Source", f"{source.kind}: {facts.entries.get('archive')}"),
        ("Data release", str(facts.entries.get("release"))),
        ("Query", str(facts.entries.get("query"))),
        ("Limit", f"the first {limit:,} rows in the order of specobjid" if limit else ""),
    ]


def facts_of(name: str, sample: Sample, source: Facts, clean: Facts) -> list[tuple[str, str]]:
    """Return the facts about a catalogue, as pairs of name and value."""
    its, applied = sample.features, source.entries.get("extinction_applied")
    stated = extinction(sample.source, applied)
    if not applied and its.deredden and any("extinction_" in c for c in source.columns):
        stated += "; subtracted in the features"
    listed = [
        ("Sample", name),
        *origin(sample, source),
        ("Reference", sample.reference),
        ("Licence", licence(sample)),
        ("Rows", f"{source.rows:,} in the source, {clean.rows:,} after cuts"),
        ("Data digest", source.digest),
        ("Data digest after cuts", clean.digest),
        ("Magnitudes", str(source.entries.get("magnitude_system", ""))),
        ("Reference magnitude", f"{its.magnitudes} {its.reference_band}; scores are binned by it"),
        ("Galactic extinction", stated),
        ("SHA-256 of the source", str(source.entries.get("source_sha256", ""))),
    ]
    return [pair for pair in listed if pair[1]]


def extinction(source: Any, applied: bool | None) -> str:
    """Return the state of the magnitudes of a source, and where their extinction comes from."""
    if getattr(source, "extinction_from", None) is not None:
        return "not subtracted in the source; from the map of Schlegel, Finkbeiner & Davis 1998"
    where = "subtracted in the source"
    return {None: "", True: f"already {where}", False: f"not {where}"}[applied]


def data_sheet(
    name: str,
    sample: Sample,
    facts: tuple[Facts, Facts],
    flow: pd.DataFrame,
    defects: pd.DataFrame,
    sections: list[Section],
) -> Section:
    """Return the data sheet of a sample.

    `facts` are those of the catalogue before and after cuts, `flow` and `defects` its CSV tables;
    the sheet includes the tables of `sections`.
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
    """Return the rows of a frame as dicts without missing values."""
    return [
        {key: value for key, value in row.items() if not pd.isna(value)}
        for row in frame.astype(object).to_dict(orient="records")
    ]


def model_card(
    scores: ModelScores, sample: Sample, limits: list[str], provenance: Provenance
) -> Section:
    """Return the card of the best model of a task and split; `limits` say where it fails."""
    model, name, task, split = scores.best, *scores.place
    mine = [
        card
        for card in provenance.trainings
        if (card["sample"], card["split"], card["model"]) == (name, split, model)
    ]
    runs = [run for run in provenance.model_runs if (run.place, run.model) == (scores.place, model)]
    chosen = f"Best of all by {scores.ranked_by}, on the test part itself"
    if scores.kind == "pdf":
        chosen = f"Best of those that give p(z) by {scores.ranked_by}, on the test part itself"
    if scores.ties:
        chosen += f"; not significantly better than {', '.join(scores.ties)}"
    facts = [
        ("Model", f"{model} ({mine[0]['kind']})" if mine else model),
        ("Intended use", f"{USES[task]}, for objects selected like those of the sample {name}."),
        ("Not for", ALWAYS),
        ("Why this one", f"{chosen}."),
        *_training_facts(mine, split),
        *_run_facts(runs),
    ]
    if sample.simulated:
        facts.append(("Caution", "Trained on simulated objects: not for observed ones."))
    mean = _of_model(scores.scores, model)
    bins = _of_model(scores.by_bin, model)
    bins = bins[bins["metric"].isin(SUBGROUP_METRICS[scores.kind])]
    blocks = [_metrics(mean, model, scores.notes)]
    classes = class_table(mean, f"{model}: single classes", "Each class against the rest.", [])
    blocks += [replace(classes, folded=False)] if classes else []
    blocks += bin_tables(bins, f"{model} in subgroups", "N: objects in the bin.", [])
    anchor = f"{name}-{task}-{split}-card-{model}"
    return Section(
        anchor,
        f"Model card: {model}, {USES[task][0].lower()}{USES[task][1:]}",
        text=[f"Where it fails: {' '.join(limits)}"] if limits else [],
        facts=facts,
        blocks=blocks,
        record=_record(scores, sample, mine, runs),
        exported=f"{task}_{split}_{model}.md",
    )


def _training_facts(cards: list[dict[str, Any]], split: str) -> list[tuple[str, str]]:
    if not cards:
        return []
    learnt = [
        f"seed {row['seed']}, fold {row['fold']}, {row['part']}: {row['objects']:,} objects, "
        f"digest {row['digest']}"
        for row in _learnt_from(cards)
    ]
    settings = (
        f"{key} = {'as in the configuration' if isinstance(value, dict) else value}"
        for key, value in cards[0]["settings"].items()
        if key != "kind"
    )
    calibrated = [
        f"seed {row['seed']}, fold {row['fold']}: {row['method']}{_loss(row)}"
        for row in _calibrations(cards)
    ]
    if calibrated:
        shown = "; ".join(calibrated)
        settled = [("Calibration", f"By cross-validated log-loss (± 1 standard error): {shown}.")]
    else:
        settled = []
    return [
        *settled,
        ("Training data", f"Split {split}. {'; '.join(learnt)}."),
        ("Features", ", ".join(cards[0]["features"])),
        ("Settings", ", ".join(settings) or "none"),
    ]


def _learnt_from(cards: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each part used in training, by seed and fold."""
    for card in cards:
        for fold, entry in card["training"].items():
            for part, objects in entry["objects"].items():
                if objects:
                    row = {"seed": card["seed"], "fold": int(fold), "part": part}
                    yield row | {"objects": objects, "digest": entry["digests"][part]}


def _calibrations(cards: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the calibration of a classifier and the methods tried, by seed and fold."""
    for card in cards:
        for fold, entry in card["training"].items():
            if "calibration" in entry:
                row = {"seed": card["seed"], "fold": int(fold), "method": entry["calibration"]}
                yield row | {"tried": entry.get("calibrations_tried", {})}


def _loss(row: dict[str, Any]) -> str:
    """Return the score of the chosen calibration and the number of methods tried."""
    if row["method"] not in row["tried"]:
        return ""
    its = row["tried"][row["method"]]
    others = len(row["tried"]) - 1
    more = f", of {others + 1} tried" if others else ""
    return f" ({its['log_loss']:.4f} ± {its['standard_error']:.4f}{more})"


def _run_facts(runs: list[ModelRun]) -> list[tuple[str, str]]:
    cards = [card for run in runs for card in run.cards.values()]
    if not cards:
        return []
    tested = (f"seed {seed}: {digest}" for run in runs for seed, digest in run.digests.items())
    devices = dict.fromkeys(f"{card.get('device')}, {card.get('dtype')}" for card in cards)
    packages = (f"{package} {' or '.join(found)}" for package, found in versions(runs).items())
    return [
        ("Test data", f"Test digest of {'; '.join(tested)}"),
        ("Device and precision", "; ".join(devices)),
        ("Versions", ", ".join(packages)),
    ]


def _of_model(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    return frame[(frame["model"] == model) & (frame["seed"] == "all")]


def _metrics(scores: pd.DataFrame, model: str, notes: list[str]) -> Table:
    """Return the scores of one model, one row per metric and convention."""
    rows = overall(scores)
    places = {name: place for place, name in enumerate(order(dict.fromkeys(rows["metric"])))}
    rows = rows.sort_values("metric", key=lambda column: column.map(places), kind="stable")
    body = [
        [
            text_cell(label(row["metric"])),
            score_cell(row),
            text_cell(row["convention"]),
            text_cell(better(row["metric"])),
        ]
        for _, row in rows.iterrows()
    ]
    columns = word_columns("score", "value", "convention", "better", numeric=["value"])
    return Table(f"{model}: scores on the test part", "With intervals.", columns, body, notes)


def _record(
    of: ModelScores, sample: Sample, cards: list[dict[str, Any]], runs: list[ModelRun]
) -> dict[str, Any]:
    """Return the machine-readable content of the card: plain values in a fixed order."""
    scores, bins = _of_model(of.scores, of.best), _of_model(of.by_bin, of.best)
    run_cards = [card for run in runs for card in run.cards.values()]
    return {
        "model": of.best,
        "kind": cards[0]["kind"] if cards else None,
        "task": of.task,
        "sample": of.sample,
        "simulated": sample.simulated,
        "split": of.split,
        "seeds": [card["seed"] for card in cards],
        "features": list(cards[0]["features"]) if cards else [],
        "settings": cards[0]["settings"] if cards else {},
        "calibrations": list(_calibrations(cards)),
        "learnt_from": list(_learnt_from(cards)),
        "test_digests": {seed: digest for run in runs for seed, digest in run.digests.items()},
        "devices": sorted({str(card.get("device")) for card in run_cards}),
        "versions": {package: " or ".join(found) for package, found in versions(runs).items()},
        "metrics": _values(scores, ["metric", "convention", "subset"]),
        "metrics_by_bin": _values(
            bins, ["metric", "convention", "subset", "variable", "bin_low", "bin_high"]
        ),
    }


def _values(rows: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    found = []
    for _, row in rows.iterrows():
        entry = {key: _plain(row[key]) for key in [*keys, "value", "lower", "upper", "n"]}
        found.append({key: value for key, value in entry.items() if value is not None})
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) > 1 else float(f"{value:.6g}")


def markdown(section: Section) -> str:
    """Return a section as Markdown: its record as YAML front matter, then text and tables.

    Figures are left out.
    """
    # flow style None: one line per score
    head = yaml.safe_dump(
        section.record, sort_keys=False, allow_unicode=True, default_flow_style=None, width=200
    )
    return f"---\n{head}---\n\n" + "\n".join(_lines(section)).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Return text with Markdown characters escaped.

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
