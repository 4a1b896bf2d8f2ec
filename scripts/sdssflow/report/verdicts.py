"""The models of one sample, task and split: the best, the scores, the differences, the bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report import pivots, tables
from sdssflow.report.contents import Item
from sdssflow.report.figures import Figure
from sdssflow.report.glossary import BETTER, HEADLINES, METRICS, RANKED_BY, label
from sdssflow.report.provenance import ModelRun, check_digests
from sdssflow.report.sections import Headline, Section, block
from sdssflow.report.tables import Cell, Column, Table

TASKS = {"classify": "Classification", "regress": "Photometric redshifts"}


@dataclass(frozen=True)
class Verdict:
    """Score tables of one task and split, the best model and the small print of every table."""

    scores: pd.DataFrame
    differences: pd.DataFrame
    metric: str
    best: str
    digests: dict[str, str]
    notes: list[str]


def judge(
    items: list[Item], sample: Sample, run: RunConfiguration, model_runs: list[ModelRun]
) -> tuple[Headline, Section]:
    """Return the headline and the section of one sample, task and split.

    Parameters
    ----------
    items : list of Item
        The items of this sample, task and split.
    sample, run : Sample, RunConfiguration
        The definition of the sample and of the run.
    model_runs : list of ModelRun
        Provenance of predictions, to check the scores against; may be empty.

    Raises
    ------
    ReportError
        If a table can't be shown or the scores are of another test part than the predictions.
    """
    name, task, split = items[0].sample, items[0].room, items[0].split
    verdict = _read(items, run)
    check_digests(model_runs, name, task, split, verdict.digests)
    anchor = f"{name}-{task}-{split}"
    blocks = [shown for item in items for shown in _blocks(item, verdict)]
    return (
        _headline(verdict, sample.shown_title, task, split, anchor),
        Section(anchor, f"{TASKS[task]}, split {split}", blocks=blocks),
    )


def _read(items: list[Item], run: RunConfiguration) -> Verdict:
    paths = {item.name: item.path for item in items}
    metric = RANKED_BY[items[0].room]
    scores = tables.read_table(paths["scores"], pivots.SCORE_COLUMNS)
    differences = tables.read_table(paths["differences"], pivots.DIFFERENCE_COLUMNS, empty=True)
    try:
        digests = pivots.seed_digests(scores)
        best = pivots.ranked(scores, metric)[0]
    except tables.ReportError as error:
        raise tables.ReportError(f"{paths['scores']}: {error}") from error
    counts = sorted(set(pivots.overall(scores)["n"].dropna().astype(int)))
    quoted = "; ".join(f"seed {seed}: {digest}" for seed, digest in digests.items())
    notes = [
        f"N = {' or '.join(f'{count:,}' for count in counts)}; test digest of {quoted}",
        f"Mean over seeds {', '.join(digests)} [{100 * run.bootstrap.level:g} % interval: "
        f"{run.bootstrap.replicates} bootstrap replicates over groups, "
        f"seed {run.bootstrap.seed}]",
    ]
    return Verdict(scores, differences, metric, best, digests, notes)


def _headline(verdict: Verdict, title: str, task: str, split: str, anchor: str) -> Headline:
    rows = pivots.overall(verdict.scores)
    rows = rows[rows["model"] == verdict.best]
    return Headline(
        title=title,
        task=TASKS[task],
        split=split,
        anchor=anchor,
        model=verdict.best,
        ranked_by=label(verdict.metric),
        not_told_apart=pivots.not_told_apart(verdict.differences, verdict.best, verdict.metric),
        scores=_headline_scores(rows, task),
        n=int(rows["n"].max()),
        digests=", ".join(dict.fromkeys(verdict.digests.values())),
        seeds=", ".join(verdict.digests),
    )


def _headline_scores(rows: pd.DataFrame, task: str) -> list[tuple[Column, Cell]]:
    found = {row["metric"]: row for _, row in rows.iterrows()}
    return [
        (
            Column(label(name), str(found[name]["convention"]), BETTER[METRICS[name].better]),
            pivots.score_cell(found[name]),
        )
        for name in HEADLINES[task]
        if name in found
    ]


def _blocks(item: Item, verdict: Verdict) -> Iterator[Table | Figure]:
    notes = verdict.notes
    match item.name:
        case "scores":
            yield pivots.score_table(
                verdict.scores, item.title, item.caption, notes, verdict.metric
            )
            text = "The same for each class against the rest."
            title = f"{item.title}: single classes"
            if classes := pivots.class_table(verdict.scores, title, text, notes):
                yield classes
        case "differences":
            if len(verdict.differences):
                yield pivots.difference_table(
                    verdict.differences, verdict.best, item.title, item.caption, notes
                )
        case "scores_by_bin":
            frame = tables.read_table(item.path, pivots.BIN_COLUMNS)
            yield from pivots.bin_tables(frame, item.title, item.caption, notes)
        case _:
            subject = f"sample {item.sample}, split {item.split}"
            yield block(item, subject, notes, folded=True)
