"""Train one classifier of another package and let it predict: one whole process.

    VENV/bin/python benchmarks/peers/run_classifier.py NAME ROWS.npz OUT.npz [--threads N]

ROWS.npz is what `compare_classifiers.py` writes: features and classes (0, 1, 2) of the parts
train, validation and calibration, and features of the test rows, of which this process never gets
the classes. OUT.npz has the probabilities of the test rows, ``plain`` as the package gives them and
``scaled`` by one temperature, chosen by the log-loss of the calibration part; OUT.json has seconds,
settings chosen on the way and versions.

All are trained on the part train at their defaults, but that boosting gets as many trees as it
likes until the log-loss of the part validation has not improved for 50 of them:

===================  ===============================================================================
catboost             `CatBoostClassifier`, at most 1,000 trees, the default, of which its learning
                     rate is made; the best number of them is kept
lightgbm             `LGBMClassifier`, at most 3,000 trees instead of always 100
xgboost              `XGBClassifier`, the same
hist_boosting        scikit-learn's `HistGradientBoostingClassifier`, the same; given the part
                     validation, it keeps the trees after the best number, so it is trained again
                     with that
random_forest        scikit-learn's `RandomForestClassifier`, 500 trees instead of 100; it stops on
                     nothing and so is trained on the part validation too
===================  ===============================================================================

A forest gives classes that no tree votes for the probability 0, which costs it most of its log-loss
as it stands; before a temperature is chosen, a tree that knows nothing is added to its trees.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

SEED = 1
MOST_TREES = 3000
PATIENCE = 50
FOREST_TREES = 500
SMALLEST = float(np.finfo(np.float64).eps)  # as the log-loss of the table is clipped
Rows = dict[str, np.ndarray]
Fitted = tuple[Any, int]  # a classifier and the number of its trees


def fit_catboost(rows: Rows, threads: int) -> Fitted:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        loss_function="MultiClass",
        random_seed=SEED,
        thread_count=threads,
        allow_writing_files=False,
        verbose=False,
    )
    held = (rows["validation_features"], rows["validation_classes"])
    model.fit(
        rows["train_features"], rows["train_classes"], eval_set=held, early_stopping_rounds=PATIENCE
    )
    return model, int(model.tree_count_)


def fit_lightgbm(rows: Rows, threads: int) -> Fitted:
    from lightgbm import LGBMClassifier, early_stopping

    model = LGBMClassifier(n_estimators=MOST_TREES, random_state=SEED, n_jobs=threads, verbosity=-1)
    held = (rows["validation_features"], rows["validation_classes"])
    model.fit(
        rows["train_features"],
        rows["train_classes"],
        eval_set=[held],
        callbacks=[early_stopping(PATIENCE, verbose=False)],
    )
    return model, int(model.best_iteration_)


def fit_xgboost(rows: Rows, threads: int) -> Fitted:
    from xgboost import XGBClassifier

    model = XGBClassifier(
        n_estimators=MOST_TREES,
        early_stopping_rounds=PATIENCE,
        eval_metric="mlogloss",
        random_state=SEED,
        n_jobs=threads,
    )
    held = (rows["validation_features"], rows["validation_classes"])
    model.fit(rows["train_features"], rows["train_classes"], eval_set=[held], verbose=False)
    return model, int(model.best_iteration) + 1


def fit_hist_boosting(rows: Rows, threads: int) -> Fitted:  # as OMP_NUM_THREADS says
    from sklearn.ensemble import HistGradientBoostingClassifier

    def boosting(trees: int, stops: bool) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            max_iter=trees, early_stopping=stops, n_iter_no_change=PATIENCE, random_state=SEED
        )

    train = rows["train_features"], rows["train_classes"]
    held = {"X_val": rows["validation_features"], "y_val": rows["validation_classes"]}
    scores = boosting(MOST_TREES, True).fit(*train, **held).validation_score_
    best = max(1, int(np.argmax(scores)))  # the first score is that of no tree
    return boosting(best, False).fit(*train), best


def fit_random_forest(rows: Rows, threads: int) -> Fitted:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=FOREST_TREES, random_state=SEED, n_jobs=threads)
    features = np.concatenate([rows["train_features"], rows["validation_features"]])
    model.fit(features, np.concatenate([rows["train_classes"], rows["validation_classes"]]))
    return model, FOREST_TREES


PEERS: dict[str, tuple[str, Callable[[Rows, int], Fitted]]] = {
    "catboost": ("catboost", fit_catboost),
    "lightgbm": ("lightgbm", fit_lightgbm),
    "xgboost": ("xgboost", fit_xgboost),
    "hist_boosting": ("scikit-learn", fit_hist_boosting),
    "random_forest": ("scikit-learn", fit_random_forest),
}


def scaled(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Return (n, k) probabilities proportional to their powers 1 / temperature."""
    log = np.log(np.clip(probability, SMALLEST, 1)) / temperature
    power = np.exp(log - log.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def log_loss(probability: np.ndarray, classes: np.ndarray) -> float:
    """Return the log-loss of (n, k) probabilities, natural logarithm."""
    true = probability[np.arange(len(classes)), classes]
    return float(-np.log(np.clip(true, SMALLEST, 1)).mean())


def best_temperature(probability: np.ndarray, classes: np.ndarray) -> float:
    """Return the temperature from 1/20 to 20 with the lowest log-loss."""
    found = minimize_scalar(
        lambda log: log_loss(scaled(probability, float(np.exp(log))), classes),
        bounds=(-np.log(20), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def run_peer(name: str, rows: Rows, threads: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Fit and predict; return both sets of probabilities, and what was done how fast."""
    package, fit = PEERS[name]
    classes = np.unique(rows["train_classes"])
    if not np.array_equal(classes, np.arange(3)):
        raise ValueError(f"the train part has the classes {classes.tolist()}, not all three")
    started = time.perf_counter()
    model, trees = fit(rows, threads)
    fit_s = time.perf_counter() - started
    started = time.perf_counter()
    known, plain = (
        np.asarray(model.predict_proba(rows[f"{part}_features"]), dtype=np.float64)
        for part in ("calibration", "test")
    )
    predict_s = time.perf_counter() - started
    votes = FOREST_TREES if name == "random_forest" else np.inf
    known, smooth = ((p + 1 / (3 * votes)) / (1 + 1 / votes) for p in (known, plain))
    temperature = best_temperature(known, rows["calibration_classes"])
    probabilities = {"plain": plain, "scaled": scaled(smooth, temperature)}
    packages = {of: importlib.metadata.version(of) for of in (package, "numpy")}
    told = {"fit_s": fit_s, "predict_s": predict_s, "trees": trees, "temperature": temperature}
    return probabilities, told | {"versions": packages}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with np.load(options.rows) as file:
        rows = dict(file)
    probabilities, told = run_peer(options.name, rows, options.threads)
    np.savez(options.out, **probabilities)
    options.out.with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
