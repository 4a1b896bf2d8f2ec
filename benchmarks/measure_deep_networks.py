"""Choose the shape of the classifying networks for a sample, without test rows.

    snakemake results/dr17/split/random/1/development.parquet --configfile config/development.yaml
    PYTHONPATH=scripts python benchmarks/measure_deep_networks.py dr17 random

Cross-validation on all development rows together. Prints, for each shape of the networks, the
log-loss, its paired difference from the default with standard error, the accuracy and the CPU time
of the trainings.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from markdown_tables import header, row

from sdssflow.classify import network_ensembles
from sdssflow.configuration.classifiers import NetworkEnsembleClassifier
from sdssflow.prepare.parts import Part, read_part

FOLDS = 3
SETTINGS: dict[str, dict[str, Any]] = {
    "default: three layers of 32 units, tanh": {},
    "silu": {"activation": "silu"},
    "five layers, silu": {"hidden": [32] * 5, "activation": "silu"},
    "seven layers, silu": {"hidden": [32] * 7, "activation": "silu"},
    "three layers of 64 units, silu": {"hidden": [64] * 3, "activation": "silu"},
    "four layers of 64 units, silu": {"hidden": [64] * 4, "activation": "silu"},
}


def read_rows(path: Path) -> Part:
    """Return the rows of all parts, as one in random order."""
    parts = [read_part(path, 0, name) for name in ("train", "validation", "calibration")]
    names = ("features", "zspec", "spec_class", "row_id", "reference_mag")
    found = {name: [getattr(part, name) for part in parts] for name in names}
    whole = {name: np.concatenate(its) for name, its in found.items() if its[0] is not None}
    order = np.random.default_rng(3).permutation(len(whole["row_id"]))
    groups = pa.chunked_array([chunk for part in parts for chunk in part.group_key.chunks])
    chosen = {name: its[order] for name, its in whole.items()}
    return replace(parts[0], **chosen, group_key=groups.take(pa.array(order)))


def predict(part: Part, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return -ln of the probability of its class for each row, and whether it is the highest."""
    fold = np.arange(len(part)) % FOLDS
    classes = part.truth("spec_class")
    loss, right = np.empty(len(part)), np.empty(len(part))
    chosen = NetworkEnsembleClassifier(kind="network_ensemble", **settings)
    for one in range(FOLDS):
        held = fold == one
        fitted = network_ensembles.fit(chosen, 1, part.subset(~held), part.subset(held & ~held))
        probability = fitted.predict_proba(part.features[held])
        true = probability[np.arange(held.sum()), np.searchsorted(fitted.classes_, classes[held])]
        loss[held], right[held] = -np.log(true), true == probability.max(axis=1)
    return loss, right


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sample")
    parser.add_argument("split")
    parser.add_argument("--results", type=Path, default=Path("results"))
    asked = parser.parse_args()
    path = asked.results / asked.sample / "split" / asked.split / "1/development.parquet"
    part = read_rows(path)
    print(f"{len(part)} development rows of {asked.sample}, {FOLDS} folds")
    header("networks", "log-loss", "minus the default's", "accuracy", "CPU s")
    first = None
    for name, settings in SETTINGS.items():
        started = time.process_time()
        loss, right = predict(part, settings)
        first = loss if first is None else first
        error = (loss - first).std() / np.sqrt(len(part))
        seconds = f"{time.process_time() - started:.0f}"
        difference = f"{(loss - first).mean():+.4f} ± {error:.4f}"
        row(name, f"{loss.mean():.4f}", difference, f"{right.mean():.4f}", seconds)


if __name__ == "__main__":
    main()
