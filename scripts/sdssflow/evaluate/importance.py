r"""Which features a trained model uses: permutation importance and partial dependence.

The importance of a feature is the increase of the mean loss when its values are permuted among the
objects (Breiman 2001, Machine Learning 45, 5; Fisher, Rudin & Dominici 2019, JMLR 20, 177): what
the model loses without it if it keeps the others. Correlated features, such as colours with a band
in common, replace each other, so each may look dispensable; they are also permuted as a group. The
loss of an object is

==========  =============================================================================
classifier  minus ln of the probability of the true class; the mean is the log-loss
regressor   CRPS of the recalibrated p(z); without p(z) \|zphot - zspec\|, the CRPS of a point
==========  =============================================================================

Partial dependence is the mean prediction with a feature set to one value for all objects (Friedman
2001, Annals of Statistics 29, 1189), whether or not such objects exist. Both describe the model,
not nature. Values are permuted within a fold, and the model of that fold predicts. All models get
the same objects and permutations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from sdssflow.bands import BANDS
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.importance import Importance
from sdssflow.evaluate.bootstrap import draw_counts, interval, weighted_sums, with_point_estimate
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.prediction_tables import require_match
from sdssflow.evaluate.tables import combined_digest
from sdssflow.logs import progress
from sdssflow.models.folders import open_folder
from sdssflow.prepare.feature_columns import Feature
from sdssflow.prepare.parts import Part, folds, read_part
from sdssflow.tables import metadata

IMPORTANCE_COLUMNS = [
    "model", "seed", "score", "kind", "name", "features", "unpermuted", "value", "lower", "upper",
    "n", "data_digest",
]  # fmt: skip
DEPENDENCE_COLUMNS = [
    "model", "rank", "feature", "at", "output", "value", "lower", "upper", "n", "data_digest",
]  # fmt: skip
Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Probe:
    """Losses and outputs of a trained model for m objects with changed features.

    Both take (k m, f) float64 features: k versions of those of all objects, one after the other.
    `losses` returns the (k m,) losses, whose mean is the `score`; `outputs` returns (k m,)
    predictions by name.
    """

    score: str
    losses: Callable[[np.ndarray], np.ndarray]
    outputs: Callable[[np.ndarray], Outputs]


MakeProbe = Callable[[Path, int, Part], Probe]


@dataclass(frozen=True)
class DrawnFold:
    """The drawn objects of one test fold, with the functions of its model."""

    part: Part
    probe: Probe
    permutations: tuple[np.ndarray, ...]

    @cached_property
    def losses(self) -> np.ndarray:
        """The (m,) losses without permutation."""
        return self.probe.losses(self.part.features)

    def growth(self, columns: Sequence[int]) -> np.ndarray:
        """Return the (k m,) increase of each loss in each of k permutations of some columns."""
        given, orders = self.part.features, np.concatenate(self.permutations)
        features = np.tile(given, (len(self.permutations), 1))
        features[:, columns] = given[np.ix_(orders, np.asarray(columns))]
        return self.probe.losses(features) - np.tile(self.losses, len(self.permutations))


@dataclass(frozen=True)
class Drawn:
    """The drawn objects of one seed and their bootstrap weights.

    `weights` are (1 + replicates, n) uint8, for the objects of all `folds` in order; the first row
    counts each once. `digest` is the data digest of the test part.
    """

    folds: tuple[DrawnFold, ...]
    weights: np.ndarray
    digest: str

    @property
    def features(self) -> np.ndarray:
        """The (n, f) features."""
        return np.concatenate([fold.part.features for fold in self.folds])

    @cached_property
    def pairs(self) -> np.ndarray:
        """Weight of each object times the weight of the object whose value it receives.

        (1 + replicates, k n) uint8 for k permutations, in the order of `DrawnFold.growth`. An
        importance is a mean over pairs of objects, so a replicate draws both: otherwise intervals
        would be too short by up to a half.
        """
        ends = np.cumsum([len(fold.part) for fold in self.folds])[:-1]
        own = np.split(self.weights, ends, axis=1)
        products = [
            weights * weights[:, order]
            for fold, weights in zip(self.folds, own, strict=True)
            for order in fold.permutations
        ]
        return np.concatenate(products, axis=1)

    def mean_loss(self) -> float:
        """Return the mean loss without permutation."""
        return float(np.concatenate([fold.losses for fold in self.folds]).mean())

    def growth(self, columns: Sequence[int]) -> np.ndarray:
        """Return the (1 + replicates,) increase of the mean loss with these columns permuted."""
        grown = np.concatenate([fold.growth(columns) for fold in self.folds])
        return _means(self.pairs, grown[:, None])[:, 0]

    def means(self, of: Callable[[DrawnFold], np.ndarray]) -> np.ndarray:
        """Return (1 + replicates, k) means over objects of the (m, k) values `of` each fold."""
        return _means(self.weights, np.concatenate([of(fold) for fold in self.folds]))


def _means(weights: np.ndarray, summands: np.ndarray) -> np.ndarray:
    """Return (r, k) means of (n, k) summands, by (r, n) weights."""
    with np.errstate(invalid="ignore"):  # an empty replicate: NaN
        return weighted_sums(weights, summands) / weights.sum(axis=1, dtype=float)[:, None]


def explain_models(
    models: Sequence[str],
    folders: Sequence[str | Path],
    tests: Sequence[str | Path],
    seeds: Sequence[int],
    make_probe: MakeProbe,
    settings: Importance,
    bootstrap: Bootstrap,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `importance_table` and `dependence_table` of some models of a split.

    `folders` are model folders, one per model and seed, seeds varying fastest; the other parameters
    and errors are those of `draw_tests`.
    """
    tables = []
    for place, model in enumerate(progress(models, len(models), "explaining")):
        own = folders[place * len(seeds) : (place + 1) * len(seeds)]
        drawn = draw_tests(own, tests, seeds, make_probe, settings, bootstrap)
        importance = importance_table(model, drawn, bootstrap.level)
        dependence = dependence_table(model, drawn, importance, settings, bootstrap.level)
        tables.append((importance, dependence))
    importances, dependences = zip(*tables, strict=True)
    return pd.concat(importances), pd.concat(dependences)


