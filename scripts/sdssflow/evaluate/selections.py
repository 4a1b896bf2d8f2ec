"""Our scores in the bins of a paper, or with test objects weighted to the paper's distribution.

If the objects of a paper are not available, ours may be brighter or nearer. If an entry states the
distribution of the paper's objects in magnitude or redshift (a range, a median, a histogram), our
objects are weighted by the ratio of the paper's share of each bin to ours. The distribution within
a bin, and all other differences, remain, so two numbers can be compatible but not reproduced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.published import PublishedNumber, Selection
from sdssflow.evaluate import paper_metrics, redshift_metrics
from sdssflow.evaluate.bootstrap import draw_counts, effective_number, interval
from sdssflow.evaluate.metrics import Metric
from sdssflow.evaluate.published import Ours, Place, Refused
from sdssflow.evaluate.redshift_metrics import Residuals, score, value
from sdssflow.evaluate.redshifts import point_columns
from sdssflow.evaluate.tables import Predictions, combined_digest, counts_by_seed, mean_over_seeds

FEWEST_EFFECTIVE = 200  # a scatter of 200 objects has a standard error of 5 %
FEWEST_IN_BIN = 20
SHORT_OF_AN_END = 0.02  # fraction of the range that our objects may lack at either end


def scores_of_curves(
    numbers: Mapping[str, PublishedNumber],
    predictions: Mapping[tuple[str, str, str], Predictions],
    bootstrap: Bootstrap,
) -> dict[Place, list[Ours]]:
    """Return our numbers for each curve and model, by entry, sample, split and model.

    Entries without a curve, and models that are not among the `predictions` (by sample, split and
    model), are skipped.
    """
    found: dict[Place, list[Ours]] = {}
    for name, number in numbers.items():
        if number.curve is None:
            continue
        for each in number.comparisons:
            if each.place in predictions:
                wanted = number.metric, number.convention, number.curve.edges
                scores = binned_scores(predictions[each.place], *wanted, bootstrap)
                found[name, *each.place] = list(scores)
    return found


def redshift_metric(name: str, convention: str) -> Metric:
    """Return the metric of that name and convention; ValueError if there is none."""
    for metric in (*redshift_metrics.METRICS, *paper_metrics.METRICS):
        if (metric.name, metric.convention) == (name, convention):
            return metric
    raise ValueError(f"there is no metric {name!r} with the convention {convention!r}")


def binned_scores(
    predictions: Predictions, metric: str, convention: str, edges: list[float], bootstrap: Bootstrap
) -> Iterator[Ours]:
    """Yield a score, its interval and the digest of the test rows for each bin of zspec.

    Mean over seeds; a bin includes its lower edge only. A bin with fewer than `FEWEST_IN_BIN` test
    objects yields a sentence instead. ValueError if the metric is unknown.
    """
    named = (redshift_metric(metric, convention),)
    digest = combined_digest(predictions.test_digests)
    columns = {seed: point_columns(predictions, seed) for seed in predictions.seeds}
    counts = counts_by_seed([predictions], bootstrap)
    for low, high in pairwise(edges):
        scores = []
        for seed, every in columns.items():
            inside = (every["zspec"] >= low) & (every["zspec"] < high)
            if inside.any():
                chosen = {name: values[inside] for name, values in every.items()}
                scores.append(score(chosen, counts[seed][:, inside], named, epsilon=math.nan))
        where = f"a zspec of {low:.4g} to {high:.4g}"
        if not scores:
            yield f"no test object has {where}"
            continue
        mean = mean_over_seeds(scores)
        if (n := int(mean.n[0])) < FEWEST_IN_BIN:  # a single object has no interval
            objects = "test object has" if n == 1 else "test objects have"
            yield f"{n} {objects} {where}, fewer than {FEWEST_IN_BIN}"
            continue
        lower, upper = interval(mean.replicates[:, 0], bootstrap.level)
        yield float(mean.values[0]), float(lower), float(upper), digest


class NotCoveredError(ValueError):
    """Our objects can't represent those of a paper; the message says why."""


class Weighted(NamedTuple):
    """A score of weighted objects, its interval and the digest of the test part.

    `effective_n` is the effective number of objects, mean over seeds.
    """

    value: float
    low: float
    high: float
    digest: str
    effective_n: float


