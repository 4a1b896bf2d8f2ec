"""Scores of the models of one sample, task and split, and tables of them.

Long score tables are pivoted to one row per model and one column per metric.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.evaluate import tables as evaluated
from sdssflow.report.figures import Item
from sdssflow.report.glossary import HEADLINES, RANKED_BY, better, direction, label, order
from sdssflow.report.sections import (
    UNDEFINED,
    Cell,
    Column,
    ReportError,
    Table,
    number_cell,
    plain,
    read_table,
    stated,
    text_cell,
    with_interval,
    word_columns,
)

Kind = Literal["classify", "regress", "pdf"]
SCORE_COLUMNS = (*evaluated.ABOUT_COLUMNS, *evaluated.SCORE_COLUMNS)
MOMENTS = ("mean", "width")
STACK_COLUMNS = (
    "model", "tomographic_bin", "zphot_low", "zphot_high", "n",
    *(f"{moment}_{what}" for moment in MOMENTS
      for what in ("stacked", "true", "difference", "lower", "upper")),
)  # fmt: skip
IMPORTANCE_COLUMNS = (
    "model", "seed", "score", "kind", "name", "unpermuted", "value", "lower", "upper",
)  # fmt: skip
NOT_ZERO = "Bold: the interval does not contain 0."


@dataclass(frozen=True)
class ModelScores:
    """Score tables of classes, redshifts or p(z), with the best model.

    `kind` determines the metrics by which models are ranked and shown; `digests` has the test part
    of each seed; `notes` are printed below every table.
    """

    sample: str
    task: str
    split: str
    kind: Kind
    scores: pd.DataFrame
    differences: pd.DataFrame
    by_bin: pd.DataFrame
    best: str
    digests: dict[str, str]
    notes: list[str]

    @property
    def place(self) -> tuple[str, str, str]:
        """Sample, task and split."""
        return self.sample, self.task, self.split

    @property
    def metric(self) -> str:
        """Metric by which models are ranked."""
        return RANKED_BY[self.kind]

    @property
    def ranked_by(self) -> str:
        """Label of that metric."""
        return label(self.metric)

    @property
    def ties(self) -> list[str]:
        """Models that are not significantly worse than the best in that metric."""
        return not_told_apart(self.differences, self.best, self.metric)

    @property
    def n(self) -> int:
        """Number of test objects of the best model."""
        return int(self._of_best()["n"].max())

    @property
    def shown(self) -> list[tuple[Column, Cell]]:
        """Headline scores of the best model."""
        found = {row["metric"]: row for _, row in self._of_best().iterrows()}
        return [
            (_metric_column(name, found[name]["convention"]), score_cell(found[name]))
            for name in HEADLINES[self.kind]
            if name in found
        ]

    @property
    def reached(self) -> str:
        """Value of that metric of the best model, with its interval."""
        rows = self._of_best()
        row = rows[rows["metric"] == self.metric].iloc[0]
        return stated(row["value"], row["lower"], row["upper"])

    def _of_best(self) -> pd.DataFrame:
        rows = overall(self.scores)
        return rows[rows["model"] == self.best]


def read_scores(items: list[Item], run: RunConfiguration, kind: Kind) -> ModelScores:
    """Read the scores among the items of one sample, task and split."""
    prefix = "pdf_" if kind == "pdf" else ""
    paths = {item.name.removeprefix(prefix): item.path for item in items}
    scores = read_table(paths["scores"], SCORE_COLUMNS)
    differences = read_table(paths["differences"], evaluated.DIFFERENCE_COLUMNS, empty=True)
    by_bin = read_table(paths["scores_by_bin"], evaluated.BINNED_COLUMNS)
    try:
        digests = seed_digests(scores)
        best = ranked(scores, RANKED_BY[kind])[0]
    except ReportError as error:
        raise ReportError(f"{paths['scores']}: {error}") from error
    counts = sorted(set(overall(scores)["n"].dropna().astype(int)))
    quoted = "; ".join(f"seed {seed}: {digest}" for seed, digest in digests.items())
    notes = [
        f"N = {' or '.join(f'{count:,}' for count in counts)}; test digest of {quoted}",
        averaged(digests, run),
    ]
    about = (items[0].sample, items[0].stage, items[0].split)
    return ModelScores(*about, kind, scores, differences, by_bin, best, digests, notes)


def averaged(seeds: Iterable[int | str], run: RunConfiguration) -> str:
    """Return the note that explains values and intervals over these seeds."""
    names = [str(seed) for seed in seeds]
    of = f"Mean over seeds {', '.join(names)}" if len(names) > 1 else "Value"
    return (
        f"{of} [{100 * run.bootstrap.level:g} % interval: {run.bootstrap.replicates} bootstrap "
        f"replicates over groups, seed {run.bootstrap.seed}]"
    )


def score_cell(row: pd.Series, strong: bool = False, value: str = "value", ends: str = "") -> Cell:
    """Return a cell with a value and its interval.

    `value` is the name of its column, `ends` the prefix of ``lower`` and ``upper``.
    """
    number = row[value]
    text, interval = with_interval(number, row[f"{ends}lower"], row[f"{ends}upper"])
    return Cell(text, interval, "" if pd.isna(number) else float(number), strong)


def overall(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores over all seeds and all classes."""
    return scores[(scores["seed"] == "all") & (scores["subset"] == "all")]


