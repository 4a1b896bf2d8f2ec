"""The page of a target: input, models, estimates and how reliable they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from sdssflow.classify.decisions import CLASS_SET_LEVEL
from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.targets import Target
from sdssflow.estimate.gathering import WORDS
from sdssflow.prepare.cuts import describe
from sdssflow.report.cards import extinction
from sdssflow.report.figures import Item
from sdssflow.report.glossary import RANKED_BY, label
from sdssflow.report.scores import score_cell
from sdssflow.report.sections import (
    Figure,
    Section,
    Table,
    block,
    most_telling,
    number_cell,
    plain,
    plain_table,
    read_table,
    stated,
    text_cell,
    word_columns,
)

PARTITION_COLUMNS = ("partition", "path", "rows", "kept", "bytes_per_object",
                     "pdf_bytes_per_object", "refused", "repeated")  # fmt: skip
PRIOR_COLUMNS = ("class", "training", "assumed", "estimated", "lower", "upper", "most_probable",
                 "drawn", "objects", "empty_sets")  # fmt: skip
SCORE_COLUMNS = ("metric", "convention", "subset", "value", "lower", "upper", "n", "scored",
                 "objects")  # fmt: skip
MOST_LISTED = 200  # partitions with a fault
SIMULATED = "Simulated data: no observed objects."
DOES = {"classify": "classes", "regress": "redshifts"}
ESTIMATED = {"classify": WORDS["classified"], "regress": WORDS["with_zphot"]}  # rows of flow.csv
FORMS = {
    "none": "summaries only",
    "quantiles_5": "5 quantiles",
    "mixture": "parameters of its mixture of Gaussians",
    "quantiles_99": "99 quantiles, in qp files next to the estimates",
}
KEPT = "kept"  # row of flow.csv between cuts and flags
FLAGS = (
    "Numbers of objects by flag, class and bin; shares are of the objects kept. An object without "
    "a required band has an estimate only if the model accepts missing values. An object outside "
    "the training part is farther from the training objects, in colours, than these from each "
    "other: the model extrapolates, and p(z) need not show it. Tomographic bins are in zphot."
)


@dataclass(frozen=True)
class TargetPage:
    """The page of one target; the index also shows `in_short` and `picture`."""

    name: str
    title: str
    text: list[str]
    in_short: list[str]
    picture: Figure | None
    sections: list[Section]


def target_page(
    name: str, items: Sequence[Item], its: Estimated, manifests: Sequence[Mapping[str, Any]]
) -> TargetPage:
    """Read the files in `items` that belong to a target.

    `manifests` are those of the applied bundles, from `configuration.targets.read_manifest`.

    ReportError if a file is missing, empty or not the expected table.
    """
    found = {item.name: item for item in items if item.stage == "estimate" and item.sample == name}
    target = its.target
    listed = read_table(found["partitions"].path, PARTITION_COLUMNS)
    flow = read_table(found["flow_table"].path, ("what", "objects", "share"))
    went_in, flagged = _flow_tables(flow, found["flow_table"])
    faults = listed.assign(why=listed["refused"] + listed["repeated"])
    faults = faults[faults["why"] != ""]
    figures = [
        block(item, f"target {name}", []) for item in found.values() if item.kind == "figure"
    ]
    further = [
        Section(f"{name}-{anchor}", found[key].title, blocks=[table_of(found[key])])
        for key, anchor, table_of in (
            ("shift", "shift", _shift_table),
            ("class_priors", "mix", _priors_table),
            ("truth_scores", "truth", _truth_table),
        )
        if key in found
    ]
    sections = [
        Section(f"{name}-data", "Input",
                facts=_facts(name, its, listed, manifests), blocks=[went_in]),
        Section(f"{name}-models", "Models applied", blocks=[_models_table(manifests)]),
        Section(f"{name}-flags", "Flags", blocks=[flagged]),
        Section(f"{name}-figures", "Estimates", blocks=figures),
        *further,
    ]  # fmt: skip
    if len(faults):
        sections.insert(1, _faults_section(name, faults, found["partitions"]))
    text = [SIMULATED] if target.simulated else []
    return TargetPage(
        name,
        target.shown_title,
        [*text, *([target.description] if target.description else [])],
        [*_in_short(listed, flow, manifests), *_trust(found)],
        most_telling([*found.values()], f"target {name}"),
        sections,
    )


def _in_short(
    listed: pd.DataFrame, flow: pd.DataFrame, manifests: Sequence[Mapping[str, Any]]
) -> list[str]:
    made = dict(zip(flow["what"], flow["objects"], strict=True))
    given = ", ".join(
        f"{int(made.get(ESTIMATED[its['task']], 0)):,} have {DOES[its['task']]} by {its['name']}"
        for its in manifests
    )
    found = [f"Of {int(listed['rows'].sum()):,} objects, {given}."]
    aside, repeating = ((listed[name] != "").sum() for name in ("refused", "repeated"))
    of = f"of {len(listed):,} partitions"
    if aside:
        found.append(f"{aside:,} {of} were set aside and are not included.")
    if repeating:
        found.append(f"{repeating:,} {of} repeat objects of earlier ones, which count twice.")
    return found


def _trust(found: Mapping[str, Item]) -> list[str]:
    """Say how far the estimates can be trusted: shift, mix of classes, truth of a simulation."""
    said = []
    if "shift" in found:
        auc = read_table(found["shift"].path, ("bundle", "auc"))["auc"].mean()
        if not pd.isna(auc):
            said.append(
                "A classifier separates their colours from those of the training part with AUC = "
                f"{auc:.2f} (0.5: alike; 1: no overlap)."
            )
    if "class_priors" in found:
        frame = read_table(found["class_priors"].path, PRIOR_COLUMNS)
        said += [f"{words}." for words in _unlike_the_training_part(frame)]
    if "truth_scores" in found:
        truth = read_table(found["truth_scores"].path, SCORE_COLUMNS)
        shown = truth[truth["metric"].isin([RANKED_BY["regress"], "accuracy"])]
        scores = (
            f"{label(row['metric'])} = {stated(row['value'], row['lower'], row['upper'])} for "
            f"{_of(row['subset'])}"
            for _, row in shown.iterrows()
        )
        said.append(f"Against the truth of the simulation: {', '.join(scores)}.")
    return said


def _facts(
    name: str, its: Estimated, listed: pd.DataFrame, manifests: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return the facts about source and estimates, as pairs of name and value."""
    target, source = its.target, its.target.source
    known = [one.get("tomographic_edges", []) for one in manifests]
    edges = target.tomographic_edges or max(known, key=len, default=[])
    place = next(
        (getattr(source, key) for key in ("path", "folder", "url") if hasattr(source, key)), ""
    )
    cuts = "; ".join(describe(cut) for cut in target.cuts)
    facts = [
        ("Target", name),
        ("Source", f"{source.kind}: {place}" if place else source.kind),
        ("Reference", target.reference),
        ("Galactic extinction", extinction(source, getattr(source, "extinction_applied", None))),
        ("Partitions", f"{len(listed):,}"),
        ("Cuts", cuts or "none"),
        ("Class probabilities for", _mix(target) if "classify" in its.tasks else ""),
        ("Tomographic bins", f"edges in zphot: {', '.join(map(plain, edges))}" if edges else ""),
        ("p(z) kept as", FORMS[target.pdf] if (listed["pdf_bytes_per_object"] > 0).any()
                         or target.pdf == "quantiles_99" else ""),
        ("Bytes per object", _bytes(listed)),
    ]  # fmt: skip
    return [pair for pair in facts if pair[1]]


