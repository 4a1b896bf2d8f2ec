"""What a page says of the models of one sample, task and split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report import failures
from sdssflow.report.cards import model_card
from sdssflow.report.contents import Item
from sdssflow.report.figures import PDFS
from sdssflow.report.glossary import RANKED_BY, TASKS
from sdssflow.report.provenance import Provenance, check_digests
from sdssflow.report.scores import (
    IMPORTANCE_COLUMNS,
    POINT_COLUMNS,
    SET_COLUMNS,
    STACK_COLUMNS,
    ModelScores,
    bin_tables,
    class_table,
    difference_table,
    importance_table,
    point_table,
    read_scores,
    score_table,
    set_tables,
    stack_table,
)
from sdssflow.report.sections import Figure, Residuals, Section, block
from sdssflow.report.tables import Table, plain_table, read_table

CONFUSION_COLUMNS = ("model", "truth", "predicted", "count")


@dataclass(frozen=True)
class TaskSummary:
    """The models of a task, in words, and split; `anchor` is the id of their section on the page.

    `densities` are the scores of the models that give a p(z), `cards` those of each best model,
    `gain` what the best has over a guess, `limits` where it fails.
    """

    task: str
    anchor: str
    scores: ModelScores
    densities: ModelScores | None
    sections: list[Section]
    cards: list[Section]
    gain: list[str]
    limits: list[str]


def summarise(
    items: list[Item], sample: Sample, run: RunConfiguration, provenance: Provenance
) -> TaskSummary:
    """Summarise the models that `items`, of one sample, task and split, are of.

    Raises
    ------
    ReportError
        If a table can't be shown or the scores are of another test part than the predictions.
    """
    task, split = items[0].stage, items[0].split
    anchor = f"{items[0].sample}-{task}-{split}"
    names = {shown.label for shown in PDFS} if task == "regress" else set()
    of_pdfs = [item for item in items if item.name in names]
    of_points = [item for item in items if item.name not in names]
    scores = read_scores(of_points, run, "classify" if task == "classify" else "regress")
    check_digests(scores, provenance.model_runs)
    limits = _limits(of_points, scores)
    parts = [(anchor, TASKS[task], of_points, scores)]
    cards = [model_card(scores, sample, limits, provenance)]
    densities = None
    if of_pdfs:
        densities = read_scores(of_pdfs, run, "pdf")
        check_digests(densities, provenance.model_runs)
        parts.append((f"{anchor}-pdf", TASKS["pdf"], of_pdfs, densities))
        if densities.best != scores.best:
            cards.append(model_card(densities, sample, [], provenance))
    sections = [
        Section(
            name,
            f"{title}, split {split}",
            blocks=[
                replace(part, source=item.path) if isinstance(part, Table) else part
                for item in shown
                for part in _blocks(item, of)
            ],
        )
        for name, title, shown, of in parts
    ]
    looked_at = _objects(scores, provenance)
    if limits or looked_at:
        sections.append(
            Section(f"{anchor}-limits", f"Where it fails, split {split}", limits, blocks=looked_at)
        )
    gain = _gain(scores, run)
    return TaskSummary(TASKS[task], anchor, scores, densities, sections, cards, gain, limits)


def _gain(scores: ModelScores, run: RunConfiguration) -> list[str]:
    """Say what the best model has over the one that looks at no feature, if there is one."""
    known = run.classifiers if scores.task == "classify" else run.regressors
    guess = next((name for name, model in known.items() if model.kind in ("dummy", "mean")), "")
    sentence = failures.gain(scores.scores, scores.best, guess, scores.metric)
    return [sentence] if sentence else []


def _limits(items: list[Item], scores: ModelScores) -> list[str]:
    """Say where the best model fails."""
    classes = scores.task == "classify"
    metric = "accuracy" if classes else scores.metric
    worst = failures.worst_bins(scores.scores, scores.by_bin, scores.best, metric)
    if not classes:
        return [*failures.outliers(scores.scores, scores.best), *worst]
    (path,) = (item.path for item in items if item.name == "confusion_table")
    confusion = read_table(path, CONFUSION_COLUMNS)
    return [
        *failures.weakest_class(scores.scores, scores.best),
        *failures.commonest_mistake(confusion, scores.best),
        *worst,
    ]


def _objects(scores: ModelScores, provenance: Provenance) -> list[Table | Residuals]:
    """Return the test objects to point at, and the worst of them; nothing without predictions."""
    paths = {run.model: run.path for run in provenance.model_runs if run.place == scores.place}
    if scores.best not in paths:
        return []
    objids = provenance.objids
    best = failures.read_predictions(paths[scores.best], scores.task)
    if scores.task == "classify":
        return [failures.worst_classes(best, scores.best, objids)]
    frames = {
        model: best
        if model == scores.best
        else failures.read_predictions(path, scores.task)[["row_id", "zphot"]]
        for model, path in paths.items()
    }
    return [
        failures.residuals(frames, scores.best, objids, "Test objects, one by one"),
        failures.worst_redshifts(best, scores.best, objids),
    ]


def _blocks(item: Item, scores: ModelScores) -> Iterator[Table | Figure]:
    title, text, notes = item.title, item.caption, scores.notes
    match item.name:
        case "scores":
            yield score_table(scores.scores, title, text, notes, scores.metric)
            about = f"{title}: single classes", "The same for each class against the rest."
            if classes := class_table(scores.scores, *about, notes):
                yield classes
        case "pdf_scores":
            of_points = scores.scores["convention"].str.startswith("of the ")
            yield score_table(scores.scores[~of_points], title, text, notes, scores.metric)
            if of_points.any():
                title = "Scores of the mean, median and best point of p(z)"
                text = (
                    "Each p(z) as one number: which of the three, is the convention. The file has "
                    "those of the mode as well; a page has no room for four."
                )
                of_points &= scores.scores["convention"] != "of the mode"
                points = scores.scores[of_points]
                table = score_table(points, title, text, notes, RANKED_BY["regress"])
                yield replace(table, folded=True)
        case "class_sets_table":
            frame = read_table(item.path, SET_COLUMNS, empty=True)
            if len(frame):
                yield from set_tables(frame, title, text, notes)
        case "operating_points":
            frame = read_table(item.path, POINT_COLUMNS, empty=True)
            if len(frame):
                yield point_table(frame[frame["model"] == scores.best], title, text, notes)
        case "differences" | "pdf_differences":
            if len(scores.differences):
                yield difference_table(scores.differences, scores.best, title, text, notes)
        case "redshift_stacks_summary":
            yield stack_table(read_table(item.path, STACK_COLUMNS), title, text, notes)
        case "importance_table":
            yield importance_table(read_table(item.path, IMPORTANCE_COLUMNS), title, text, notes)
        case "covariate_shift":
            frame = read_table(item.path, (), empty=True)
            if len(frame):
                yield plain_table(frame, title, text, notes, folded=True)
        case "search":
            frame = read_table(item.path, ("round", "crps", "kept"), empty=True)
            title = f"{title}: {Path(item.path).parts[-3]}, seed {item.seed}"
            if len(frame):  # without magnitude errors there may be nothing to choose
                yield plain_table(frame, title, text, [], folded=True)
        case "scores_by_bin" | "pdf_scores_by_bin":
            yield from bin_tables(scores.by_bin, title, text, notes)
        case _:
            subject = f"sample {item.sample}, split {item.split}"
            yield block(item, subject, notes, folded=True)
