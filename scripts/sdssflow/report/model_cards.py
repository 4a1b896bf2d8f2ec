"""Model cards: what a trained model is for, what it learnt from, how good it is and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from sdssflow.configuration.sample import Sample
from sdssflow.report.glossary import BETTER, SUBGROUP_METRICS, direction, label, order
from sdssflow.report.pivots import bin_tables, class_table, overall, score_cell
from sdssflow.report.provenance import ModelRun, Provenance, versions
from sdssflow.report.scores import ModelScores
from sdssflow.report.sections import Section
from sdssflow.report.tables import Table, text_cell, word_columns

USES = {
    "classify": "Probabilities of the classes star, galaxy and quasar from photometry",
    "regress": "Photometric redshifts from magnitudes and colours",
}
ALWAYS = (
    "Objects chosen otherwise than those of the sample: fainter ones, other classes, other "
    "surveys' magnitudes. Single objects where a mistake is costly: take a spectrum."
)


def model_card(
    scores: ModelScores, sample: Sample, limits: list[str], provenance: Provenance
) -> Section:
    """Return the card of the best model of a sample, task and split.

    Parameters
    ----------
    scores : ModelScores
        Scores of all models of the task and split.
    sample : Sample
        The definition of the sample.
    limits : list of str
        Where the model fails.
    provenance : Provenance
        Of the predictions and of the trained models.
    """
    model, name, task, split = scores.best, *scores.place
    mine = [
        card
        for card in provenance.trainings
        if (card["sample"], card["split"], card["model"]) == (name, split, model)
    ]
    runs = [run for run in provenance.model_runs if (run.place, run.model) == (scores.place, model)]
    chosen = f"Best of all by {scores.ranked_by} on the test part itself"
    if scores.kind == "pdf":
        chosen = f"Best of those that give a density p(z), by {scores.ranked_by} on the test part"
    if scores.ties:
        chosen += f"; not told apart from {', '.join(scores.ties)}"
    facts = [
        ("Model", f"{model} ({mine[0]['kind']})" if mine else model),
        ("Intended use", f"{USES[task]}, for objects chosen as those of the sample {name}."),
        ("Not for", ALWAYS),
        ("Why this one", f"{chosen}."),
        *_training_facts(mine, split),
        *_run_facts(runs),
    ]
    if sample.simulated:
        facts.append(("Caution", "Learnt from simulated objects: not for observed ones."))
    mean = _of_model(scores.scores, model)
    bins = _of_model(scores.by_bin, model)
    bins = bins[bins["metric"].isin(SUBGROUP_METRICS[scores.kind])]
    blocks = [_metrics(mean, model, scores.notes)]
    classes = class_table(mean, f"{model}: single classes", "Each class against the rest.", [])
    blocks += [replace(classes, folded=False)] if classes else []
    blocks += bin_tables(bins, f"{model} in subgroups", "Bins with equal numbers of objects.", [])
    anchor = f"{name}-{task}-{split}-card-{model}"
    return Section(
        anchor,
        f"Model card: {model}, {USES[task][0].lower()}{USES[task][1:]}",
        text=[f"Where it fails: {' '.join(limits)}"] if limits else [],
        facts=facts,
        blocks=blocks,
        record=_record(scores, sample, mine, runs),
        exported=f"{task}_{split}_{model}.md",
    )


def _training_facts(cards: list[dict[str, Any]], split: str) -> list[tuple[str, str]]:
    if not cards:
        return []
    learnt = [
        f"seed {row['seed']}, fold {row['fold']}, {row['part']}: {row['objects']:,} objects, "
        f"digest {row['digest']}"
        for row in _learnt_from(cards)
    ]
    settings = (
        f"{key} = {'as in the configuration' if isinstance(value, dict) else value}"
        for key, value in cards[0]["settings"].items()
        if key != "kind"
    )
    return [
        ("Training data", f"Split {split}. {'; '.join(learnt)}."),
        ("Features", ", ".join(cards[0]["features"])),
        ("Settings", ", ".join(settings) or "none"),
    ]


def _learnt_from(cards: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each part that was learnt from, by seed and fold."""
    for card in cards:
        for fold, entry in card["training"].items():
            for part, objects in entry["objects"].items():
                if objects:
                    row = {"seed": card["seed"], "fold": int(fold), "part": part}
                    yield row | {"objects": objects, "digest": entry["digests"][part]}


def _run_facts(runs: list[ModelRun]) -> list[tuple[str, str]]:
    cards = [card for run in runs for card in run.cards.values()]
    if not cards:
        return []
    tested = (f"seed {seed}: {digest}" for run in runs for seed, digest in run.digests.items())
    devices = dict.fromkeys(f"{card.get('device')}, {card.get('dtype')}" for card in cards)
    packages = (f"{package} {' or '.join(found)}" for package, found in versions(runs).items())
    return [
        ("Test data", f"Test digest of {'; '.join(tested)}"),
        ("Device and precision", "; ".join(devices)),
        ("Versions", ", ".join(packages)),
    ]


def _of_model(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    return frame[(frame["model"] == model) & (frame["seed"] == "all")]


def _metrics(scores: pd.DataFrame, model: str, notes: list[str]) -> Table:
    """Return one row per metric and convention: on a card there is one model."""
    rows = overall(scores)
    places = {name: place for place, name in enumerate(order(dict.fromkeys(rows["metric"])))}
    rows = rows.sort_values("metric", key=lambda column: column.map(places), kind="stable")
    body = [
        [
            text_cell(label(row["metric"])),
            score_cell(row),
            text_cell(row["convention"]),
            text_cell(BETTER.get(direction(row["metric"]), "")),
        ]
        for _, row in rows.iterrows()
    ]
    columns = word_columns("score", "value", "convention", "better", numeric=["value"])
    return Table(f"{model}: scores on the test part", "With intervals.", columns, body, notes)


def _record(
    of: ModelScores, sample: Sample, cards: list[dict[str, Any]], runs: list[ModelRun]
) -> dict[str, Any]:
    """Return what a machine reads of the card: plain values, in a fixed order."""
    scores, bins = _of_model(of.scores, of.best), _of_model(of.by_bin, of.best)
    run_cards = [card for run in runs for card in run.cards.values()]
    return {
        "model": of.best,
        "kind": cards[0]["kind"] if cards else None,
        "task": of.task,
        "sample": of.sample,
        "simulated": sample.simulated,
        "split": of.split,
        "seeds": [card["seed"] for card in cards],
        "features": list(cards[0]["features"]) if cards else [],
        "settings": cards[0]["settings"] if cards else {},
        "learnt_from": list(_learnt_from(cards)),
        "test_digests": {seed: digest for run in runs for seed, digest in run.digests.items()},
        "devices": sorted({str(card.get("device")) for card in run_cards}),
        "versions": {package: " or ".join(found) for package, found in versions(runs).items()},
        "metrics": _values(scores, ["metric", "convention", "subset"]),
        "metrics_by_bin": _values(
            bins, ["metric", "convention", "subset", "variable", "bin_low", "bin_high"]
        ),
    }


def _values(rows: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    found = []
    for _, row in rows.iterrows():
        entry = {key: _plain(row[key]) for key in [*keys, "value", "lower", "upper", "n"]}
        found.append({key: value for key, value in entry.items() if value is not None})
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) > 1 else float(f"{value:.6g}")