def _mix(target: Target) -> str:
    """Return the mix of classes for which the probabilities are given."""
    if target.class_priors is None:
        return "the mix of classes of the training part"
    stated = target.class_priors.model_dump().items()
    return f"an assumed mix of classes: {', '.join(f'{name} {part:g}' for name, part in stated)}"


def _bytes(listed: pd.DataFrame) -> str:
    """Return the mean size on disk of the estimates of one object."""
    kept = listed["kept"].sum()
    if not kept:
        return ""
    every, pdf = (
        float((listed[name] * listed["kept"]).sum() / kept)
        for name in ("bytes_per_object", "pdf_bytes_per_object")
    )
    return f"{every:.1f}" + (f", {pdf:.1f} of them p(z)" if pdf else "")


def _flow_tables(flow: pd.DataFrame, item: Item) -> tuple[Table, Table]:
    """Return the table of cuts, and that of the flags of the objects kept."""
    is_kept = flow["what"] == KEPT
    end = int(is_kept.to_numpy().argmax()) + 1 if is_kept.any() else len(flow)
    return (
        _from(item, plain_table(flow.iloc[:end], item.title, item.caption, [])),
        _from(item, plain_table(flow.iloc[end:], "Flags, classes and bins", FLAGS, [])),
    )


def _faults_section(name: str, faults: pd.DataFrame, item: Item) -> Section:
    rows = [
        [text_cell(row["partition"]), text_cell(row["path"]), text_cell(row["why"])]
        for _, row in faults.head(MOST_LISTED).iterrows()
    ]
    more = len(faults) - len(rows)
    notes = [f"And {more:,} more in the CSV file"] if more else []
    columns = word_columns("partition", "file", "why")
    table = _from(item, Table(item.title, item.caption, columns, rows, notes))
    return Section(f"{name}-faults", item.title, blocks=[table])