def seed_digests(scores: pd.DataFrame) -> dict[str, str]:
    """Return the digest of the test part of each seed; ReportError if a seed has two."""
    digests = {}
    for seed, group in scores[scores["seed"] != "all"].groupby("seed", sort=False):
        found = sorted(set(group["data_digest"].astype(str)))
        if len(found) > 1:
            raise ReportError(
                f"scores of seed {seed} are of different test parts ({', '.join(found)}); "
                "delete the predictions and score again"
            )
        digests[str(seed)] = found[0]
    return digests


def ranked(scores: pd.DataFrame, metric: str) -> list[str]:
    """Return the models, best first, by a metric of the `overall` scores; ties in given order."""
    rows = overall(scores)
    rows = rows[(rows["metric"] == metric) & rows["value"].notna()]
    if rows.empty:
        raise ReportError(f"no model has a value of {metric} for seed 'all' and subset 'all'")
    best_first = rows.sort_values("value", ascending=direction(metric) == "low", kind="stable")
    return list(dict.fromkeys(best_first["model"]))


def score_table(
    scores: pd.DataFrame, title: str, text: str, notes: list[str], metric: str
) -> Table:
    """Pivot scores to one row per model, best first, and one column per metric and convention."""
    rows = overall(scores)
    models = list(dict.fromkeys([*ranked(scores, metric), *rows["model"]]))
    keys = _metric_keys(rows)
    best = {key: _best(rows, key) for key in keys}
    cells = _rows_by(rows, "model", "metric", "convention")
    body = [
        [text_cell(model)] + [_score(cells.get((model, *key)), model in best[key]) for key in keys]
        for model in models
    ]
    columns = [*word_columns("model"), *(_metric_column(*key) for key in keys)]
    return Table(title, text, columns, body, [*notes, "Bold: the best value of a column."])


def set_tables(sets: pd.DataFrame, title: str, text: str, notes: list[str]) -> list[Table]:
    """Tabulate scores of class sets by model and class, then in bins of magnitude."""
    whole = sets["variable"] == "all"
    found = class_table(sets[whole], title, text, notes, every=True)
    binned = bin_tables(sets[~whole], title, "The same in bins.", notes)
    return [*([found] if found else []), *binned]


