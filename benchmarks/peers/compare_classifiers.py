r"""Compare this project's classifiers with those of other packages on one split, side by side.

    snakemake results/dr14/classify/random/vote/predictions.parquet \
        --configfile config/development.yaml
    PYTHONPATH=scripts python benchmarks/peers/compare_classifiers.py dr14 random --venv DIR \
        [--ours vote network] [--seeds 1] [--only catboost]

Ours are the predictions that the workflow made; the first of `--ours` is the one that all others
are compared with. Peers are trained on the same rows of the same split: `run_classifier.py` says
with which settings. Every method is trained on the part train, stops on the part validation and is
calibrated on the part calibration; ours by its own choice among six ways, peers not at all and by a
temperature, two rows of the table. No method is given a test class, and no sample has a redshift,
position or id among its features: the workflow refuses them.

DIR is an environment of the peers' own with requirements_classifiers.txt (README.md). Prints one
Markdown table: scores of the test part, mean over seeds, with bootstrap intervals; the last score
is the log-loss minus that of the first of ours, paired on the same objects and the same bootstrap
draws.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from compare import Failed, run_quietly, versions_of

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.losses import class_codes
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_metrics import PROBABILITIES, compare_classifiers
from sdssflow.evaluate.tables import Predictions, combined_digest, read_predictions
from sdssflow.prepare.parts import Part, read_part

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements_classifiers.txt"
PEERS = ("catboost", "lightgbm", "xgboost", "hist_boosting", "random_forest")
WAYS = {"plain": "as it is", "scaled": "temperature"}
SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log-loss", "ece": "ECE"}
PARTS = ("train", "validation", "calibration")


def rows_of(development: Path, test: Path, fold: int) -> tuple[dict[str, np.ndarray], Part]:
    """Return what a peer is given of a fold, and the test part with its classes for ourselves."""
    rows = {}
    for name in PARTS:
        part = read_part(development, fold, name)
        if not len(part):
            raise ValueError(
                f"{development}: fold {fold} has no part {name}, which the comparison needs to "
                "stop and to calibrate; give the split a validation and a calibration fraction"
            )
        rows[f"{name}_features"] = part.features
        rows[f"{name}_classes"] = class_codes(part.spec_class)
    objects = read_part(test, fold, "test")
    return rows | {"test_features": objects.features}, objects


def run_peer(
    name: str, python: Path, rows: dict[str, np.ndarray], threads: int, folder: Path
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Train a peer in a process of its own; return its probabilities and what it told."""
    given, out = folder / "rows.npz", folder / "out.npz"
    np.savez(given, **rows)
    command = [python, HERE / "run_classifier.py", name, given, out, "--threads", threads]
    limited = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    limited.pop("PYTHONPATH", None)
    run_quietly(command, env=limited)
    with np.load(out) as file:
        probabilities = dict(file)
    return probabilities, json.loads(out.with_suffix(".json").read_text())


def predictions_of(
    name: str, ours: Predictions, splits: dict[int, Path], python: Path, threads: int, folder: Path
) -> tuple[list[Predictions], dict[str, Any]]:
    """Train a peer on every seed and fold; return its predictions by way, and what it told last."""
    found: dict[str, list[pd.DataFrame]] = {way: [] for way in WAYS}
    told: dict[str, Any] = {}
    for seed, fold, frame in _folds(ours):
        paths = [splits[seed] / f"{part}.parquet" for part in ("development", "test")]
        rows, objects = rows_of(*paths, fold)
        if not np.array_equal(objects.row_id, frame["row_id"].to_numpy()):
            raise ValueError(
                f"{paths[1]}: its objects are not those that {ours.model} was tested on; run the "
                "workflow again"
            )
        probabilities, told = run_peer(name, python, rows, threads, folder)
        for way, probability in probabilities.items():
            found[way].append(frame.assign(**dict(zip(PROBABILITIES, probability.T, strict=True))))
        print(f"{name}, seed {seed}, fold {fold}: {told['fit_s']:.1f} s", file=sys.stderr)
    made = [
        Predictions(f"{name}, {words}", pd.concat(found[way]), ours.test_digests)
        for way, words in WAYS.items()
    ]
    return made, told


