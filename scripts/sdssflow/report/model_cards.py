"""Model cards: what a trained model is for, what it learnt from, how good it is and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from sdssflow.configuration.sample import Sample
from sdssflow.report.glossary import BETTER, SUBGROUP_METRICS, direction, label, order
from sdssflow.report.pivots import bin_tables, class_table, overall, score_cell
from sdssflow.report.provenance import Known, ModelRun
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


@dataclass(frozen=True)
class Evidence:
    """What a card is made from: the scores of a task and split, and who chose the model."""

    task: str
    split: str
    metrics: str
    scores: pd.DataFrame
    by_bin: pd.DataFrame
    chosen: str
    limits: list[str]
    notes: list[str]


def model_card(
    model: str,
    name: str,
    sample: Sample,
    evidence: Evidence,
    known: Known,
) -> Section:
    """Return the card of one model of a sample, task and split.

    Parameters
    ----------
    model, name : str
        Of the model and of the sample.
    sample : Sample
        Its definition.
    evidence : Evidence
        Scores of all models of the task and split.
    known : Known
        Provenance of the predictions and of the trained models.
    """
    task, split = evidence.task, evidence.split
    mine = [
        card
        for card in known.trainings
        if (card["sample"], card["split"], card["model"]) == (name, split, model)
    ]
    runs = [
        run
        for run in known.model_runs
        if (run.sample, run.task, run.split, run.model) == (name, task, split, model)
    ]
    facts = [
        ("Model", f"{model} ({mine[0]['kind']})" if mine else model),
        ("Intended use", f"{USES[task]}, for objects chosen as those of the sample {name}."),
        ("Not for", ALWAYS),
        ("Why this one", evidence.chosen),
        *_training_facts(mine, split),
        *_run_facts(runs),
    ]
    if sample.simulated:
        facts.append(("Caution", "Learnt from simulated objects: not for observed ones."))
    scores = _of_model(evidence.scores, model)
    bins = _of_model(evidence.by_bin, model)
    bins = bins[bins["metric"].isin(SUBGROUP_METRICS[evidence.metrics])]
    blocks = [_metrics(scores, model, evidence.notes)]
    classes = class_table(scores, f"{model}: single classes", "Each class against the rest.", [])
    blocks += [replace(classes, folded=False)] if classes else []
    blocks += bin_tables(bins, f"{model} in subgroups", "Bins with equal numbers of objects.", [])
    anchor = f"{name}-{task}-{split}-card-{model}"
    return Section(
        anchor,
        f"Model card: {model}, {USES[task][0].lower()}{USES[task][1:]}",
        text=[f"Where it fails: {' '.join(evidence.limits)}"] if evidence.limits else [],
        facts=facts,
        blocks=blocks,
        record=_record(model, name, sample, evidence, mine, runs),
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
    """Yield each part that was learnt from, by seed and fold.

    Classifiers list several parts, regressors the training part alone.
    """
    for card in cards:
        for fold, training in card["training"].items():
            digests = training.get("digests", {"train": training.get("digest")})
            counts = training["objects"]
            counts = counts if isinstance(counts, dict) else {"train": counts}
            for part, objects in counts.items():
                if objects:
                    row = {"seed": card["seed"], "fold": int(fold), "part": part}
                    yield row | {"objects": objects, "digest": digests.get(part)}


def _run_facts(runs: list[ModelRun]) -> list[tuple[str, str]]:
    cards = [card for run in runs for card in run.cards.values()]
    if not cards:
        return []
    tested = (f"seed {seed}: {digest}" for run in runs for seed, digest in run.digests.items())
    devices = dict.fromkeys(f"{card.get('device')}, {card.get('dtype')}" for card in cards)
    versions = (f"{package} {version}" for package, version in _versions(cards).items())
    return [
        ("Test data", f"Test digest of {'; '.join(tested)}"),
        ("Device and precision", "; ".join(devices)),
        ("Versions", ", ".join(versions)),
    ]


def _versions(cards: list[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for card in cards:
        for package, version in card.get("versions", {}).items():
            found.setdefault(package, {})[str(version)] = None
    return {package: " or ".join(versions) for package, versions in sorted(found.items())}


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
    model: str,
    name: str,
    sample: Sample,
    evidence: Evidence,
    cards: list[dict[str, Any]],
    runs: list[ModelRun],
) -> dict[str, Any]:
    """Return what a machine reads of the card: plain values, in a fixed order."""
    scores, bins = _of_model(evidence.scores, model), _of_model(evidence.by_bin, model)
    run_cards = [card for run in runs for card in run.cards.values()]
    return {
        "model": model,
        "kind": cards[0]["kind"] if cards else None,
        "task": evidence.task,
        "sample": name,
        "simulated": sample.simulated,
        "split": evidence.split,
        "seeds": [card["seed"] for card in cards],
        "features": list(cards[0]["features"]) if cards else [],
        "settings": cards[0]["settings"] if cards else {},
        "learnt_from": list(_learnt_from(cards)),
        "test_digests": {seed: digest for run in runs for seed, digest in run.digests.items()},
        "devices": sorted({str(card.get("device")) for card in run_cards}),
        "versions": _versions(run_cards),
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
