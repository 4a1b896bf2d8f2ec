"""How well outlier rankings find the odd objects of a simulated sky."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.bootstrap import (
    bound_certain_fraction,
    draw_counts,
    interval,
    positive_or_nan,
    with_point_estimate,
)

# columns of outliers.parquet and the sign with which they are large for outliers
RANKINGS = {"isolation": 1, "sparsity": 1, "reconstruction": 1, "combined": -1}
PRECISION, RECALL = "average precision", "recall at N"
COLUMNS = [
    *("ranking", "score", "kind", "value", "lower", "upper", "chance", "oddities", "injected", "n")
]


def oddity_scores(
    outliers: pa.Table, catalogue: pa.Table, oddities: pa.Table, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Score each ranking of `outliers` against the objects that were made odd.

    `outliers` has ``row_id`` and the columns of `RANKINGS`, `catalogue` the ``row_id, objid`` of at
    least these rows, `oddities` the ``objid, kind`` of all objects that were made odd.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: average precision, and recall among the first N of a ranking, N the number of
        ``oddities``, for all kinds and for each; ``chance`` is the expectation of a random order.
        ``injected`` counts those made odd before selection and cuts, ``oddities`` those of them
        among the n objects.

    Raises
    ------
    ValueError
        If none of the oddities is among the objects, or an object has no objid.
    """
    kinds = _kinds(outliers, catalogue, oddities)
    odd = kinds != ""
    if not odd.any():
        raise ValueError(
            f"none of the {len(oddities)} odd objects is left among {len(odd)}; loosen the cuts or "
            "simulate more of them"
        )
    objects = outliers.column("row_id").to_numpy().astype(str)
    weights = with_point_estimate(draw_counts(objects, bootstrap)).astype(float)
    injected = pd.Series(oddities.column("kind").to_pylist()).value_counts()
    share = float(odd.mean())
    names = sorted(set(kinds[odd]))
    about = {"n": len(odd), "oddities": int(odd.sum()), "injected": len(oddities)}
    rows = []
    for ranking, sign in RANKINGS.items():
        order = np.argsort(-sign * outliers.column(ranking).to_numpy(), kind="stable")
        hits, drawn, which = odd[order], weights[:, order], kinds[order]
        scored = {(PRECISION, "all"): average_precision(hits, drawn)}
        scored[RECALL, "all"] = recall_at_number(hits, hits, drawn)
        for kind in names:
            scored[RECALL, kind] = recall_at_number(which == kind, hits, drawn)
        for (score, kind), values in scored.items():
            lower, upper = interval(values[1:], bootstrap.level)
            row = {"ranking": ranking, "score": score, "kind": kind, "value": values[0]}
            row |= {"lower": lower, "upper": upper, "chance": share, **about}
            if kind != "all":
                row |= {"oddities": int((kinds == kind).sum()), "injected": int(injected[kind])}
            if score == RECALL:
                ends = (float(values[0]), row["lower"], row["upper"], row["oddities"])
                row["lower"], row["upper"] = bound_certain_fraction(*ends, bootstrap.level)
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _kinds(outliers: pa.Table, catalogue: pa.Table, oddities: pa.Table) -> np.ndarray:
    """Return what was done to each object, '' if nothing."""
    objid = pd.Series(
        catalogue.column("objid").to_numpy(), index=catalogue.column("row_id").to_numpy()
    )
    wanted = outliers.column("row_id").to_numpy()
    lacking = wanted[~np.isin(wanted, objid.index)]
    if len(lacking) or objid.isna().any():
        row = lacking[0] if len(lacking) else objid.index[objid.isna()][0]
        raise ValueError(f"catalogue: row_id {row} has no objid, which identifies oddities")
    pairs = zip(*(oddities.column(name).to_pylist() for name in ("objid", "kind")), strict=True)
    kinds = dict(pairs)
    return np.array([kinds.get(number, "") for number in objid.loc[wanted].tolist()], dtype=str)


def average_precision(hits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the average precision of a ranking, for m weightings of its n objects.

    The mean over the oddities of the fraction of oddities down to each of them.

    >>> average_precision(np.array([True, False, True]), np.ones((1, 3))).round(4)
    array([0.8333])
    """
    found = np.cumsum(weights * hits, axis=1)
    precision = found / positive_or_nan(np.cumsum(weights, axis=1))
    total = positive_or_nan(found[:, -1])
    return np.nansum(precision * weights * hits, axis=1) / total


def recall_at_number(wanted: np.ndarray, hits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (m,) fraction of the wanted objects among the first N, N the number of hits.

    >>> hits = np.array([True, False, True])
    >>> recall_at_number(hits, hits, np.ones((1, 3)))
    array([0.5])
    """
    number = (weights * hits).sum(axis=1, keepdims=True)
    among = np.cumsum(weights, axis=1) <= number
    return (weights * wanted * among).sum(axis=1) / positive_or_nan((weights * wanted).sum(axis=1))
