"""How the results were made, from the metadata of Parquet tables and the cards of models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.report.glossary import TASKS
from sdssflow.report.scores import ModelScores
from sdssflow.report.sections import (
    Cell,
    Column,
    ReportError,
    Table,
    reading,
    text_cell,
    word_columns,
)
from sdssflow.tables import metadata, read_schema


@dataclass(frozen=True)
class Facts:
    """Number of rows, columns and metadata of a Parquet table."""

    path: str
    rows: int
    columns: list[str]
    entries: dict[str, Any]

    @property
    def digest(self) -> str:
        """Data digest, '' if the table has none."""
        return str(self.entries.get("data_digest", ""))


@dataclass(frozen=True)
class ModelRun:
    """A model on one split of one sample, from the metadata of its predictions at `path`."""

    path: str
    sample: str
    task: str
    split: str
    model: str
    digests: dict[str, str]
    cards: dict[str, dict[str, Any]]

    @property
    def place(self) -> tuple[str, str, str]:
        """Sample, task and split."""
        return self.sample, self.task, self.split


@dataclass(frozen=True)
class Provenance:
    """Predictions, cards of trained models, and files of p(z); every list may be empty.

    `objids` are those of the rows of the sample, if its source has them.
    """

    model_runs: list[ModelRun] = field(default_factory=list)
    trainings: list[dict[str, Any]] = field(default_factory=list)
    pdfs: list[str] = field(default_factory=list)
    objids: Mapping[int, int] | pd.Series = field(default_factory=dict)


def read_facts(path: str | Path) -> Facts:
    """Read the metadata of a Parquet table, without its columns."""
    with reading(path, "Parquet", pa.ArrowInvalid, OSError):
        file = pq.read_metadata(path)
    schema = read_schema(path)
    entries = metadata(schema)
    if not entries:
        raise ReportError(f"{path}: no provenance in its metadata; is it from this workflow?")
    return Facts(str(path), file.num_rows, schema.names, entries)


def read_model_run(path: str | Path) -> ModelRun:
    """Read the metadata of a predictions.parquet."""
    facts = read_facts(path)
    for key in ("sample", "split", "model", "test_digests", "cards"):
        if key not in facts.entries:
            raise ReportError(
                f"{path}: no {key!r} in its metadata; delete it, and its rule runs again"
            )
    entries = facts.entries
    return ModelRun(
        str(path),
        entries["sample"],
        "regress" if "zphot" in facts.columns else "classify",
        entries["split"],
        entries["model"],
        {str(seed): str(digest) for seed, digest in entries["test_digests"].items()},
        {str(seed): dict(card) for seed, card in entries["cards"].items()},
    )


def read_training(folder: str | Path) -> dict[str, Any]:
    """Read the card of a trained model."""
    path = Path(folder) / "card.json"
    remedy = "delete its folder, and train again"
    with reading(path, "JSON", ValueError, remedy=remedy):
        card = json.loads(path.read_text(encoding="utf-8"))
    for key in ("sample", "split", "model", "seed", "kind", "features", "settings", "training"):
        if key not in card:
            raise ReportError(f"{path}: no {key!r}; {remedy}")
    return card


def check_digests(scores: ModelScores, runs: list[ModelRun]) -> None:
    """Raise ReportError if scores and predictions belong to different test parts."""
    for run in runs:
        for seed in {**run.digests, **scores.digests} if run.place == scores.place else ():
            scored, predicted = (of.get(seed, "none") for of in (scores.digests, run.digests))
            if scored != predicted:
                raise ReportError(
                    f"{'/'.join(scores.place)}: scores of seed {seed} are of test part {scored}, "
                    f"but {run.model} predicted test part {predicted}; delete scores.csv, and it "
                    "is made again"
                )


def versions(runs: list[ModelRun]) -> dict[str, list[str]]:
    """Return the versions of each package in the models' cards, sorted."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for card in run.cards.values():
            for package, version in card.get("versions", {}).items():
                found.setdefault(package, set()).add(str(version))
    return {package: sorted(found[package]) for package in sorted(found)}


def device_table(model_runs: list[ModelRun]) -> Table | None:
    """Return the device on which each model was trained; None without cards."""
    seen: dict[tuple[str, ...], list[str]] = {}
    for model_run in model_runs:
        for seed, card in model_run.cards.items():
            place = (
                model_run.sample,
                TASKS[model_run.task],
                model_run.split,
                model_run.model,
                str(card.get("device", "unknown")),
                str(card.get("dtype", "unknown")),
            )
            seen.setdefault(place, []).append(seed)
    rows = [[*map(text_cell, place), text_cell(", ".join(seeds))] for place, seeds in seen.items()]
    columns = word_columns("sample", "task", "split", "model", "device", "precision", "seeds")
    text = "From the cards of the trained models."
    table = Table("Where the models were trained", text, columns, rows, folded=True)
    return table if rows else None


def versions_table(model_runs: list[ModelRun]) -> Table | None:
    """Return the package versions in the models' cards; None if there are none."""
    rows = [
        [text_cell(package), text_cell(", ".join(found))]
        for package, found in versions(model_runs).items()
    ]
    text = "From the cards of the trained models. Several versions: models were trained with each."
    return Table("Versions", text, word_columns("package", "version"), rows) if rows else None


def digest_table(model_runs: list[ModelRun]) -> Table | None:
    """Return the digest of every test part; None if there are none."""
    seen: dict[tuple[str, str, str], str] = {}
    for model_run in model_runs:
        for seed, digest in model_run.digests.items():
            seen[(model_run.sample, model_run.split, seed)] = digest
    rows = [
        [*map(text_cell, (sample, split)), Cell(seed, sort=seed), text_cell(digest)]
        for (sample, split, seed), digest in seen.items()
    ]
    columns = [*word_columns("sample", "split"), Column("seed"), *word_columns("test digest")]
    text = (
        "First 12 hexadecimal digits of the SHA-256 of each test part: equal digests mean equal "
        "objects and features."
    )
    return Table("Test parts", text, columns, rows, folded=True) if rows else None