def _folds(ours: Predictions) -> Iterator[tuple[int, int, pd.DataFrame]]:
    for seed in ours.seeds:
        frame = ours.of_seed(seed)
        for fold, rows in frame.groupby("fold"):
            yield seed, int(fold), rows


def of_seeds(one: Predictions, seeds: Sequence[int]) -> Predictions:
    """Return the predictions of some seeds; ValueError if one is not there."""
    if lacking := sorted(set(seeds) - set(one.seeds)):
        raise ValueError(
            f"{one.model} has no predictions of seed {lacking[0]}, only of {one.seeds}; run the "
            "workflow with that seed or ask for another by --seeds"
        )
    digests = {seed: one.test_digests[seed] for seed in seeds}
    return Predictions(one.model, one.frame[one.frame["seed"].isin(seeds)], digests)


def table(predictions: Sequence[Predictions], bootstrap: Bootstrap) -> list[str]:
    """Return the lines of the Markdown table; the first of the predictions is compared with."""
    found = compare_classifiers(predictions, ClassScores(), bootstrap)
    scores = found["scores"]
    means = scores[(scores["seed"].astype(str) == "all") & (scores["subset"] == "all")]
    values = means.set_index(["model", "metric"])
    losses = found["differences"].query("metric == 'log_loss'").set_index(["model", "other"])
    first = predictions[0].model
    titles = ["classifier", *SCORES.values(), f"log-loss − {first}"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for one in predictions:
        cells = [one.model, *(_cell(values.loc[(one.model, metric)]) for metric in SCORES)]
        if one.model != first:
            less = losses.loc[(first, one.model)]
            more = {"value": -less["value"], "lower": -less["upper"], "upper": -less["lower"]}
        cells.append("" if one.model == first else _cell(more, "+.4f"))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(row: Mapping[str, float], style: str = ".4f") -> str:
    value, low, high = (format(float(row[name]), style) for name in ("value", "lower", "upper"))
    return f"{value} [{low}, {high}]".replace("-", "\N{MINUS SIGN}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sample")
    parser.add_argument("split")
    parser.add_argument("--venv", type=Path, required=True, help="the peers' environment")
    parser.add_argument("--ours", nargs="+", default=["vote"], help="trained classifiers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--threads", type=int, default=1, help="of each peer (default 1)")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    python = options.venv.absolute() / "bin" / "python"
    if not python.exists():
        parser.error(
            f"{options.venv}: no environment; python -m venv {options.venv} && "
            f"{python} -m pip install --requirement {REQUIREMENTS}"
        )
    folder = options.results / options.sample
    trained = folder / "classify" / options.split
    paths = [trained / model / "predictions.parquet" for model in options.ours]
    predictions = [of_seeds(one, options.seeds) for one in read_predictions(paths, options.ours)]
    splits = {seed: folder / "split" / options.split / str(seed) for seed in options.seeds}
    notes: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in options.only:
            try:
                made, notes[name] = predictions_of(
                    name, predictions[0], splits, python, options.threads, Path(place)
                )
                predictions += made
            except Failed as failed:
                print(f"- {name} failed: {failed}")
    print("\n".join([*header(predictions[0], notes, options.threads), ""]))
    print("\n".join(table(predictions, Bootstrap())))


def header(ours: Predictions, notes: dict[str, dict[str, Any]], threads: int) -> list[str]:
    """Return what the table was made of: rows, digest, times, versions, command."""
    objects = len(ours.frame) // len(ours.seeds)
    return [
        f"- {objects} test objects of each of seeds {ours.seeds}, digest "
        f"{combined_digest(ours.test_digests)}; {len(CLASSES)} classes",
        f"- Python {platform.python_version()}, {threads} thread(s), {versions_of(notes.values())}",
        *(
            f"- {name}: {told['fit_s']:.1f} s to fit {told['trees']} trees and "
            f"{told['predict_s']:.2f} s to predict, temperature {told['temperature']:.2f} "
            "(of the last seed)"
            for name, told in notes.items()
        ),
        f"- `python {shlex.join(sys.argv)}`",
    ]


if __name__ == "__main__":
    main()
