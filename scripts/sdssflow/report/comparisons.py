"""Splits side by side, scores by the number of training objects, and SDSS's own redshifts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.report.charts import CURVE_COLUMNS, learning_chart
from sdssflow.report.contents import Item
from sdssflow.report.glossary import RANKED_BY, TASKS, direction, label
from sdssflow.report.scores import (
    NOT_ZERO,
    ModelScores,
    averaged,
    difference_table,
    holds_zero,
    score_cell,
    score_table,
)
from sdssflow.report.sections import Figure, Section, block
from sdssflow.report.tables import (
    Column,
    Table,
    number_cell,
    plain_table,
    read_table,
    text_cell,
    with_interval,
    word_columns,
)

# of the tables of evaluate.split_comparison and evaluate.learning, whose imports take long
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


def splits_section(name: str, items: list[Item], run: RunConfiguration) -> Section:
    """Return a table for each task of what its models score on every split."""
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
    """Return the learning curves of a split, the fits with their intervals."""
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
    """Yield the scores of SDSS's own redshifts and of the models, or the differences from them.

    A table for each choice of test objects; one that says so where none has an entry.
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
    """Say how the model that is best on the base does on the other splits, by one metric."""
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
        unsure = ", which may be 0" if holds_zero(row, "difference_") else ""
        said.append(f"split {row['split']} by {' '.join(apart)}{unsure}")
    return (
        f"{label(metric)} of {best['model']}, best on split {best['split']}, differs from there on "
        f"{' and on '.join(said)}."
    )


def split_table(rows: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Show the scores of one task on every split, and of each split minus the base, which is first.

    Bold where the interval of a difference leaves 0 out.
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
    """Show the power laws of learning curves, each number with its interval."""
    body = []
    for _, row in fits.iterrows():
        line = [text_cell(row[name]) for name in ("model", "part")]
        line += [text_cell(label(row["metric"])), number_cell(row["objects"])]
        line += [score_cell(row, value=name, ends=f"{name}_") for name in FITTED]
        body.append([*line, number_cell(row["at_end"])])
    heads = ("model", "part", "score", "N", *FITTED.values(), "at end")
    columns = word_columns(*heads, numeric=("N", *FITTED.values()))
    return Table(title, text, columns, body, notes)