def draw_tests(
    folders: Sequence[str | Path],
    tests: Sequence[str | Path],
    seeds: Sequence[int],
    make_probe: MakeProbe,
    settings: Importance,
    bootstrap: Bootstrap,
) -> dict[int, Drawn]:
    """Draw the test objects of each seed for one model.

    `folders` and `tests` are model folders and ``test.parquet`` files, one per seed. `make_probe`
    takes model folder, fold and the drawn objects of that fold. The settings give the numbers of
    objects and permutations, and the seed of both.

    ValueError if a folder and a test table differ in sample, split, seed or features, or the model
    can't predict one of the objects.
    """
    found = {}
    for folder, test, seed in zip(map(Path, folders), map(Path, tests), seeds, strict=True):
        about = metadata(pq.read_schema(test))
        require_match(folder, open_folder(folder).card, test, about, seed)
        parts = {fold: read_part(test, fold, "test") for fold in folds(test)}
        drawn = []
        for (fold, part), rows in zip(parts.items(), _draw(parts, seed, settings), strict=True):
            if not len(rows):
                continue
            some = part.subset(rows)
            try:
                probe = make_probe(folder, fold, some)
            except ValueError as error:
                raise ValueError(f"{test}, model {folder}: {error}") from error
            drawn.append(DrawnFold(some, probe, _permutations(len(some), seed, fold, settings)))
        groups = np.concatenate([fold.part.group for fold in drawn])
        weights = with_point_estimate(draw_counts(groups, bootstrap))
        found[seed] = Drawn(tuple(drawn), weights, about["data_digest"])
    return found


def _draw(parts: Mapping[int, Part], seed: int, settings: Importance) -> list[np.ndarray]:
    """Return the drawn rows of each fold, ascending; `settings.rows` in all."""
    sizes = [len(part) for part in parts.values()]
    generator = np.random.default_rng([settings.seed, seed])
    chosen = np.sort(generator.permutation(sum(sizes))[: settings.rows])
    ends = np.cumsum(sizes)
    return [
        chosen[(chosen >= end - size) & (chosen < end)] - (end - size)
        for size, end in zip(sizes, ends, strict=True)
    ]


def _permutations(n: int, seed: int, fold: int, settings: Importance) -> tuple[np.ndarray, ...]:
    return tuple(
        np.random.default_rng([settings.seed, seed, fold, number]).permutation(n)
        for number in range(settings.permutations)
    )


