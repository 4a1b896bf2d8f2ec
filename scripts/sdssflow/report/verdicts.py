"""The models of one sample, task and split: the best, the scores, the differences, the bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report import failures, pivots, residuals, tables
from sdssflow.report.contents import Item
from sdssflow.report.figures import PDFS
from sdssflow.report.glossary import BETTER, HEADLINES, METRICS, RANKED_BY, label
from sdssflow.report.model_cards import Evidence, model_card
from sdssflow.report.provenance import Known, check_digests
from sdssflow.report.residuals import Residuals
from sdssflow.report.sections import Best, Figure, Headline, Section, block
from sdssflow.report.tables import Column, Table

TASKS = {"classify": "Classification", "regress": "Photometric redshifts"}
DENSITIES_TITLE = "Redshift densities p(z)"
CONFUSION_COLUMNS = ("model", "truth", "predicted", "count")


@dataclass(frozen=True)
class Verdict:
    """Score tables of one task and split, the best model and the small print of every table."""

    scores: pd.DataFrame
    differences: pd.DataFrame
    metric: str
    best: str
    digests: dict[str, str]
    notes: list[str]


@dataclass(frozen=True)
class Judgement:
    """What is to be said of the models of a task and split.

    `learnt`: what the best has over a guess; `limits`: where it fails; `cards`: of the best models.
    """

    headline: Headline
    sections: list[Section]
    learnt: list[str]
    limits: list[str]
    cards: list[Section]


def judge(items: list[Item], sample: Sample, run: RunConfiguration, known: Known) -> Judgement:
    """Judge the models of one sample, task and split.

    Parameters
    ----------
    items : list of Item
        The items of this sample, task and split.
    sample, run : Sample, RunConfiguration
        The definition of the sample and of the run.
    known : Known
        Provenance of predictions and models, to check the scores against and to look at objects.

    Raises
    ------
    ReportError
        If a table can't be shown or the scores are of another test part than the predictions.
    """
    name, task, split = items[0].sample, items[0].stage, items[0].split
    anchor = f"{name}-{task}-{split}"
    names = {shown.label for shown in PDFS}
    of_pdfs = [item for item in items if task == "regress" and item.name in names]
    of_points = [item for item in items if item not in of_pdfs]
    verdict = _read(of_points, run, RANKED_BY[task])
    check_digests(known.model_runs, name, task, split, verdict.digests)
    headline = _headline(verdict, name, sample.shown_title, task, split, anchor)
    limits = _limits(of_points, verdict, task)
    looked_at = _objects(verdict, known, name, task, split)
    sections = [
        Section(
            anchor,
            f"{TASKS[task]}, split {split}",
            blocks=[shown for item in of_points for shown in _shown(item, verdict)],
        )
    ]
    cards = [_card(of_points, verdict, headline.best, task, limits, known, sample)]
    if of_pdfs:
        densities = _read(of_pdfs, run, RANKED_BY["pdf"], "pdf_")
        check_digests(known.model_runs, name, task, split, densities.digests)
        blocks = [shown for item in of_pdfs for shown in _shown(item, densities)]
        sections.append(
            Section(f"{anchor}-pdf", f"{DENSITIES_TITLE}, split {split}", blocks=blocks)
        )
        headline = replace(headline, densities=_best(densities, "pdf"))
        if densities.best != verdict.best:
            cards.append(_card(of_pdfs, densities, headline.densities, "pdf", [], known, sample))
    if limits or looked_at:
        sections.append(
            Section(f"{anchor}-limits", f"Where it fails, split {split}", limits, blocks=looked_at)
        )
    return Judgement(headline, sections, _learnt(verdict, run, task), limits, cards)


def _shown(item: Item, verdict: Verdict) -> Iterator[Table | Figure]:
    for shown in _blocks(item, verdict):
        yield replace(shown, source=item.path) if isinstance(shown, Table) else shown


def _learnt(verdict: Verdict, run: RunConfiguration, task: str) -> list[str]:
    """Say what the best model has over the one that looks at no feature, if there is one."""
    known = run.classifiers if task == "classify" else run.regressors
    for baseline, settings in known.items():
        if settings.kind in ("dummy", "mean"):
            sentence = failures.gain(verdict.scores, verdict.best, baseline, verdict.metric)
            return [sentence] if sentence else []
    return []


def _limits(items: list[Item], verdict: Verdict, task: str) -> list[str]:
    """Say where the best model fails."""
    by_name = {item.name: item.path for item in items}
    by_bin = tables.read_table(by_name["scores_by_bin"], pivots.BIN_COLUMNS)
    metric = "accuracy" if task == "classify" else verdict.metric
    worst = failures.worst_bins(verdict.scores, by_bin, verdict.best, metric)
    if task == "regress":
        return [*failures.outliers(verdict.scores, verdict.best), *worst]
    confusion = tables.read_table(by_name["confusion_table"], CONFUSION_COLUMNS)
    return [
        *failures.weakest_class(verdict.scores, verdict.best),
        *failures.commonest_mistake(confusion, verdict.best),
        *worst,
    ]


def _objects(
    verdict: Verdict, known: Known, name: str, task: str, split: str
) -> list[Table | Residuals]:
    """Return the test objects to point at, and the worst of them; nothing without predictions."""
    paths = {
        found.model: found.path
        for found in known.model_runs
        if (found.sample, found.task, found.split) == (name, task, split)
    }
    if verdict.best not in paths:
        return []
    best = residuals.read_predictions(paths[verdict.best], task)
    if task == "classify":
        return [residuals.worst_classes(best, verdict.best, known.objids)]
    frames = {
        model: best
        if model == verdict.best
        else residuals.read_predictions(path, task)[["row_id", "zphot"]]
        for model, path in paths.items()
    }
    return [
        residuals.residuals(frames, verdict.best, known.objids, "Test objects, one by one"),
        residuals.worst_redshifts(best, verdict.best, known.objids),
    ]


def _card(
    items: list[Item],
    verdict: Verdict,
    best: Best,
    metrics: str,
    limits: list[str],
    known: Known,
    sample: Sample,
) -> Section:
    """Return the card of the best model."""
    prefix = "pdf_" if metrics == "pdf" else ""
    (binned,) = (item.path for item in items if item.name == f"{prefix}scores_by_bin")
    chosen = f"Best of all by {best.ranked_by} on the test part itself"
    if metrics == "pdf":
        chosen = f"Best of those that give a density p(z), by {best.ranked_by} on the test part"
    if best.not_told_apart:
        chosen += f"; not told apart from {', '.join(best.not_told_apart)}"
    evidence = Evidence(
        items[0].stage,
        items[0].split,
        metrics,
        verdict.scores,
        tables.read_table(binned, pivots.BIN_COLUMNS),
        f"{chosen}.",
        limits,
        verdict.notes,
    )
    return model_card(verdict.best, items[0].sample, sample, evidence, known)


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
    averaged = f"Mean over seeds {', '.join(digests)}" if len(digests) > 1 else "Value"
    notes = [
        f"N = {' or '.join(f'{count:,}' for count in counts)}; test digest of {quoted}",
        f"{averaged} [{100 * run.bootstrap.level:g} % interval: "
        f"{run.bootstrap.replicates} bootstrap replicates over groups, "
        f"seed {run.bootstrap.seed}]",
    ]
    return Verdict(scores, differences, metric, best, digests, notes)


def _headline(
    verdict: Verdict, sample: str, title: str, task: str, split: str, anchor: str
) -> Headline:
    rows = pivots.overall(verdict.scores)
    return Headline(
        sample=sample,
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
