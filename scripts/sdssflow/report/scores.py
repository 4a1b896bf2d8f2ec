"""Scores of the models of one sample, task and split: tables, the best model, small print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from sdssflow.configuration.run import RunConfiguration
from sdssflow.report import pivots
from sdssflow.report.contents import Item
from sdssflow.report.glossary import BETTER, HEADLINES, METRICS, RANKED_BY, label
from sdssflow.report.tables import Cell, Column, ReportError, read_table


@dataclass(frozen=True)
class ModelScores:
    """Score tables of classes, of redshifts or of p(z), and what they say of the best model.

    Attributes
    ----------
    sample, task, split : str
        What they are of.
    kind : {'classify', 'regress', 'pdf'}
        By which metrics models are ranked and shown.
    scores, differences, by_bin : pandas.DataFrame
        As the rules write them.
    best : str
        The best model.
    digests : dict of str to str
        Digest of the test part by seed.
    notes : list of str
        Small print of every table.
    """

    sample: str
    task: str
    split: str
    kind: Literal["classify", "regress", "pdf"]
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
        """Metric that models are ranked by."""
        return RANKED_BY[self.kind]

    @property
    def ranked_by(self) -> str:
        """Name of that metric."""
        return label(self.metric)

    @property
    def ties(self) -> list[str]:
        """Models whose paired difference from the best, in that metric, may be 0."""
        return pivots.not_told_apart(self.differences, self.best, self.metric)

    @property
    def n(self) -> int:
        """Number of test objects of the best model."""
        return int(self._of_best()["n"].max())

    @property
    def shown(self) -> list[tuple[Column, Cell]]:
        """Scores of the best model for the summary."""
        found = {row["metric"]: row for _, row in self._of_best().iterrows()}
        return [
            (
                Column(
                    label(name),
                    str(found[name]["convention"]),
                    BETTER.get(METRICS[name].better, ""),
                ),
                pivots.score_cell(found[name]),
            )
            for name in HEADLINES[self.kind]
            if name in found
        ]

    def _of_best(self) -> pd.DataFrame:
        rows = pivots.overall(self.scores)
        return rows[rows["model"] == self.best]


def read_scores(
    items: list[Item], run: RunConfiguration, kind: Literal["classify", "regress", "pdf"]
) -> ModelScores:
    """Read the scores among the items of one sample, task and split.

    Raises
    ------
    ReportError
        If a table can't be shown, or no model has a value to rank by.
    """
    prefix = "pdf_" if kind == "pdf" else ""
    paths = {item.name.removeprefix(prefix): item.path for item in items}
    scores = read_table(paths["scores"], pivots.SCORE_COLUMNS)
    differences = read_table(paths["differences"], pivots.DIFFERENCE_COLUMNS, empty=True)
    by_bin = read_table(paths["scores_by_bin"], pivots.BIN_COLUMNS)
    try:
        digests = pivots.seed_digests(scores)
        best = pivots.ranked(scores, RANKED_BY[kind])[0]
    except ReportError as error:
        raise ReportError(f"{paths['scores']}: {error}") from error
    counts = sorted(set(pivots.overall(scores)["n"].dropna().astype(int)))
    quoted = "; ".join(f"seed {seed}: {digest}" for seed, digest in digests.items())
    averaged = f"Mean over seeds {', '.join(digests)}" if len(digests) > 1 else "Value"
    notes = [
        f"N = {' or '.join(f'{count:,}' for count in counts)}; test digest of {quoted}",
        f"{averaged} [{100 * run.bootstrap.level:g} % interval: "
        f"{run.bootstrap.replicates} bootstrap replicates over groups, "
        f"seed {run.bootstrap.seed}]",
    ]
    about = (items[0].sample, items[0].stage, items[0].split)
    return ModelScores(*about, kind, scores, differences, by_bin, best, digests, notes)
