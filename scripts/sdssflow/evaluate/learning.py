"""Learning curves: scores of a model against the number of training objects.

Subsets of the training part are nested: objects are ordered by a hash of row_id and seed, so a
larger subset contains the smaller ones. Validation and calibration part are always used whole.
Scored are the validation part, by which choices may be made, and the test part.

The curve ``a + b N^-c`` is fitted with a, b >= 0 and 0.05 <= c <= 3 (Cortes et al. 1994, NIPS 6,
327), and again to each bootstrap replicate. The resulting uncertainty is that of the objects
scored; it does not include the choice of training objects, over which several seeds average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sdssflow.classify.training import train_classifier
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.evaluate import class_metrics, redshifts
from sdssflow.evaluate.bootstrap import draw_counts, interval
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.tables import Scorer
from sdssflow.logs import progress
from sdssflow.models.folders import class_probabilities, fit_regressor
from sdssflow.prepare.parts import Part
from sdssflow.prepare.splits import hash_uniform

SCORED = ("validation", "test")
EXPONENTS = np.geomspace(0.05, 3.0, 240)
FEWEST_POINTS = 4  # the fit has three parameters
# a score that grows with learning -> the name of 1 minus it
COMPLEMENTS = {"accuracy": "error_rate"}
METRICS = {"classify": ("accuracy", "log_loss"), "regress": ("sigma_nmad", "rms")}
CURVE_COLUMNS = [
    *("task", "model", "part", "metric", "objects", "value", "lower", "upper", "n", "seeds")
]
FIT_COLUMNS = [
    *("task", "model", "part", "metric", "points", "objects"),
    *("floor", "floor_lower", "floor_upper", "factor", "factor_lower", "factor_upper"),
    *("exponent", "exponent_lower", "exponent_upper", "at_twice", "at_twice_lower"),
    *("at_twice_upper", "at_end"),
]


class Fold(NamedTuple):
    """The parts of one fold by name, including test."""

    seed: int
    parts: Mapping[str, Part]


class Curve(NamedTuple):
    """A score against training objects: (p,) `objects`, (p,) `values`, (r, p) `replicates`."""

    objects: np.ndarray
    values: np.ndarray
    replicates: np.ndarray


def subset_sizes(available: int, smallest: int, points: int) -> np.ndarray:
    """Return up to `points` ascending numbers of objects; the last is `available`.

    >>> subset_sizes(8000, 100, 5).tolist(), subset_sizes(90, 100, 5).tolist()
    ([100, 299, 894, 2675, 8000], [90])
    """
    start = min(smallest, available)
    return np.unique(np.rint(np.geomspace(start, available, points)).astype(int))


def nested_order(part: Part, seed: int) -> np.ndarray:
    """Return the row numbers of a part in the order in which subsets include them."""
    return np.argsort(hash_uniform(part.row_id.astype(str), f"{seed}|learning"), kind="stable")


def measure_model(
    task: str,
    settings: Any,
    folds: Sequence[Fold],
    sizes: np.ndarray,
    scorer: Scorer,
    bootstrap: Bootstrap,
    threads: int = 1,
) -> dict[tuple[str, str], tuple[Curve, int]]:
    """Train a model on subsets of the training part and score it.

    Parameters
    ----------
    task : {'classify', 'regress'}
        What the model learns.
    settings : ModelSettings
        The model, trained on `threads` threads.
    folds : sequence of Fold
        The folds of all seeds; scored objects are pooled over the folds of a seed.
    sizes : (p,) int array
        Numbers of training objects.
    scorer : Scorer
        A scorer of the metrics in `METRICS`, from `scorer_of`.

    Returns
    -------
    dict
        (part, metric) -> curve, mean over seeds, and mean number of objects scored. A part without
        objects is left out.
    """
    found: dict[tuple[str, str], list] = {}
    seeds = sorted({fold.seed for fold in folds})
    steps = [(seed, size) for seed in seeds for size in sizes]
    for seed, size in progress(steps, len(steps), "training"):
        predicted = [
            (part, columns)
            for fold in folds
            if fold.seed == seed
            for part, columns in _predict(task, settings, fold, int(size), threads).items()
        ]
        for name in SCORED:
            columns = [of for part, of in predicted if part == name]
            pooled = {key: np.concatenate([of[key] for of in columns]) for key in columns[0]}
            counts = draw_counts(pooled.pop("group"), bootstrap)
            if not counts.shape[1]:
                continue
            score = scorer.score(pooled, counts, scorer.metrics)
            for place, metric in enumerate(scorer.metrics):
                pair = score.values[place], score.replicates[:, place], score.n[place]
                found.setdefault((name, metric.name), []).append(pair)
    return {key: _averaged(key[1], rows, sizes, len(seeds)) for key, rows in found.items()}


def _averaged(metric: str, rows: list, sizes: np.ndarray, seeds: int) -> tuple[Curve, int]:
    """Average over seeds; `rows` are ordered by seed, then size."""
    values = np.reshape([value for value, _, _ in rows], (seeds, len(sizes))).mean(axis=0)
    drawn = np.stack([replicates for _, replicates, _ in rows], axis=1)
    drawn = drawn.reshape(len(drawn), seeds, len(sizes)).mean(axis=1)
    if metric in COMPLEMENTS:
        values, drawn = 1 - values, 1 - drawn
    return Curve(sizes, values, drawn), round(np.mean([n for _, _, n in rows]))


def _predict(
    task: str, settings: Any, fold: Fold, size: int, threads: int
) -> dict[str, dict[str, np.ndarray]]:
    """Train on the first `size` objects; return the columns to be scored, by part."""
    parts = fold.parts
    train = parts["train"].subset(np.sort(nested_order(parts["train"], fold.seed)[:size]))
    known = {name: parts[name] for name in SCORED}
    if task == "classify":
        learnt = {**{name: parts[name] for name in ("validation", "calibration")}, "train": train}
        estimator = train_classifier(settings, learnt, fold.seed, threads=threads).estimator
        return {
            name: {
                "truth": class_metrics.class_codes(part.truth("spec_class")),
                "probability": class_probabilities(estimator, part.features),
                "group": part.group,
            }
            for name, part in known.items()
        }
    how = {"threads": threads}
    estimator = fit_regressor(settings, fold.seed, train, parts["validation"], **how)
    return {
        name: {
            "zspec": part.truth("zspec"),
            "zphot": estimator.predict(part.features) if len(part) else np.empty(0),
            "group": part.group,
        }
        for name, part in known.items()
    }


def scorer_of(task: str, classes: ClassScores, redshift: RedshiftScores) -> Scorer:
    """Return the scorer of a task with the metrics of `METRICS` alone."""
    scorer = class_metrics.scorer(classes) if task == "classify" else redshifts.scorer(redshift)
    chosen = [m for m in scorer.metrics if m.name in METRICS[task] and m.subset == ALL]
    return scorer._replace(metrics=tuple(chosen))


def fit_power_law(objects: np.ndarray, values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Fit ``a + b N^-c`` by weighted least squares with a, b >= 0, c on a grid.

    Parameters
    ----------
    objects : (p,) array
        Numbers N > 0 of training objects, p >= 4.
    values : (r, p) array
        Scores of r curves.
    errors : (p,) array
        Standard errors of the scores; equal weights if one is 0.

    Returns
    -------
    (r, 3) float64 array
        a, b, c of each curve; NaN where a value is not finite.

    Examples
    --------
    >>> n = np.array([100.0, 300.0, 1000.0, 3000.0, 10000.0])
    >>> a, b, c = fit_power_law(n, (0.02 + 0.5 * n**-0.6)[None], np.ones(5))[0]
    >>> round(a, 3), round(b, 1), round(c, 1)
    (np.float64(0.02), np.float64(0.5), np.float64(0.6))
    """
    weights = 1 / errors**2 if (errors > 0).all() else np.ones(len(objects))
    weights = weights / weights.sum()
    mean = values @ weights
    best = np.full((len(values), 4), np.inf)
    for exponent in EXPONENTS:
        shape = (objects / objects[-1]) ** -exponent  # 1 at the end
        center = shape @ weights
        slope = ((values - mean[:, None]) * (shape - center)) @ weights
        slope /= ((shape - center) ** 2) @ weights
        b = np.maximum(slope, 0)
        a = mean - b * center
        without = (values * shape) @ weights / (shape**2 @ weights)  # the best b if a = 0
        b, a = np.where(a < 0, np.maximum(without, 0), b), np.maximum(a, 0)
        loss = ((values - a[:, None] - b[:, None] * shape) ** 2) @ weights
        better = loss < best[:, 0]
        fit = np.stack([loss, a, b * objects[-1] ** exponent, np.full(len(a), exponent)], axis=1)
        best[better] = fit[better]
    best[~np.isfinite(values).all(axis=1)] = np.nan
    return best[:, 1:]