def point_table(points: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Tabulate the thresholds of one model, one row for each class and requirement.

    A row is the mean over the `seeds` with a threshold.
    """
    body = []
    for _, row in points.iterrows():
        names = ("purity", "completeness")
        measured = [score_cell(row, value=name, ends=f"{name}_") for name in names]
        aim = f"{row['aim']} {plain(row['wanted'])}"
        numbers = [number_cell(row[name]) for name in ("threshold", "chosen")]
        body.append([*map(text_cell, (row["subset"], aim)), *numbers, *measured])
        body[-1] += [number_cell(row[name]) for name in ("n", "seeds")]
    model = points["model"].iloc[0] if len(points) else ""
    numeric = ("threshold", "chosen", "purity", "completeness", "N", "seeds")
    columns = word_columns("class", "wanted", *numeric, numeric=numeric)
    return Table(f"{title}: {model}", text, columns, body, notes)


def class_table(
    scores: pd.DataFrame, title: str, text: str, notes: list[str], every: bool = False
) -> Table | None:
    """Pivot the scores of single classes to one row per model and class; None if there are none.

    With `every`, a row for all objects is added.
    """
    rows = scores[(scores["seed"] == "all") & ((scores["subset"] != "all") | every)]
    if rows.empty:
        return None
    keys = _metric_keys(rows)
    body = []
    for (model, subset), group in rows.groupby(["model", "subset"], sort=False):
        cells = _rows_by(group, "metric", "convention")
        scored = [_score(cells.get(key)) for key in keys]
        body.append([text_cell(model), text_cell(subset), *scored, number_cell(group["n"].iloc[0])])
    heads = word_columns("model", "class")
    columns = [*heads, *(_metric_column(*key) for key in keys), Column("N")]
    return Table(title, text, columns, body, notes, folded=True)


def paired(differences: pd.DataFrame, best: str) -> pd.DataFrame:
    """Return the differences of every other model from `best`: other minus best."""
    forward = differences[differences["other"] == best]
    backward = differences[differences["model"] == best]
    turned = backward.assign(
        model=backward["other"],
        other=best,
        value=-backward["value"],
        lower=-backward["upper"],
        upper=-backward["lower"],
    )
    both = pd.concat([forward, turned])
    return both.drop_duplicates(["model", "metric"]).reset_index(drop=True)


def difference_table(
    differences: pd.DataFrame, best: str, title: str, text: str, notes: list[str]
) -> Table:
    """Tabulate the differences from the best model; bold if the interval excludes 0."""
    rows = paired(differences, best)
    metrics = order(dict.fromkeys(rows["metric"]))
    cells = _rows_by(rows, "model", "metric")
    body = []
    for model in dict.fromkeys(rows["model"]):
        line = [text_cell(f"{model} \N{MINUS SIGN} {best}")]
        for metric in metrics:
            row = cells.get((model, metric))
            line.append(_score(row, row is not None and not holds_zero(row)))
        body.append(line)
    columns = [*word_columns("difference"), *(Column(label(name)) for name in metrics)]
    return Table(title, text, columns, body, [*notes, NOT_ZERO])


def not_told_apart(differences: pd.DataFrame, best: str, metric: str) -> list[str]:
    """Return the models whose difference from `best` in `metric` is not significant."""
    rows = paired(differences, best)
    rows = rows[rows["metric"] == metric]
    return [row["model"] for _, row in rows.iterrows() if holds_zero(row)]


def bin_tables(scores: pd.DataFrame, title: str, text: str, notes: list[str]) -> list[Table]:
    """Tabulate binned scores: a folded table for each variable, a row per bin and model."""
    tables = []
    for variable, group in scores[scores["seed"] == "all"].groupby("variable", sort=False):
        keys = _metric_keys(group, with_subset=True)
        body = []
        for (low, high, model), cells in group.groupby(["bin_low", "bin_high", "model"], sort=True):
            found = _rows_by(cells, "metric", "convention", "subset")
            body.append(
                [Cell(f"{plain(low)} to {plain(high)}", sort=float(low)), text_cell(model)]
                + [_score(found.get(key)) for key in keys]
                + [number_cell(cells["n"].max())]
            )
        name = str(variable).replace("_", " ")
        heads = word_columns(name, "model", numeric=[name])
        columns = [*heads, *(_metric_column(*key) for key in keys), Column("N")]
        tables.append(Table(f"{title}: {name}", text, columns, body, notes, folded=True))
    return tables


def stack_table(stacks: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Tabulate means and widths of stacks; bold if the interval of a difference excludes 0."""
    body = []
    for _, row in stacks.iterrows():
        zphot = f"{row['zphot_low']:.3f} to {row['zphot_high']:.3f}"
        line = [text_cell(row["model"]), text_cell(row["tomographic_bin"])]
        line += [Cell(zphot, sort=float(row["zphot_low"])), number_cell(row["n"])]
        for moment in MOMENTS:
            line += [number_cell(row[f"{moment}_{what}"]) for what in ("stacked", "true")]
            differs = not holds_zero(row, f"{moment}_")
            line.append(score_cell(row, differs, f"{moment}_difference", f"{moment}_"))
        body.append(line)
    heads = [f"{moment} {what}" for moment in MOMENTS
             for what in ("of Σ p(z)", "of zspec", "difference")]  # fmt: skip
    columns = [*word_columns("model", "bin"), *map(Column, ("zphot", "N", *heads))]
    return Table(title, text, columns, body, [*notes, NOT_ZERO], folded=True)


def importance_table(importance: pd.DataFrame, title: str, text: str, notes: list[str]) -> Table:
    """Tabulate the importance of features and groups, mean over seeds, one column per model.

    Bold if the interval excludes 0.
    """
    rows = importance[importance["seed"] == "all"]
    models = list(dict.fromkeys(rows["model"]))
    by = _rows_by(rows, "kind", "name", "model")
    body = []
    for kind, name in dict.fromkeys(rows[["kind", "name"]].itertuples(index=False, name=None)):
        grown = [by[kind, name, model] for model in models]
        cells = [score_cell(row, not holds_zero(row)) for row in grown]
        body.append([text_cell(name), text_cell(kind), *cells])
    first = rows.drop_duplicates("model")
    before = [
        f"{label(score)} {plain(value)} increases by"
        for score, value in zip(first["score"], first["unpermuted"], strict=True)
    ]
    heads = [Column(model, words) for model, words in zip(models, before, strict=True)]
    columns = [*word_columns("permuted", ""), *heads]
    return Table(title, text, columns, body, [*notes, NOT_ZERO], folded=True)


def _rows_by(rows: pd.DataFrame, *names: str) -> dict[tuple[str, ...], pd.Series]:
    return {tuple(row[name] for name in names): row for _, row in rows.iterrows()}


def _metric_keys(rows: pd.DataFrame, with_subset: bool = False) -> list[tuple[str, ...]]:
    names = ["metric", "convention", *(["subset"] if with_subset else [])]
    found = dict.fromkeys(rows[names].itertuples(index=False, name=None))
    rank = {name: place for place, name in enumerate(order(dict.fromkeys(rows["metric"])))}
    return sorted(found, key=lambda key: rank[key[0]])


def _metric_column(metric: str, convention: str, subset: str = "all") -> Column:
    name = label(metric) if subset == "all" else f"{label(metric)} {subset}"
    return Column(name, str(convention), better(metric))


def _score(row: pd.Series | None, strong: bool = False) -> Cell:
    return Cell(UNDEFINED) if row is None else score_cell(row, strong)


def _best(rows: pd.DataFrame, key: tuple[str, ...]) -> set[str]:
    chosen = rows[(rows["metric"] == key[0]) & (rows["convention"] == key[1])]
    values = chosen.set_index("model")["value"].dropna()
    toward = direction(key[0])
    if values.empty or not toward:
        return set()
    target = {"low": values, "high": -values, "zero": values.abs()}[toward]
    return set(target.index[target == target.min()])


def holds_zero(row: pd.Series, ends: str = "") -> bool:
    """Return whether an interval contains 0 or is missing; `ends` as in `score_cell`."""
    return not (row[f"{ends}lower"] > 0 or row[f"{ends}upper"] < 0)