def selection_weights(values: np.ndarray, selection: Selection) -> np.ndarray:
    """Return (n,) float64 weights, of mean 1, to the distribution stated by a paper.

    `values`, (n,), are the selection's variable for our objects; a missing value has the weight 0.
    A bin includes its lower edge only.

    Raises
    ------
    NotCoveredError
        If a bin with objects of the paper has fewer than `FEWEST_IN_BIN` of ours, our range is
        shorter than the paper's, or the effective number (sum w)^2 / sum w^2 is below
        `FEWEST_EFFECTIVE`.

    Examples
    --------
    >>> redshifts = np.repeat([0.05, 0.2], [300, 100])
    >>> half_below = Selection(variable="zspec", median=0.1, according_to="them")
    >>> np.unique(selection_weights(redshifts, half_below)).round(3)
    array([0.667, 2.   ])
    """
    values = np.asarray(values, dtype=float)
    name, bins = selection.variable, selection.bins
    _check_ends(values, name, bins.edges[0], bins.edges[-1])
    weights = np.zeros(len(values))
    for (low, high), share in zip(pairwise(bins.edges), bins.shares, strict=True):
        inside = (values >= low) & (values < high)
        if share and inside.sum() < FEWEST_IN_BIN:
            raise NotCoveredError(
                f"{inside.sum()} of our objects have a {name} of {low:g} to {high:g}, fewer than "
                f"{FEWEST_IN_BIN}"
            )
        weights[inside] = share / max(inside.sum(), 1)
    weights *= len(values) / weights.sum()
    if (effective := effective_number(weights)) < FEWEST_EFFECTIVE:
        raise NotCoveredError(
            f"weighted to the paper's {name}, the effective number of our objects is "
            f"{effective:.0f}, fewer than {FEWEST_EFFECTIVE}"
        )
    return weights


def _check_ends(values: np.ndarray, name: str, low: float, high: float) -> None:
    lowest, highest = np.nanmin(values), np.nanmax(values)
    reach = min(high, highest) - max(low, lowest)
    for end, ours, short in ((low, lowest, lowest - low), (high, highest, high - highest)):
        if math.isfinite(end) and short > SHORT_OF_AN_END * reach:
            raise NotCoveredError(f"our {name} ends at {ours:.4g}, that of the paper at {end:.4g}")


def weighted_scores(
    numbers: Mapping[str, PublishedNumber],
    predictions: Mapping[tuple[str, str, str], Predictions],
    bootstrap: Bootstrap,
) -> dict[Place, Weighted | Refused]:
    """Return our weighted score for each comparison with a selection, or why there is none.

    Keys are entry, sample, split and model. Comparisons without a selection or without
    `predictions` are skipped. The bootstrap draws objects with their weights.
    """
    found: dict[Place, Weighted | Refused] = {}
    for name, number in numbers.items():
        for each in number.comparisons:
            if each.selection and each.place in predictions:
                metric = redshift_metric(number.metric, number.convention)
                its: Weighted | Refused
                try:
                    its = _weighted(predictions[each.place], metric, each.selection, bootstrap)
                except NotCoveredError as error:
                    its = Refused(error)
                found[name, *each.place] = its
    return found


def _weighted(
    predictions: Predictions, metric: Metric, selection: Selection, bootstrap: Bootstrap
) -> Weighted:
    """Return the score, mean over seeds."""
    if metric.term is None and metric.name != "sigma_nmad":
        raise NotCoveredError(f"{metric.name} ({metric.convention}) has no weighted form")
    values, replicates, effective = [], [], []
    for seed in predictions.seeds:
        frame = predictions.of_seed(seed)
        weights = selection_weights(frame[selection.variable].to_numpy(), selection)
        columns = point_columns(predictions, seed)
        pair = columns["zspec"], columns["zphot"]
        counts = draw_counts(frame["group"].to_numpy(dtype=str), bootstrap)
        drawn = [value(metric, Residuals(*pair, weights=weights * count)) for count in counts]
        values.append(value(metric, Residuals(*pair, weights=weights)))
        replicates.append(drawn)
        effective.append(effective_number(weights))
    low, high = interval(np.mean(replicates, axis=0), bootstrap.level)
    digest = combined_digest(predictions.test_digests)
    mean = float(np.mean(values))
    return Weighted(mean, float(low), float(high), digest, float(np.mean(effective)))