def curve_rows(curve: Curve, level: float) -> list[dict[str, float]]:
    """Return `objects`, `value`, `lower` and `upper` for each number of training objects."""
    lower, upper = interval(curve.replicates, level)
    names = ("objects", "value", "lower", "upper")
    numbers = zip(curve.objects.tolist(), curve.values, lower, upper, strict=True)
    return [dict(zip(names, row, strict=True)) for row in numbers]


def fit_row(curve: Curve, level: float) -> dict[str, Any]:
    """Return floor, factor, exponent and the value at twice the objects, with intervals.

    `at_end`: the exponent is at an end of its range, so the points can't distinguish a floor from a
    slow power. All numbers are NaN with fewer than `FEWEST_POINTS` points.
    """
    names = ("floor", "factor", "exponent", "at_twice")
    about = {"points": len(curve.objects), "objects": int(curve.objects[-1])}
    if len(curve.objects) < FEWEST_POINTS:
        ends = [f"{name}{end}" for name in names for end in ("", "_lower", "_upper")]
        return {**about, **dict.fromkeys(ends, np.nan), "at_end": False}
    objects = curve.objects.astype(float)
    every = np.vstack([curve.values, curve.replicates])
    fits = fit_power_law(objects, every, curve.replicates.std(axis=0))
    twice = fits[:, 0] + fits[:, 1] * (2 * objects[-1]) ** -fits[:, 2]
    numbers = np.column_stack([fits, twice])
    lower, upper = interval(numbers[1:], level)
    row: dict[str, Any] = dict(about)
    for place, name in enumerate(names):
        row |= {name: numbers[0, place], f"{name}_lower": lower[place]}
        row[f"{name}_upper"] = upper[place]
    row["at_end"] = bool(numbers[0, 2] in (EXPONENTS[0], EXPONENTS[-1]))
    return row


