"""Score p(z) of any number of objects in bounded memory: chunk by chunk, or in parts side by side.

Means are sums. The distances of the PIT from uniform and sigma_nmad, which need all objects in
order, come from fine histograms; each class says how far they can be from the exact value. The
result doesn't depend on how objects were put in chunks, but for the rounding of the sums.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdssflow.evaluate.pdf_metrics import (
    METRICS,
    PIT_EDGE,
    POINTS,
    TERMS,
    mean_terms,
    metric_values,
    pit_distances,
    point_residuals,
)
from sdssflow.evaluate.redshift_metrics import MAD_TO_SIGMA
from sdssflow.evaluate.score_tables import Metric

PIT_BINS = 10_000  # as wide as PIT_EDGE: what is clipped fills the first and last bin
RESIDUAL_WIDTH = 1e-5
RESIDUAL_REACH = 1.0  # residuals beyond count as this far


class PitHistogram:
    """The distribution of PIT values, in bins of 0.0001.

    Each PIT counts as the middle of its bin, at most h = 0.00005 off. So `pit_ks` is at most h off
    and `pit_cvm` at most 2h. The bound of `pit_ad` depends on where the PIT are (`error_bounds`):
    near 0.0002 n if they are uniform, reached only if all lie at the same side of their bins.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(PIT_BINS, dtype=np.int64)

    def accumulate(self, pit: np.ndarray) -> None:
        """Add (n,) PIT values from 0 to 1."""
        numbers = np.minimum((np.asarray(pit) * PIT_BINS).astype(np.int64), PIT_BINS - 1)
        self.counts += np.bincount(numbers, minlength=PIT_BINS)

    def merge(self, other: PitHistogram) -> None:
        """Add what another histogram counted."""
        self.counts += other.counts

    def finalize(self) -> np.ndarray:
        """Return (3,) `pit_ks`, `pit_cvm` and `pit_ad`; NaN if nothing was counted."""
        return pit_distances((np.arange(PIT_BINS) + 0.5) / PIT_BINS, self.counts[None])[0]

    def error_bounds(self) -> np.ndarray:
        """Return (3,) largest distances of `finalize` from the exact values."""
        half = 0.5 / PIT_BINS
        edges = np.clip(np.arange(PIT_BINS + 1) / PIT_BINS, PIT_EDGE, 1 - PIT_EDGE)
        middles = np.clip((np.arange(PIT_BINS) + 0.5) / PIT_BINS, PIT_EDGE, 1 - PIT_EDGE)
        total = self.counts.sum()
        if not total:
            return np.full(3, np.nan)
        after = np.cumsum(self.counts) / total
        before = np.append(0.0, after[:-1])
        # the logarithm is steepest on the side of the bin towards 0 (and towards 1 for 1 - u)
        off = (after**2 - before**2) @ np.log(middles / edges[:-1])
        off += ((1 - before) ** 2 - (1 - after) ** 2) @ np.log((1 - middles) / (1 - edges[1:]))
        return np.array([half, 2 * half, total * off])


class ResidualHistogram:
    """The distribution of a normalised residual from -1 to 1, in bins of w = 0.00001.

    Each residual counts as the middle of its bin, at most w / 2 off; so the median is at most w / 2
    off, a distance from it at most w, and `sigma_nmad` at most 1.4826 w. Residuals beyond -1 and 1
    count as -1 and 1, which no median notices as long as they are few.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(round(2 * RESIDUAL_REACH / RESIDUAL_WIDTH), dtype=np.int64)

    def accumulate(self, residual: np.ndarray) -> None:
        """Add (n,) residuals."""
        numbers = np.floor((np.asarray(residual) + RESIDUAL_REACH) / RESIDUAL_WIDTH)
        numbers = np.clip(numbers, 0, len(self.counts) - 1).astype(np.int64)
        self.counts += np.bincount(numbers, minlength=len(self.counts))

    def merge(self, other: ResidualHistogram) -> None:
        """Add what another histogram counted."""
        self.counts += other.counts

    def finalize(self) -> float:
        """Return `sigma_nmad`; NaN if nothing was counted or so much lies beyond 1 that it rules.

        The median absolute deviation must not reach from the median to an end of the histogram.
        """
        middles = (np.arange(len(self.counts)) + 0.5) * RESIDUAL_WIDTH - RESIDUAL_REACH
        used = self.counts > 0
        middles, counts = middles[used], self.counts[used]
        if not len(counts):
            return np.nan
        median = _weighted_median(middles, counts)
        distance = np.abs(middles - median)
        order = np.argsort(distance, kind="stable")
        spread = _weighted_median(distance[order], counts[order])
        inside = spread + RESIDUAL_WIDTH < RESIDUAL_REACH - abs(median)
        return MAD_TO_SIGMA * spread if inside else np.nan


class PdfScoreSums:
    """All metrics of `pdf_metrics` of one model, from chunks of its predictions.

    Examples
    --------
    >>> sums = PdfScoreSums()
    >>> for chunk in ():  # mappings of column name to (n,) array
    ...     sums.accumulate(chunk)
    >>> sums.n
    0
    """

    def __init__(self) -> None:
        self.n = 0
        self.sums = np.zeros(TERMS)
        self.pit = PitHistogram()
        self.residuals = [ResidualHistogram() for _ in POINTS]

    def accumulate(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add a chunk: `pdf_metrics.COLUMNS`, each an (n,) float64 array."""
        terms = mean_terms(columns)
        self.n += len(terms)
        self.sums += terms.sum(axis=0)
        self.pit.accumulate(columns["pit"])
        for histogram, residual in zip(self.residuals, point_residuals(columns).T, strict=True):
            histogram.accumulate(residual)

    def merge(self, other: PdfScoreSums) -> None:
        """Add what was accumulated elsewhere."""
        self.n += other.n
        self.sums += other.sums
        self.pit.merge(other.pit)
        for mine, theirs in zip(self.residuals, other.residuals, strict=True):
            mine.merge(theirs)

    def finalize(self) -> dict[Metric, float]:
        """Return the value of each metric; NaN if nothing was accumulated."""
        means = self.sums / self.n if self.n else np.full(TERMS, np.nan)
        scatters = np.array([histogram.finalize() for histogram in self.residuals])
        values = metric_values(self.pit.finalize()[None], means[None], scatters[None])[0]
        return dict(zip(METRICS, map(float, values), strict=True))


def _weighted_median(values: np.ndarray, counts: np.ndarray) -> float:
    """Return the median of ascending `values`, each counted `counts` times."""
    reached = np.cumsum(counts)
    middle = np.searchsorted(reached, [(reached[-1] - 1) // 2, reached[-1] // 2], side="right")
    return float(values[middle].mean())
