"""What a page says of the models of one sample, task and split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report import charts, failures
from sdssflow.report.cards import model_card
from sdssflow.report.comparisons import photoz_tables
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
from sdssflow.report.sections import Chart, Figure, Section, block
from sdssflow.report.tables import Table, plain_table, read_table

CONFUSION_COLUMNS = ("model", "truth", "predicted", "count")


@dataclass(frozen=True)
class TaskSummary:
    """The models of a task, in words, and split; `anchor` is the id of their section on the page.

    `densities` are the scores of the models that give a p(z), `cards` those of each best model,
    `finding` is what the best scores, in a line, `gain` what it has over a guess, `limits` where it
    fails.
    """

    task: str
    anchor: str
    scores: ModelScores
    densities: ModelScores | None
    sections: list[Section]
    cards: list[Section]
    finding: str
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
    found_charts = _charts(items, scores, densities, provenance)
    sections = [
        Section(
            name,
            f"{title}, split {split}",
            blocks=[
                replace(part, source=item.path) if isinstance(part, Table) else part
                for item in shown
                for part in _blocks(item, of, found_charts)
            ],
        )
        for name, title, shown, of in parts
    ]
    looked_at = _worst(scores, provenance)
    if limits or looked_at:
        sections.append(
            Section(f"{anchor}-limits", f"Where it fails, split {split}", limits, blocks=looked_at)
        )
    gain = _gain(scores, run)
    finding = _finding(scores, densities)
    return TaskSummary(
        TASKS[task], anchor, scores, densities, sections, cards, finding, gain, limits
    )


def _finding(scores: ModelScores, densities: ModelScores | None) -> str:
    """Say in a line what the best model scores, and the best p(z)."""
    words = {"classify": "Classes", "regress": "Redshifts"}
    said = [
        f"{words[scores.task]} of {scores.n:,} test objects to {scores.ranked_by} = "
        f"{scores.reached} with {scores.best}"
    ]
    if densities:
        said.append(f"p(z) to {densities.ranked_by} = {densities.reached} with {densities.best}")
    return f"{'; '.join(said)} (split {scores.split})."


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


def _paths(scores: ModelScores, provenance: Provenance) -> dict[str, str]:
    """Return the predictions of each model, the best among them; none without that one's."""
    paths = {run.model: run.path for run in provenance.model_runs if run.place == scores.place}
    return paths if scores.best in paths else {}


def _worst(scores: ModelScores, provenance: Provenance) -> list[Table]:
    """Return the worst test objects; nothing without predictions."""
    paths = _paths(scores, provenance)
    if not paths:
        return []
    best = failures.read_predictions(paths[scores.best], scores.task)
    worst = failures.worst_classes if scores.task == "classify" else failures.worst_redshifts
    return [worst(best, scores.best, provenance.objids)]


def _charts(
    items: list[Item], scores: ModelScores, densities: ModelScores | None, provenance: Provenance
) -> dict[str, Chart]:
    """Return what answers to the pointer, by the name of the figure."""
    of = {item.name: item.path for item in items}
    if scores.task == "classify":
        table = read_table(of["reliability_table"], charts.RELIABILITY_COLUMNS)
        return {"reliability": charts.reliability_chart(table, scores.best)}
    found = {}
    if paths := _paths(scores, provenance):
        frames = {
            model: failures.read_predictions(path, scores.task)[["row_id", "zphot"]]
            for model, path in paths.items()
        }
        frames[scores.best] = failures.read_predictions(paths[scores.best], scores.task)
        beside = {model: str(Path(path).with_name("pdfs.hdf5")) for model, path in paths.items()}
        pdfs = {model: path for model, path in beside.items() if path in provenance.pdfs}
        found["zphot_zspec"] = charts.objects_chart(frames, scores.best, pdfs, provenance.objids)
    if densities:
        table = read_table(of["redshift_stacks_table"], charts.STACKED_COLUMNS)
        found["redshift_stacks"] = charts.stacks_chart(table, densities.best)
    return found


def _blocks(
    item: Item, scores: ModelScores, found_charts: dict[str, Chart]
) -> Iterator[Table | Figure]:
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
        case "photoz_scores" | "photoz_differences":
            yield from photoz_tables(item, scores)
        case "redshift_stacks_summary":
            yield stack_table(read_table(item.path, STACK_COLUMNS), title, text, notes)
        case "redshift_stacks_table":  # long, and drawn: the file has it
            yield Table(title, text, [], [], [])
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
            shown = block(item, subject, notes, folded=True)
            chart = found_charts.get(item.name)
            yield replace(shown, chart=chart) if chart and isinstance(shown, Figure) else shown
