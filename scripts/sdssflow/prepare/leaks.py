"""Features that give the truth away by their values, whatever they are called.

What is refused: a copy of a column that can't be a feature, anything that rises or falls with it
without an exception, and a code of the class, the plate and the like. What is only told: how well
each feature alone tells the class and the redshift. The rows are those of all parts together:
nothing is learnt here and nothing chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.leaks import leak_of

FORBIDDEN = (
    *("zspec", "zspec_err", "z_warning", "spec_class", "spec_subclass", "plate", "mjd", "fiberid"),
    *("objid", "specobjid", "wise_id", "run", "rerun", "camcol", "field", "ra", "dec"),
    *("sdss_photoz", "sdss_photoz_err", "sdss_photoz_neighbours", "sdss_photoz_error_class"),
)
LABELS = ("spec_class", "spec_subclass", "z_warning", "plate", "mjd", "fiberid", "run", "field")
MOST_ROWS = 20_000  # that are looked at, evenly spaced
FEWEST_ROWS = 20  # fewer agree by chance
ROWS_PER_LABEL = 5  # at least, for a code of it
MOST_ALIKE = 0.9  # share of the commonest value beyond which a column says nothing
SAME = 1e-6  # of the scatter: rounding
FLAGGED_AUC, FLAGGED_R2 = 0.99, 0.9


def refuse_copies(features: Mapping[str, np.ndarray], catalogue: pa.Table) -> None:
    """Raise ValueError if a feature, (n,) NaN where missing, equals or encodes what can't be one.

    `catalogue` has the same n rows. The message names the feature, the column and the reason.
    """
    rows = evenly(catalogue.num_rows)
    small = catalogue.take(pa.array(rows))
    forbidden = [_Column(name, small[name]) for name in FORBIDDEN if name in small.column_names]
    for name, values in features.items():
        seen = values[rows]
        for column in forbidden:
            if how := column.told_by(seen):
                why = leak_of(column.name) or leak_of("zspec")
                raise ValueError(
                    f"feature {name!r} is refused: it {how} {column.name!r} ({why}). Scores with "
                    "it would mean nothing; take it out of features."
                )


def evenly(n: int, most: int = MOST_ROWS) -> np.ndarray:
    """Return up to `most` of n row numbers, evenly spaced.

    >>> evenly(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)


class _Column:
    """A forbidden column: its values as numbers that keep their order, and that order."""

    def __init__(self, name: str, found: pa.ChunkedArray) -> None:
        self.name = name
        codes = pc.rank(found, sort_keys="ascending", tiebreaker="dense").to_numpy()
        self.known = found.is_valid().to_numpy()
        self.codes = codes.astype(np.int64)
        self.order = np.argsort(self.codes, kind="stable")

    def told_by(self, feature: np.ndarray) -> str:
        """Say what a feature has to do with it; '' if it is no leak."""
        order = self.order[(self.known & np.isfinite(feature))[self.order]]
        x, f = self.codes[order], feature[order]
        if len(f) < FEWEST_ROWS or _is_dull(np.sort(f)):
            return ""
        scatter = SAME * f.std()
        steps, rises = np.diff(f), np.diff(x) > 0
        alike = np.abs(steps) <= scatter
        constant = alike[~rises].all()
        if not _is_dull(x) and constant and (~alike[rises]).sum() > 1:
            if (steps[rises] >= -scatter).all():
                return "is a copy of, or rises with,"
            if (steps[rises] <= scatter).all():
                return "falls with"
        labels = rises.sum() + 1
        if self.name not in LABELS or labels < 2 or labels * ROWS_PER_LABEL > len(f):
            return ""
        if constant and not alike[rises].all():
            return "has one value for each value of"
        return "is a code of" if self.name == "spec_class" and _is_code(x, f) else ""


def _is_dull(ordered: np.ndarray) -> bool:
    """Return whether nearly all of some sorted values are one and the same."""
    counts = np.unique(ordered, return_counts=True)[1]
    return len(counts) < 2 or counts.max() > MOST_ALIKE * len(ordered)


def _is_code(labels: np.ndarray, values: np.ndarray) -> bool:
    """Return whether values that are few each occur with one label alone."""
    found, code = np.unique(values, return_inverse=True)
    if len(found) * ROWS_PER_LABEL > len(values):
        return False
    pairs = np.unique(np.stack([code, labels]), axis=1).shape[1]
    return pairs == len(found)


def single_feature_scores(features: Mapping[str, np.ndarray], catalogue: pa.Table) -> pd.DataFrame:
    """Return what each feature says alone, without any model.

    Columns are ``feature``; ``known``, the share of rows that have it; ``auc``, the area under the
    receiver operating characteristic of one class (``of_class``) against the others, the largest of
    all, 0.5 to 1; ``auc_missing``, the same of whether the feature is missing; ``r2``, the squared
    rank correlation with zspec; and ``remark``, if one is so high that the feature is to be looked
    at. NaN where there are no classes, or no redshifts.
    """
    rows = evenly(catalogue.num_rows)
    small = catalogue.take(pa.array(rows))
    classes = small["spec_class"].to_numpy() if "spec_class" in small.column_names else None
    zspec = small["zspec"].to_numpy() if "zspec" in small.column_names else None
    return pd.DataFrame(
        [
            {"feature": name, **_alone(values[rows], classes, zspec)}
            for name, values in features.items()
        ]
    )


def _alone(values: np.ndarray, classes: np.ndarray | None, zspec: np.ndarray | None) -> dict:
    known = np.isfinite(values)
    found: dict[str, Any] = {"known": float(known.mean()), "auc": np.nan, "of_class": ""}
    found["auc_missing"] = np.nan
    if classes is not None:
        best = max(_areas(values[known], classes[known]), default=(np.nan, ""))
        found["auc"], found["of_class"] = best
        missing = max(_areas((~known).astype(float), classes), default=(np.nan, ""))
        found["auc_missing"] = missing[0]
    found["r2"] = _rank_correlation(values, zspec) ** 2 if zspec is not None else np.nan
    limits = {"auc": FLAGGED_AUC, "auc_missing": FLAGGED_AUC, "r2": FLAGGED_R2}
    high = [f"{name} above {limit:g}" for name, limit in limits.items() if found[name] > limit]
    return {**found, "remark": f"{' and '.join(high)}: is it a measurement?" if high else ""}


def _areas(values: np.ndarray, classes: np.ndarray) -> Iterator[tuple[float, str]]:
    from scipy.stats import rankdata  # its import takes most of a second of every job

    ranks = rankdata(values)
    for name in CLASSES:
        of = classes == name
        n, others = int(of.sum()), int((~of).sum())
        if n and others:
            area = (ranks[of].sum() - n * (n + 1) / 2) / (n * others)
            yield float(max(area, 1 - area)), name


def _rank_correlation(values: np.ndarray, zspec: np.ndarray) -> float:
    both = np.isfinite(values) & np.isfinite(zspec)
    if both.sum() < FEWEST_ROWS:
        return np.nan
    from scipy.stats import rankdata

    first, second = rankdata(values[both]), rankdata(zspec[both])
    if first.std() == 0 or second.std() == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])