def _models_table(manifests: Sequence[Mapping[str, Any]]) -> Table:
    heads = ("bundle", "estimates", "kind", "trained on", "objects", "refit", "licence")
    rows = []
    for its in manifests:
        trained = f"{its['sample']}, split {its['split']}, seed {its['seed']}"
        simulated = " (simulated)" if its["simulated"] else ""
        refit = "on the test part too" if its["refit"] else "no"
        words = [its["name"], DOES[its["task"]], f"{its['model']}: {its['kind']}"]
        cells = [*map(text_cell, words), text_cell(trained + simulated)]
        rows.append(
            [*cells, number_cell(its["objects"]), text_cell(refit), text_cell(its["licence"])]
        )
    return Table(
        "Models applied",
        "With the sample, split and seed of their training, and the number of training objects, "
        "summed over folds. Their scores on test objects are in the report of the run that "
        "trained them.",
        word_columns(*heads, numeric=("objects",)),
        rows,
    )


def _shift_table(item: Item) -> Table:
    frame = read_table(item.path, ("bundle", "auc"))
    return _from(item, plain_table(frame, item.title, item.caption, []))


def _truth_table(item: Item) -> Table:
    frame = read_table(item.path, SCORE_COLUMNS)
    rows = []
    for _, row in frame.iterrows():
        words = [label(row["metric"]), row["convention"], _of(row["subset"])]
        rows.append([*map(text_cell, words), score_cell(row), number_cell(row["n"])])
    scored, objects = int(frame["scored"].iloc[0]), int(frame["objects"].iloc[0])
    notes = [] if scored == objects else [
        f"{plain(scored)} of {plain(objects)} objects were scored, those of the first partitions"
    ]  # fmt: skip
    heads = word_columns("score", "convention", "of", "value", "N", numeric=("value", "N"))
    return _from(item, Table(item.title, item.caption, heads, rows, notes))


def _priors_table(item: Item) -> Table:
    frame = read_table(item.path, PRIOR_COLUMNS)
    rows = []
    for _, row in frame.iterrows():
        numbers = [number_cell(row[of]) for of in ("training", "assumed", "most_probable")]
        rows.append([text_cell(row["class"]), *numbers, score_cell(row, value="estimated")])
    drawn, objects = int(frame["drawn"].iloc[0]), int(frame["objects"].iloc[0])
    numeric = ("in the training part", "assumed", "by most probable class", "estimated")
    heads = word_columns("class", *numeric, numeric=numeric)
    notes = [f"From {plain(drawn)} of the {plain(objects)} objects with class probabilities"]
    notes += _unlike_the_training_part(frame)
    return _from(item, Table(item.title, item.caption, heads, rows, notes))


def _unlike_the_training_part(frame: pd.DataFrame) -> list[str]:
    """Warn if more class sets are empty than another mix of the same classes can explain."""
    drawn, empty = int(frame["drawn"].iloc[0]), float(frame["empty_sets"].iloc[0])
    most = 1 - CLASS_SET_LEVEL
    if empty - 3 * math.sqrt(most * CLASS_SET_LEVEL / max(drawn, 1)) <= most:
        return []
    return [
        f"Classes and their mix are not reliable: {100 * empty:.1f} % of the objects drawn have an "
        f"empty class set, and a change of the mix alone can't give more than {100 * most:.0f} %. "
        "Objects of a class look different here than in the training part"
    ]


def _of(subset: str) -> str:
    words = {"all": "all classes", "GALAXY": "galaxies", "QSO": "quasars", "STAR": "stars"}
    found = words.get(subset, subset)
    return found if subset in ("all", found) else f"true {found}"


def _from(item: Item, table: Table) -> Table:
    return replace(table, source=item.path)
