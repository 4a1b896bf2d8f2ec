"""Predictive power of single columns: those that can't be features, and the features.

Each column is divided into bins of about equal numbers of objects. The class fractions and the mean
redshift of each bin are computed from one half of the objects and evaluated on the other half, and
vice versa. Duplicates of an object are in the same half. So a column is scored by its predictions
for other objects, whatever its order: a plate predicts the class of the other targets on it, a
unique id predicts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.leaks import leak_of
from sdssflow.prepare.leaks import FORBIDDEN, evenly, roc_area

FEWEST_IN_BIN = 20  # objects of one half
MOST_BINS = 500
PRIOR = 1.0  # objects with the mean of the sample added to each bin, so that no fraction is 0
FEATURE, REFUSED = "feature", "refused"
COLUMNS = ["column", "kind", "known", "auc", "of_class", "r2", "reason"]


def leak_scores(
    features: Mapping[str, np.ndarray], catalogue: pa.Table, object_key: pa.ChunkedArray
) -> pd.DataFrame:
    """Score each (n,) feature, NaN where missing, and each column that can't be one.

    The catalogue has the same n objects; `object_key` is equal for duplicates of one object.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: name; ``feature`` or ``refused``; fraction of objects with a value; the largest
        area under the ROC curve of a class against the others, and the class; the explained
        fraction of the variance of zspec, at least 0; why it is refused. NaN without classes,
        without redshifts, or for a single object.
    """
    rows = evenly(catalogue.num_rows)
    small = catalogue.take(pa.array(rows))
    half = object_key.combine_chunks().dictionary_encode().indices.to_numpy()[rows] % 2
    # a single object predicts nothing for others
    truth = _truth(small) if len(np.unique(half)) == 2 else (None, None)
    named = {(name, FEATURE): values[rows] for name, values in features.items()}
    named |= {
        (name, REFUSED): _codes(small[name]) for name in FORBIDDEN if name in small.column_names
    }
    found = []
    for (name, kind), values in named.items():
        auc, of_class, r2 = _held_out(values, half, *truth)
        reason = (leak_of(name) or leak_of("zspec")) if kind == REFUSED else ""
        found.append((name, kind, float(np.isfinite(values).mean()), auc, of_class, r2, reason))
    return pd.DataFrame(found, columns=COLUMNS)


def _truth(table: pa.Table) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return (n, 3) class memberships and (n,) redshifts; None if unknown or all the same."""
    member = zspec = None
    if "spec_class" in table.column_names:
        classes = table["spec_class"].to_numpy(zero_copy_only=False)
        member = np.stack([classes == name for name in CLASSES], axis=1).astype(float)
        member = member if (member.sum(axis=0) > 0).sum() > 1 else None
    if "zspec" in table.column_names:
        zspec = table["zspec"].to_numpy(zero_copy_only=False).astype(float)
        known = zspec[np.isfinite(zspec)]
        zspec = zspec if len(known) and np.ptp(known) > 0 else None
    return member, zspec


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as numbers that keep its order, NaN where missing."""
    ranks = pc.rank(column, sort_keys="ascending", tiebreaker="dense").to_numpy().astype(float)
    return np.where(column.is_valid().to_numpy(), ranks, np.nan)


def _held_out(
    values: np.ndarray, half: np.ndarray, member: np.ndarray | None, zspec: np.ndarray | None
) -> tuple[float, str, float]:
    """Return the largest area of a class, the class and the explained variance of zspec."""
    bins = [_bins(values, half == one) for one in (0, 1)]
    auc, of_class, r2 = np.nan, "", np.nan
    if member is not None:
        columns = zip(CLASSES, _means(bins, half, member).T, member.T > 0, strict=True)
        areas = [(roc_area(probability, own), name) for name, probability, own in columns]
        auc, of_class = max(area for area in areas if not np.isnan(area[0]))
    if zspec is not None:
        known = np.isfinite(zspec)
        z = zspec[known]
        zphot = _means([numbers[known] for numbers in bins], half[known], z[:, None])[:, 0]
        r2 = max(0.0, float(1 - ((z - zphot) ** 2).sum() / ((z - z.mean()) ** 2).sum()))
    return auc, of_class, r2


def _bins(values: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Return the bin of every object, with edges from the `learnt` ones; 0 where missing."""
    known = values[learnt & np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values), dtype=int)
    count = int(np.clip(len(known) // FEWEST_IN_BIN, 2, MOST_BINS))
    # edges are values that occur, so equal values are in one bin
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)[1:-1], method="higher"))
    return np.where(np.isfinite(values), 1 + np.searchsorted(edges, values, side="right"), 0)


def _means(bins: list[np.ndarray], half: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the means of (n, k) numbers in each object's bin, from the other half."""
    means = np.empty_like(wanted)
    for one, numbers in enumerate(bins):
        learnt = half == one
        size = numbers.max() + 1
        mean = wanted[learnt].mean(axis=0)
        sums = np.stack(
            [np.bincount(numbers[learnt], column, size) for column in wanted[learnt].T], axis=1
        )
        counts = np.bincount(numbers[learnt], minlength=size)[:, None]
        means[~learnt] = ((sums + PRIOR * mean) / (counts + PRIOR))[numbers[~learnt]]
    return means
