"""Choose the size of the classifying networks for a sample, without test rows.

    snakemake results/dr17/split/random/1/development.parquet --configfile config/development.yaml
    PYTHONPATH=scripts python benchmarks/measure_wide_networks.py dr17 random

Prints the log-loss on a fifth of the part train, of ensembles trained on the rest.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from markdown_tables import header, row
from sklearn.metrics import log_loss

from sdssflow.classify import network_ensembles
from sdssflow.configuration.classifiers import NetworkEnsembleClassifier
from sdssflow.prepare.parts import read_part

SETTINGS = {
    "default": {},
    "silu": {"activation": "silu"},
    "64 units": {"hidden": [64, 64, 64]},
    "64 units, silu": {"hidden": [64, 64, 64], "activation": "silu"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sample")
    parser.add_argument("split")
    parser.add_argument("--results", type=Path, default=Path("results"))
    asked = parser.parse_args()
    path = asked.results / asked.sample / "split" / asked.split / "1/development.parquet"
    train, validation = (read_part(path, 0, part) for part in ("train", "validation"))
    held = np.random.default_rng(0).random(len(train)) < 0.2
    rest, judged = train.subset(~held), train.subset(held)
    print(f"{len(rest)} training objects, {len(judged)} test objects; digest {train.digest}")
    header("networks", "log-loss", "CPU s")
    for name, settings in SETTINGS.items():
        started = time.process_time()
        chosen = NetworkEnsembleClassifier(kind="network_ensemble", **settings)
        fitted = network_ensembles.fit(chosen, 1, rest, validation)
        known = fitted.predict_proba(judged.features)
        loss = log_loss(judged.spec_class.astype(str), known, labels=list(fitted.classes_))
        row(name, f"{loss:.4f}", f"{time.process_time() - started:.0f}")


if __name__ == "__main__":
    main()