def feature_groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the features that are permuted together, by the quantity they measure.

    All that involve a band beyond ugriz are one group, as if the other survey were not used.

    >>> feature_groups(["model_color_ug", "model_color_gr", "model_mag_r", "model_color_rw1"])
    {'model_color': ['model_color_ug', 'model_color_gr'], 'model_mag': ['model_mag_r'], 'beyond_ugriz': ['model_color_rw1']}
    """  # noqa: E501
    found: dict[str, list[str]] = {}
    for name in names:
        feature = Feature.named(name)
        further = set(feature.bands) - set(BANDS)
        found.setdefault("beyond_ugriz" if further else feature.quantity, []).append(name)
    return found


def importance_table(model: str, drawn: Mapping[int, Drawn], level: float) -> pd.DataFrame:
    """Measure the importance of each feature and group of features for one model.

    `drawn` is from `draw_tests`; intervals are from a bootstrap over groups of objects, with the
    two-sided confidence `level`. Returns `IMPORTANCE_COLUMNS`: for each feature and group a row per
    seed and one, ``all``, for their mean; `value` is the mean loss after permutation minus
    `unpermuted`, the mean loss before.
    """
    names = next(iter(drawn.values())).folds[0].part.feature_names
    sets = [("feature", name, [name]) for name in names]
    sets += [("group", name, members) for name, members in feature_groups(names).items()]
    labels, before = _labels(drawn), {seed: its.mean_loss() for seed, its in drawn.items()}
    score = next(iter(drawn.values())).folds[0].probe.score
    known = {}
    rows = []
    for kind, name, members in sets:
        columns = tuple(names.index(member) for member in members)
        if columns not in known:
            known[columns] = {seed: its.growth(columns) for seed, its in drawn.items()}
        for seed, n, digest in labels:
            about = (model, seed, score, kind, name, " ".join(members), _of_seed(before, seed))
            value = _with_interval(_of_seed(known[columns], seed), level)
            rows.append((*about, *value, n, digest))
    return pd.DataFrame(rows, columns=IMPORTANCE_COLUMNS)


def dependence_table(
    model: str,
    drawn: Mapping[int, Drawn],
    importance: pd.DataFrame,
    settings: Importance,
    level: float,
) -> pd.DataFrame:
    """Compute the partial dependence of one model on its most important features.

    `importance` is from `importance_table` for the same `drawn` objects; the settings give the
    numbers of features and values. Returns `DEPENDENCE_COLUMNS`, mean over seeds: for each feature,
    by `rank`, and value `at`, the mean of each output with its interval. A feature that is missing
    in all drawn objects has no row.
    """
    single = importance[(importance["kind"] == "feature") & (importance["seed"] == ALL)]
    ranked = single.sort_values("value", ascending=False, kind="stable")
    names = next(iter(drawn.values())).folds[0].part.feature_names
    *_, (_, n, digest) = _labels(drawn)
    rows = []
    for rank, name in enumerate(ranked["name"].head(settings.strongest), start=1):
        column = names.index(name)
        values = _values(
            np.concatenate([its.features[:, column] for its in drawn.values()]), settings
        )
        for at, output, means in _dependence(drawn, column, values):
            value = _with_interval(means, level)
            rows.append((model, rank, name, at, output, *value, n, digest))
    return pd.DataFrame(rows, columns=DEPENDENCE_COLUMNS)


def _values(feature: np.ndarray, settings: Importance) -> np.ndarray:
    """Return the values at which to set a feature: its quantiles 0.01 to 0.99, ascending."""
    finite = feature[np.isfinite(feature)]
    if not len(finite):
        return finite
    return np.unique(np.quantile(finite, np.linspace(0.01, 0.99, settings.points)))


def _dependence(
    drawn: Mapping[int, Drawn], column: int, values: np.ndarray
) -> Iterator[tuple[float, str, np.ndarray]]:
    """Yield value, output and the (1 + replicates,) mean output, over seeds, at that value."""
    if not len(values):
        return
    names: list[str] = []

    def outputs(fold: DrawnFold) -> np.ndarray:
        features = np.tile(fold.part.features, (len(values), 1))
        features[:, column] = np.repeat(values, len(fold.part))
        found = fold.probe.outputs(features)
        names[:] = found
        said = np.stack(list(found.values())).reshape(len(found), len(values), -1)
        return said.transpose(2, 1, 0).reshape(len(fold.part), -1)

    means = _mean_over([its.means(outputs) for its in drawn.values()])
    for place, (at, name) in enumerate(itertools.product(values.tolist(), names)):
        yield at, name, means[:, place]


def _labels(drawn: Mapping[int, Drawn]) -> list[tuple[int | str, int, str]]:
    """Return label, (mean) number of objects and data digest of each seed, then of all seeds."""
    numbers = {seed: its.weights.shape[1] for seed, its in drawn.items()}
    labels = [(seed, numbers[seed], its.digest) for seed, its in drawn.items()]
    digests = {seed: its.digest for seed, its in drawn.items()}
    return [*labels, (ALL, round(np.mean(list(numbers.values()))), combined_digest(digests))]


def _of_seed(by_seed: Mapping[Any, Any], seed: int | str) -> Any:
    return _mean_over(list(by_seed.values())) if seed == ALL else by_seed[seed]


def _mean_over(seeds: Sequence[np.ndarray]) -> np.ndarray:
    """Average over seeds, replicate by replicate: the seeds share the draws."""
    return np.mean(seeds, axis=0)


def _with_interval(means: np.ndarray, level: float) -> tuple[float, float, float]:
    low, high = interval(means[1:], level)
    return float(means[0]), float(low), float(high)
