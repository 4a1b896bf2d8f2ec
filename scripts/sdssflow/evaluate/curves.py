"""Scores in bins of zspec that a paper chose, to compare with its curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.published import PublishedNumber
from sdssflow.evaluate import paper_metrics, redshift_metrics
from sdssflow.evaluate.bootstrap import draw_counts, interval
from sdssflow.evaluate.metrics import Metric
from sdssflow.evaluate.published import Ours
from sdssflow.evaluate.redshifts import score
from sdssflow.evaluate.tables import Predictions, combined_digest, mean_over_seeds


def scores_of_curves(
    numbers: Mapping[str, PublishedNumber],
    predictions: Mapping[tuple[str, str, str], Predictions],
    bootstrap: Bootstrap,
) -> dict[tuple[str, str, str, str], list[Ours]]:
    """Return our numbers for each curve and model, by entry, sample, split and model.

    Parameters
    ----------
    numbers : mapping of name to PublishedNumber
        The entries; those without a curve are passed over.
    predictions : mapping of (sample, split, model) to Predictions
        What curves are compared with; others have no numbers here.
    bootstrap : Bootstrap
        Of the intervals.
    """
    found = {}
    for name, number in numbers.items():
        if number.curve is None:
            continue
        for each in number.comparisons:
            key = each.sample, each.split, each.model
            if key in predictions:
                asked = number.metric, number.convention, number.curve.edges
                found[name, *key] = list(binned_scores(predictions[key], *asked, bootstrap))
    return found


def redshift_metric(name: str, convention: str) -> Metric:
    """Return the metric of that name and convention; ValueError if there is none."""
    for metric in (*redshift_metrics.METRICS, *paper_metrics.METRICS):
        if (metric.name, metric.convention) == (name, convention):
            return metric
    raise ValueError(f"there is no metric {name!r} of the convention {convention!r}")


def binned_scores(
    predictions: Predictions,
    metric: str,
    convention: str,
    edges: list[float],
    bootstrap: Bootstrap,
) -> Iterator[Ours]:
    """Yield a score, its interval and the digest of the test rows for each bin of zspec.

    Mean over seeds; a bin holds its lower edge and not its upper one. A sentence where a bin has no
    test object.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    named = (redshift_metric(metric, convention),)
    digest = combined_digest(predictions.test_digests)
    frames = {seed: predictions.of_seed(seed) for seed in predictions.seeds}
    counts = {
        seed: draw_counts(frame["group"].to_numpy(dtype=str), bootstrap)
        for seed, frame in frames.items()
    }
    for low, high in pairwise(edges):
        scores = []
        for seed, frame in frames.items():
            inside = ((frame["zspec"] >= low) & (frame["zspec"] < high)).to_numpy()
            columns = {name: frame.loc[inside, name].to_numpy() for name in ("zspec", "zphot")}
            if inside.any():
                drawn = counts[seed][:, inside]
                scores.append(score(columns, drawn, named, epsilon=math.nan))
        if not scores:
            yield f"no test object has a zspec of {low:.4g} to {high:.4g}"
            continue
        mean = mean_over_seeds(scores)
        lower, upper = interval(mean.replicates[:, 0], bootstrap.level)
        yield float(mean.values[0]), float(lower), float(upper), digest
