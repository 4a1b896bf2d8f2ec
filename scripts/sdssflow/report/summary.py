"""Sections on the models of one sample: scores, comparison of splits, learning curves, Photoz."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.evaluate.class_decisions import POINT_COLUMNS, SET_COLUMNS
from sdssflow.report import charts, failures
from sdssflow.report.cards import model_card
from sdssflow.report.charts import CURVE_COLUMNS, learning_chart
from sdssflow.report.figures import PDFS, Item
from sdssflow.report.glossary import RANKED_BY, TASKS, direction, label
from sdssflow.report.provenance import Provenance, check_digests
from sdssflow.report.scores import (
    IMPORTANCE_COLUMNS,
    NOT_ZERO,
    STACK_COLUMNS,
    ModelScores,
    averaged,
    bin_tables,
    class_table,
    difference_table,
    holds_zero,
    importance_table,
    point_table,
    read_scores,
    score_cell,
    score_table,
    set_tables,
    stack_table,
)
from sdssflow.report.sections import (
    Chart,
    Column,
    Figure,
    Section,
    Table,
    block,
    number_cell,
    plain_table,
    read_table,
    text_cell,
    with_interval,
    word_columns,
)

# written by evaluate.split_comparison and evaluate.learning, which are slow to import
SPLIT_COLUMNS = (
    *("task", "model", "metric", "split", "value", "lower", "upper", "n", "data_digest", "base"),
    *("difference", "difference_lower", "difference_upper", "drawn_over"),
)
FITTED = {"floor": "floor a", "factor": "factor b", "exponent": "exponent c"}
FITTED |= {"at_twice": "at twice N"}
FIT_COLUMNS = (
    *("model", "part", "metric", "objects", "at_end"),
    *(f"{name}{end}" for name in FITTED for end in ("", "_lower", "_upper")),
)
CONFUSION_COLUMNS = ("model", "seed", "truth", "predicted", "count")


def splits_section(name: str, items: list[Item], run: RunConfiguration) -> Section:
    """Return a table for each task with the scores of its models on every split."""
    blocks, text, notes = [], [], averaged(run.seeds, run)
    for item in (item for item in items if item.name == "split_comparison"):
        frame = read_table(item.path, SPLIT_COLUMNS)
        for task, rows in frame.groupby("task", sort=False):
            title = f"{item.title}: {TASKS[task].lower() if task != 'pdf' else TASKS[task]}"
            table = split_table(rows, title, item.caption, [notes])
            blocks.append(replace(table, source=item.path))
            text.append(split_sentence(rows, RANKED_BY[task]))
    return Section(f"{name}-splits", "Splits side by side", text, blocks=blocks)


def learning_section(name: str, split: str, items: list[Item], run: RunConfiguration) -> Section:
    """Return the learning curves of a split and their fits."""
    mine = [item for item in items if item.split == split and item.name.startswith("learning")]
    notes = [averaged(run.seeds, run)]
    blocks: list[Table | Figure] = []
    of = {item.name: item.path for item in mine}
    for item in mine:
        if item.name == "learning_fits":
            frame = read_table(item.path, FIT_COLUMNS)
            table = fit_table(frame, item.title, item.caption, notes)
            blocks.append(replace(table, source=item.path))
        elif item.name == "learning":
            curves = read_table(of["learning_table"], CURVE_COLUMNS)
            chart = learning_chart(curves, read_table(of["learning_fits"], FIT_COLUMNS))
            figure = block(item, f"sample {name}, split {split}", notes)
            blocks.append(replace(figure, chart=chart) if isinstance(figure, Figure) else figure)
        else:
            blocks.append(block(item, f"sample {name}, split {split}", notes))
    return Section(f"{name}-learning-{split}", f"Learning curves, split {split}", blocks=blocks)


def photoz_tables(item: Item, scores: ModelScores) -> Iterator[Table]:
    """Yield tables of the scores of SDSS's own redshifts and of the models, or of differences.

    One for each choice of test objects, or an empty one if none has an entry.
    """
    frame = read_table(item.path, ("objects", "tested", "model"), empty=True)
    if frame.empty:
        yield plain_table(frame, item.title, "No test object has an entry in Photoz.", [])
    for objects, rows in frame.groupby("objects", sort=False):
        title, average = f"{item.title}: {objects}", scores.notes[-1]
        if "other" in rows:
            other = rows["other"].iloc[0]
            yield difference_table(rows, other, title, item.caption, [average])
        else:
            of = f"{int(rows['n'].max()):,} of the {int(rows['tested'].iloc[0]):,} test objects"
            quoted = "; ".join(f"seed {seed}: {its}" for seed, its in scores.digests.items())
            notes = [f"N = {of}; test digest of {quoted}", average]
            yield score_table(rows, title, item.caption, notes, scores.metric)


def split_sentence(rows: pd.DataFrame, metric: str) -> str:
    """Compare the best model of the base split with itself on the other splits, by one metric."""
    rows = rows[(rows["metric"] == metric) & rows["value"].notna()]
    base = rows[rows["split"] == rows["base"]].sort_values("value", kind="stable")
    if base.empty:
        return f"No model has a value of {label(metric)}."
    best = base.iloc[0 if direction(metric) == "low" else -1]
    said = []
    for _, row in rows[
        (rows["model"] == best["model"]) & (rows["split"] != best["split"])
    ].iterrows():
        apart = with_interval(*(row[f"difference{end}"] for end in ("", "_lower", "_upper")))
        unsure = " (not significant)" if holds_zero(row, "difference_") else ""
        said.append(f"split {row['split']} by {' '.join(apart)}{unsure}")
    return (
        f"{label(metric)} of {best['model']}, best on split {best['split']}, changes on "
        f"{' and on '.join(said)}."
    )


def split_table(rows: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Tabulate the scores of one task on every split, the base first, and differences from it.

    Bold if the interval of a difference excludes 0.
    """
    base = rows["base"].iloc[0]
    splits = [base, *(name for name in dict.fromkeys(rows["split"]) if name != base)]
    over = rows.drop_duplicates("split").set_index("split")["drawn_over"].to_dict()
    body = []
    for (model, metric), group in rows.groupby(["model", "metric"], sort=False):
        found = {row["split"]: row for _, row in group.iterrows()}
        line = [text_cell(model), text_cell(label(metric))]
        line += [score_cell(found[name]) for name in splits]
        for name in splits[1:]:
            row = found[name]
            differs = not holds_zero(row, "difference_")
            line.append(score_cell(row, differs, "difference", "difference_"))
        body.append(line)
    heads = [Column(name) for name in splits]
    heads += [
        Column(f"{name} \N{MINUS SIGN} {base}", f"drawn by {over[name].replace('_', ' ')}")
        for name in splits[1:]
    ]
    about = rows.drop_duplicates("split").set_index("split")
    counted = ", ".join(f"{int(about['n'][name]):,} ({name})" for name in splits)
    digests = ", ".join(f"{about['data_digest'][name]} ({name})" for name in splits)
    notes = [f"N = {counted}; test digests {digests}", *notes, NOT_ZERO]
    return Table(title, text, [*word_columns("model", "score"), *heads], body, notes)


