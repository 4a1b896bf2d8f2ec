"""The models of one sample, task and split: the best, the scores, the differences, the bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report import pivots, tables
from sdssflow.report.captions import PDFS
from sdssflow.report.contents import Item
from sdssflow.report.figures import Figure
from sdssflow.report.glossary import BETTER, HEADLINES, METRICS, RANKED_BY, label
from sdssflow.report.provenance import ModelRun, check_digests
from sdssflow.report.sections import Best, Headline, Section, block
from sdssflow.report.tables import Column, Table

TASKS = {"classify": "Classification", "regress": "Photometric redshifts"}
DENSITIES_TITLE = "Redshift densities p(z)"


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
) -> tuple[Headline, list[Section]]:
    """Return the headline and the sections of one sample, task and split.

    There is a second section where models give a p(z).

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
    anchor = f"{name}-{task}-{split}"
    of_pdfs = [item for item in items if task == "regress" and item.name in PDFS]
    verdict = _read([item for item in items if item not in of_pdfs], run, RANKED_BY[task])
    check_digests(model_runs, name, task, split, verdict.digests)
    blocks = [shown for item in items if item not in of_pdfs for shown in _blocks(item, verdict)]
    headline = _headline(verdict, sample.shown_title, task, split, anchor)
    sections = [Section(anchor, f"{TASKS[task]}, split {split}", blocks=blocks)]
    if of_pdfs:
        densities = _read(of_pdfs, run, RANKED_BY["pdf"], "pdf_")
        check_digests(model_runs, name, task, split, densities.digests)
        blocks = [shown for item in of_pdfs for shown in _blocks(item, densities)]
        sections.append(
            Section(f"{anchor}-pdf", f"{DENSITIES_TITLE}, split {split}", blocks=blocks)
        )
        headline = replace(headline, densities=_best(densities, "pdf"))
    return headline, sections


def _read(items: list[Item], run: RunConfiguration, metric: str, prefix: str = "") -> Verdict:
    paths = {item.name.removeprefix(prefix): item.path for item in items}
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
    return Headline(
        title=title,
        task=TASKS[task],
        split=split,
        anchor=anchor,
        best=_best(verdict, task),
        n=int(rows[rows["model"] == verdict.best]["n"].max()),
        digests=", ".join(dict.fromkeys(verdict.digests.values())),
        seeds=", ".join(verdict.digests),
    )


def _best(verdict: Verdict, headlines: str) -> Best:
    rows = pivots.overall(verdict.scores)
    rows = rows[rows["model"] == verdict.best]
    found = {row["metric"]: row for _, row in rows.iterrows()}
    scores = [
        (
            Column(
                label(name), str(found[name]["convention"]), BETTER.get(METRICS[name].better, "")
            ),
            pivots.score_cell(found[name]),
        )
        for name in HEADLINES[headlines]
        if name in found
    ]
    apart = pivots.not_told_apart(verdict.differences, verdict.best, verdict.metric)
    return Best(verdict.best, label(verdict.metric), apart, scores)


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
        case "pdf_scores":
            yield from _density_tables(item, verdict)
        case "differences" | "pdf_differences":
            if len(verdict.differences):
                yield pivots.difference_table(
                    verdict.differences, verdict.best, item.title, item.caption, notes
                )
        case "redshift_stacks_summary":
            frame = tables.read_table(item.path, pivots.STACK_COLUMNS)
            yield pivots.stack_table(frame, item.title, item.caption, notes)
        case "covariate_shift":
            frame = tables.read_table(item.path, (), empty=True)
            if len(frame):
                yield tables.plain_table(frame, item.title, item.caption, notes, folded=True)
        case "search":
            frame = tables.read_table(item.path, ("round", "crps", "kept"))
            title = f"{item.title}: {Path(item.path).parts[-3]}, seed {item.seed}"
            yield tables.plain_table(frame, title, item.caption, [], folded=True)
        case "scores_by_bin" | "pdf_scores_by_bin":
            frame = tables.read_table(item.path, pivots.BIN_COLUMNS)
            yield from pivots.bin_tables(frame, item.title, item.caption, notes)
        case _:
            subject = f"sample {item.sample}, split {item.split}"
            yield block(item, subject, notes, folded=True)


def _density_tables(item: Item, verdict: Verdict) -> Iterator[Table]:
    """Yield the scores of p(z) themselves, then, folded, those of their point summaries."""
    of_points = verdict.scores["convention"].str.startswith("of the ")
    densities, points = verdict.scores[~of_points], verdict.scores[of_points]
    yield pivots.score_table(densities, item.title, item.caption, verdict.notes, verdict.metric)
    if len(points):
        title = "Scores of the mean, median and mode of p(z)"
        text = "Each p(z) as one number: which of the three, is the convention."
        table = pivots.score_table(points, title, text, verdict.notes, RANKED_BY["regress"])
        yield replace(table, folded=True)
