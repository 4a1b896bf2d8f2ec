"""Features that leak the truth by their values, whatever their names.

Refused are a copy of a column that can't be a feature, any strictly monotonic function of it, and a
code of the class, the plate and the like. Only reported is how well each feature alone predicts the
class and the redshift. All parts are used together, since nothing is trained or chosen here.
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
MOST_ROWS = 20_000  # rows that are checked, evenly spaced
FEWEST_ROWS = 20  # fewer may agree by chance
ROWS_PER_LABEL = 5  # minimum number for a code of a label
MOST_ALIKE = 0.9  # a column with a more frequent single value is not checked
SAME = 1e-6  # rounding, relative to the scatter
FLAGGED_AUC, FLAGGED_R2 = 0.99, 0.9


def refuse_copies(features: Mapping[str, np.ndarray], catalogue: pa.Table) -> None:
    """Raise ValueError if a feature equals or encodes a column that can't be one.

    Features are (n,), NaN where missing, `catalogue` has the same n rows. The message names the
    feature, the column and the reason.
    """
    rows = evenly(catalogue.num_rows)
    small = catalogue.take(pa.array(rows))
    forbidden = [_Column(name, small[name]) for name in FORBIDDEN if name in small.column_names]
    for name, values in features.items():
        for column in forbidden:
            if how := column.leaked_by(values[rows]):
                why = leak_of(column.name) or leak_of("zspec")
                raise ValueError(
                    f"feature {name!r} is refused: it {how} {column.name!r} ({why}). Scores with "
                    "it would mean nothing; remove it from features."
                )


def evenly(n: int, most: int = MOST_ROWS) -> np.ndarray:
    """Return up to `most` of n row numbers, evenly spaced.

    >>> evenly(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)


class _Column:
    """A forbidden column: the ranks of its values, and their order."""

    def __init__(self, name: str, found: pa.ChunkedArray) -> None:
        self.name = name
        codes = pc.rank(found, sort_keys="ascending", tiebreaker="dense").to_numpy()
        self.known = found.is_valid().to_numpy()
        self.codes = codes.astype(np.int64)
        self.order = np.argsort(self.codes, kind="stable")

    def leaked_by(self, feature: np.ndarray) -> str:
        """Return how a feature depends on the column; '' if it is not a leak."""
        order = self.order[(self.known & np.isfinite(feature))[self.order]]
        x, f = self.codes[order], feature[order]
        if len(f) < FEWEST_ROWS or _is_nearly_constant(f):
            return ""
        scatter = SAME * f.std()
        steps, rises = np.diff(f), np.diff(x) > 0
        alike = np.abs(steps) <= scatter
        constant = alike[~rises].all()
        if not _is_nearly_constant(x) and constant and (~alike[rises]).sum() > 1:
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


def _is_nearly_constant(values: np.ndarray) -> bool:
    counts = np.unique(values, return_counts=True)[1]
    return len(counts) < 2 or counts.max() > MOST_ALIKE * len(values)


def _is_code(labels: np.ndarray, values: np.ndarray) -> bool:
    """Return whether there are few different values and each occurs with only one label."""
    different, code = np.unique(values, return_inverse=True)
    if len(different) * ROWS_PER_LABEL > len(values):
        return False
    pairs = np.unique(np.stack([code, labels]), axis=1).shape[1]
    return pairs == len(different)


def single_feature_scores(features: Mapping[str, np.ndarray], catalogue: pa.Table) -> pd.DataFrame:
    """Score each feature alone, without any model.

    Columns are ``feature``; ``known``, the fraction of rows with a value; ``auc``, the largest area
    under the ROC curve of a class (``of_class``) against the others, 0.5 to 1; ``auc_missing``, the
    same for whether the feature is missing; ``r2``, the squared rank correlation with zspec; and
    ``remark``, if one is so high that the feature should be checked. NaN without classes or without
    redshifts.
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
    for name in CLASSES:
        area = roc_area(values, classes == name)
        if not np.isnan(area):
            yield max(area, 1 - area), name


def roc_area(scores: np.ndarray, own: np.ndarray) -> float:
    """Return the area under the ROC curve of (n,) scores; NaN if all objects are `own`, or none."""
    from scipy.stats import rankdata  # its import takes most of a second of every job

    n, others = int(own.sum()), int((~own).sum())
    if not n or not others:
        return np.nan
    return float((rankdata(scores)[own].sum() - n * (n + 1) / 2) / (n * others))


def _rank_correlation(values: np.ndarray, zspec: np.ndarray) -> float:
    both = np.isfinite(values) & np.isfinite(zspec)
    if both.sum() < FEWEST_ROWS:
        return np.nan
    from scipy.stats import rankdata

    first, second = rankdata(values[both]), rankdata(zspec[both])
    if first.std() == 0 or second.std() == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])