def fit_table(fits: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Tabulate the power laws of learning curves, with intervals."""
    body = []
    for _, row in fits.iterrows():
        line = [text_cell(row[name]) for name in ("model", "part")]
        line += [text_cell(label(row["metric"])), number_cell(row["objects"])]
        line += [score_cell(row, value=name, ends=f"{name}_") for name in FITTED]
        body.append([*line, number_cell(row["at_end"])])
    heads = ("model", "part", "score", "N", *FITTED.values(), "at end")
    columns = word_columns(*heads, numeric=("N", *FITTED.values()))
    return Table(title, text, columns, body, notes)


@dataclass(frozen=True)
class TaskSummary:
    """The models of a task (its title) and split; `anchor` is the id of their section on the page.

    `densities` are the scores of the models with p(z), `cards` those of the best models, `finding`
    is a sentence on the best scores, `gain` on the improvement over a guess, `limits` on where the
    best model fails.
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
    """Summarise the models of the `items`, which belong to one sample, task and split.

    ReportError if a table can't be shown, or scores and predictions have different test parts.
    """
    task, split = items[0].stage, items[0].split
    anchor = f"{items[0].sample}-{task}-{split}"
    names = {shown.label for shown in PDFS} if task == "regress" else set()
    of_pdfs = [item for item in items if item.name in names]
    of_points = [item for item in items if item.name not in names]
    scores = read_scores(of_points, run, "classify" if task == "classify" else "regress")
    check_digests(scores, provenance.model_runs)
    few = failures.few_objects(scores.n, _paths(scores, provenance).get(scores.best))
    limits = [*few, *_limits(of_points, scores)]
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
    """Return a sentence on the score of the best model, and of the best p(z)."""
    words = {"classify": "Classes", "regress": "Redshifts"}
    said = [
        f"{words[scores.task]} of {scores.n:,} test objects: {scores.ranked_by} = "
        f"{scores.reached} with {scores.best}"
    ]
    if densities:
        said.append(f"p(z): {densities.ranked_by} = {densities.reached} with {densities.best}")
    return f"{'; '.join(said)} (split {scores.split})."


def _gain(scores: ModelScores, run: RunConfiguration) -> list[str]:
    """Compare the best model with the one that uses no features, if there is one."""
    known = run.classifiers if scores.task == "classify" else run.regressors
    guess = next((name for name, model in known.items() if model.kind in ("dummy", "mean")), "")
    sentence = failures.gain(scores.scores, scores.best, guess, scores.metric)
    return [sentence] if sentence else []


def _limits(items: list[Item], scores: ModelScores) -> list[str]:
    """Return sentences on where the best model fails."""
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
    """Return the path of the predictions of each model; none if the best model's are missing."""
    paths = {run.model: run.path for run in provenance.model_runs if run.place == scores.place}
    return paths if scores.best in paths else {}


def _worst(scores: ModelScores, provenance: Provenance) -> list[Table]:
    """Return the table of the worst test objects, if there are predictions."""
    paths = _paths(scores, provenance)
    if not paths:
        return []
    best = failures.read_predictions(paths[scores.best], scores.task)
    worst = failures.worst_classes if scores.task == "classify" else failures.worst_redshifts
    return [worst(best, scores.best, provenance.objids)]


def _charts(
    items: list[Item], scores: ModelScores, densities: ModelScores | None, provenance: Provenance
) -> dict[str, Chart]:
    """Return the interactive charts by the name of their figure."""
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
                    "Scores of point estimates from p(z); the convention says which. Those of the "
                    "mode are in the file."
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
        case "redshift_stacks_table":  # long; drawn in a figure
            yield Table(title, text, [], [], [])
        case "importance_table":
            yield importance_table(read_table(item.path, IMPORTANCE_COLUMNS), title, text, notes)
        case "covariate_shift":
            frame = read_table(item.path, (), empty=True)
            if len(frame):
                yield failures.rare_table(frame, item, notes)
        case "confusion_table":
            frame = read_table(item.path, CONFUSION_COLUMNS)
            frame = frame[frame["seed"] == "all"].drop(columns="seed")
            yield plain_table(frame, title, text, notes, folded=True)
        case "search":
            frame = read_table(item.path, ("round", "crps", "kept"), empty=True)
            title = f"{title}: {Path(item.path).parts[-3]}, seed {item.seed}"
            if len(frame):  # without magnitude errors there may be no search
                yield plain_table(frame, title, text, [], folded=True)
        case "scores_by_bin" | "pdf_scores_by_bin":
            yield from bin_tables(scores.by_bin, title, text, notes)
        case _:
            subject = f"sample {item.sample}, split {item.split}"
            shown = block(item, subject, notes, folded=True)
            chart = found_charts.get(item.name)
            yield replace(shown, chart=chart) if chart and isinstance(shown, Figure) else shown