def learning_tables(
    models: Mapping[str, Mapping[str, Any]],
    folds: Sequence[Fold],
    sizing: tuple[int, int],
    scorers: Mapping[str, Scorer],
    bootstrap: Bootstrap,
    threads: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``curves.csv`` and ``fits.csv`` of a split.

    `models` are settings by task and name, `scorers` are from `scorer_of` by task. `folds`
    are those of all seeds. `sizing` is the smallest number of training objects and the number of
    points.
    """
    available = min(len(fold.parts["train"]) for fold in folds)
    sizes = subset_sizes(available, *sizing)
    seeds = len({fold.seed for fold in folds})
    curves, fits = [], []
    for task, named in models.items():
        for model, settings in named.items():
            found = measure_model(task, settings, folds, sizes, scorers[task], bootstrap, threads)
            for (part, metric), (curve, n) in found.items():
                about = {"task": task, "model": model, "part": part}
                about["metric"] = COMPLEMENTS.get(metric, metric)
                more = {"n": n, "seeds": seeds}
                curves += [about | row | more for row in curve_rows(curve, bootstrap.level)]
                fits.append(about | fit_row(curve, bootstrap.level))
    return pd.DataFrame(curves, columns=CURVE_COLUMNS), pd.DataFrame(fits, columns=FIT_COLUMNS)
