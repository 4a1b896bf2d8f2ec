"""Compare methods of calibrating classifiers, on rows that neither was fitted to.

    snakemake results/dr14/split/random/1/development.parquet \
        --configfile config/development.yaml
    PYTHONPATH=scripts python benchmarks/measure_calibration.py dr14 random \
        config/development.yaml

Development rows are cross-validated: each fifth of the groups is predicted by classifiers that were
trained and calibrated on the parts of the others. `--test` uses the test part instead, once the
choice is made. For each classifier and method the table has log-loss, ECE, accuracy and macro F1,
pooled over folds and seeds, and the difference in log-loss from the usual method with its standard
error. `auto` is `calibration.choose`, `lowest` the method of lowest log-loss in it. The voters of a
vote are calibrated by the same method as the vote.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sdssflow.classify.calibration import (
    METHODS,
    Probabilities,
    cached_classifier,
    calibrate,
    choose,
)
from sdssflow.classify.losses import class_codes, log_losses
from sdssflow.configuration.loading import load_layers, load_samples, read_layers
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_metrics import METRICS, class_scores
from sdssflow.models.folders import class_probabilities, program
from sdssflow.prepare.parts import Part, read_part
from sdssflow.prepare.splits import hash_uniform
from sdssflow.report.model_figures import models

FOLDS = 5
SHOWN = ("log_loss", "ece", "accuracy", "macro_f1")
WAYS = (*METHODS, "lowest", "auto")


def folds(path: Path, test: bool) -> Iterator[tuple[dict[str, Part], np.ndarray, np.ndarray]]:
    """Yield parts to train on, and features and classes of the held-out rows."""
    parts = {name: read_part(path, 0, name) for name in ("train", "validation", "calibration")}
    if test:
        part = read_part(path.with_name("test.parquet"), 0, "test")
        yield parts, part.features, part.spec_class
        return
    number = {
        name: np.floor(FOLDS * hash_uniform(part.group, "calibration"))
        for name, part in parts.items()
    }
    for fold in range(FOLDS):
        kept = {name: part.subset(number[name] != fold) for name, part in parts.items()}
        left = [part.subset(number[name] == fold) for name, part in parts.items()]
        features = np.vstack([part.features for part in left])
        yield kept, features, np.concatenate([part.spec_class for part in left])


def calibrated(
    model: Any, rows: np.ndarray, unseen: np.ndarray, classes: np.ndarray, usual: str, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Return, by way, probabilities of calibration and held-out rows, and the method used."""
    chosen = choose(model, "auto", usual, rows, classes, seed)
    lowest = min(chosen.scores, key=lambda name: chosen.scores[name][0])
    found = {}
    for way in WAYS:
        method = {"lowest": lowest, "auto": chosen.method}.get(way, way)
        made = calibrate(model, method, rows, classes)
        found[way] = (*(class_probabilities(made, some) for some in (rows, unseen)), method)
    return found


def measure(run: Any, names: list[str], seed: int, held: tuple) -> dict[str, dict[str, tuple]]:
    """Train every classifier on the parts of one fold and calibrate it in every way."""
    parts, features, _ = held
    classes = parts["calibration"].spec_class
    found: dict[str, dict[str, tuple]] = {}
    for name in names:
        settings = run.classifiers[name]
        if not settings.voters:
            fitted = program(settings).fit(settings, seed, parts["train"], parts["validation"], 2)
            model, rows = cached_classifier(fitted, parts["calibration"].features)
            unseen = cached_classifier(fitted, features)[1]
            found[name] = calibrated(model, rows, unseen, classes, settings.usual, seed)
            continue
        vote = Probabilities()
        vote.classes_ = np.unique(classes)
        found[name] = {}
        for way in WAYS:
            votes = [np.mean([found[v][way][k] for v in settings.voters], axis=0) for k in (0, 1)]
            found[name][way] = calibrated(vote, *votes, classes, settings.usual, seed)[way]
    return found


def show(name: str, of: dict[str, list], codes: np.ndarray, usual: str) -> None:
    """Print a line for each way to calibrate one classifier."""
    metrics = tuple(metric for metric in METRICS if metric.name in SHOWN)
    nothing = np.zeros((0, len(codes)), np.uint8)
    stated = {way: np.concatenate([made[1] for made in of[way]]) for way in WAYS}
    losses = {way: log_losses(probability, codes) for way, probability in stated.items()}
    for way, probability in stated.items():
        scores = class_scores(codes, probability, nothing, ClassScores(), metrics)
        values = {m.name: value for m, value in zip(scores.metrics, scores.values, strict=True)}
        more = losses[way] - losses[usual]
        taken = dict.fromkeys(made[2] for made in of[way]) if way in ("lowest", "auto") else {}
        print(
            f"{name:11}{way:20}{'  '.join(f'{values[metric]:.4f}' for metric in SHOWN)}"
            f"   {more.mean():+.4f} ± {more.std() / np.sqrt(len(more)):.4f}  {', '.join(taken)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sample")
    parser.add_argument("split")
    parser.add_argument("configfiles", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--test", action="store_true")
    asked = parser.parse_args()
    run = load_layers(read_layers(["config/config.yaml", *asked.configfiles], []))
    names = models(run, load_samples(run)[asked.sample], "classify")
    names = [name for name in names if run.classifiers[name].kind != "dummy"]
    every: dict[str, dict[str, list]] = {name: defaultdict(list) for name in names}
    truth = []
    for seed in asked.seeds:
        path = Path("results", asked.sample, "split", asked.split, str(seed), "development.parquet")
        for held in folds(path, asked.test):
            truth.append(class_codes(held[2]))
            for name, ways in measure(run, names, seed, held).items():
                for way, made in ways.items():
                    every[name][way].append(made)
    print(f"{'':31}{'  '.join(SHOWN)}   log-loss more than the usual one's")
    for name in names:
        show(name, every[name], np.concatenate(truth), run.classifiers[name].usual)


if __name__ == "__main__":
    main()
