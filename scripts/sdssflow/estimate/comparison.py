"""Comparison of the colours of a target with those of the training objects of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.bundle import Bundle
from sdssflow.estimate.drawn import columns
from sdssflow.estimate.redshifts import REFERENCE
from sdssflow.evaluate.bootstrap import effective_number
from sdssflow.evaluate.likeness import density_ratios, separability
from sdssflow.tables import read_parquet

TABLE_COLUMNS = [
    "bundle", "fold", "reference", "drawn", "outside_training", "auc", "effective_n",
]  # fmt: skip


def compare_target(
    bundle: Bundle, drawn: pa.Table, summaries: Sequence[Mapping[str, Any]], neighbours: int
) -> pd.DataFrame:
    """Compare the colours of a target with those of the training objects in a bundle.

    Parameters
    ----------
    bundle : Bundle
        With p(z), since it then includes training objects.
    drawn : pyarrow.Table
        `drawn.read_drawn`, with `zphot` and the features; those with zphot are compared.
    summaries : sequence of mapping
        Summaries of the partitions: `outside_training` is the fraction of all objects with p(z).
    neighbours : int
        Number of nearest training objects for the densities.

    Returns
    -------
    pandas.DataFrame
        `TABLE_COLUMNS`, one row per fold of the bundle. NaN if there are too few objects.
    """
    reference = read_parquet(bundle.folder.path / REFERENCE)
    names = [name for name in reference.column_names if name != "fold"]
    target = np.empty((0, len(names)))
    if "zphot" in drawn.column_names:  # missing if all partitions were set aside
        known = drawn.filter(drawn["zphot"].is_valid())
        target = columns(known, [f"regress:{name}" for name in names])
    found, outside = (
        sum(summary["numbers"].get(key, 0) for summary in summaries)
        for key in ("with_zphot", "outside_training")
    )
    rows = []
    for fold in pc.unique(reference["fold"]).to_pylist():
        trained = columns(reference.filter(pc.equal(reference["fold"], fold)), names)
        weights = density_ratios(trained, trained, target, neighbours)
        rows.append(
            {
                "bundle": bundle.manifest.name,
                "fold": fold,
                "reference": len(trained),
                "drawn": len(target),
                "outside_training": outside / found if found else np.nan,
                "auc": separability(trained, target),
                "effective_n": effective_number(weights) if len(target) else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)
