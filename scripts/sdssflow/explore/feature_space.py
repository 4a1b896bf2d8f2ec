"""Standardised features of a random subset of objects, for clustering and embeddings."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sdssflow.prepare.columns import numbers
from sdssflow.tables import content_digest, metadata, with_metadata

logger = logging.getLogger("sdssflow")
TRUTH = ("spec_class", "zspec")


@dataclass(frozen=True)
class FeatureSpace:
    """Drawn objects in standardised features.

    `table` has ``row_id`` and, where known, ``spec_class`` and ``zspec``, ordered by row_id;
    `points` are the (n, d) features called `names`, each with mean 0 and standard deviation 1;
    `data_digest` is that of the drawn rows and features. Features that are missing for some object
    of the `sample`, such as those without WISE photometry, are `left_out`. `seed` is that of the
    draw.
    """

    table: pa.Table
    points: np.ndarray
    names: tuple[str, ...]
    data_digest: str
    left_out: tuple[str, ...]
    sample: str
    seed: int

    def with_provenance(self, table: pa.Table, **more: Any) -> pa.Table:
        """Return a table of these objects with metadata that name its features and the draw."""
        return with_metadata(
            table,
            sample=self.sample,
            features=list(self.names),
            seed=self.seed,
            data_digest=self.data_digest,
            **more,
        )


def read_feature_space(features: pa.Table, max_objects: int, seed: int) -> FeatureSpace:
    """Draw at most `max_objects` of a feature table with `draw_rows`, and standardise them.

    Features that are constant for the drawn objects or missing for some object of the table are
    left out; the log lists them.

    ValueError if the metadata name no features, no feature is complete, a row_id occurs twice,
    there are fewer than two objects, or no feature varies.
    """
    provenance = metadata(features.schema)
    every = provenance.get("features", [])
    if not every:
        raise ValueError(
            "feature table: its metadata names no features; make it with build_features"
        )
    row_id = features.column("row_id").to_numpy()
    if len(row_id) < 2:
        raise ValueError(
            f"feature table: {len(row_id)} object(s), but groups and projections need at least "
            "two; loosen the cuts or remove the sample's exploration"
        )
    names = _whole(features, every, row_id)
    drawn = features.take(pa.array(draw_rows(row_id, max_objects, seed)))
    values = np.column_stack([numbers(drawn, name, "explore") for name in names])
    # the standard deviation of equal values need not be exactly 0
    varies = np.ptp(values, axis=0) > 1e-12 * np.abs(values).max(axis=0)
    if not varies.any():
        raise ValueError(
            f"feature table: all {len(values)} drawn objects have the same value in every feature "
            f"({', '.join(names)}); there are no groups to look for"
        )
    kept = tuple(name for name, vary in zip(names, varies, strict=True) if vary)
    known = [name for name in TRUTH if _known(drawn, name)]
    space = FeatureSpace(
        table=drawn.select(["row_id", *known]),
        points=_standardise(values[:, varies]),
        names=kept,
        data_digest=content_digest(drawn.select(["row_id", *known, *names])),
        left_out=tuple(name for name in every if name not in names),
        sample=provenance.get("sample", ""),
        seed=seed,
    )
    logger.info("%d of %d objects, features %s", len(space.points), len(features), space.names)
    if space.left_out:
        logger.warning("left out, since some objects lack them: %s", ", ".join(space.left_out))
    return space


def draw_rows(row_id: np.ndarray, max_objects: int, seed: int) -> np.ndarray:
    """Draw at most `max_objects` rows, by a hash of row_id and seed.

    Returns their row numbers, ordered by row_id: results don't depend on the order of the table.
    ValueError if a row_id occurs twice.
    """
    order = np.argsort(row_id, kind="stable")
    ordered = row_id[order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        raise ValueError(f"feature table: row_id {ordered[twice[0]]} occurs twice")
    if len(order) <= max_objects:
        return order
    keys = [
        hashlib.blake2b(f"{seed}|{identifier}".encode(), digest_size=8).digest()
        for identifier in ordered.tolist()
    ]
    first = np.argsort(np.frombuffer(b"".join(keys), dtype=">u8"), kind="stable")[:max_objects]
    return order[np.sort(first)]


def _whole(features: pa.Table, names: list[str], row_id: np.ndarray) -> list[str]:
    """Return the names of the features without missing values; ValueError if there are none."""
    missing = {
        name: np.flatnonzero(~np.isfinite(numbers(features, name, "explore"))) for name in names
    }
    whole = [name for name in names if not len(missing[name])]
    if not whole:
        name = names[0]
        raise ValueError(
            f"feature table: no feature is known for all objects: {name!r} has no finite value for "
            f"{len(missing[name])} of {len(row_id)} (first: row_id {row_id[missing[name][0]]}); "
            "groups and projections need one. Add the cut complete_photometry; complete_columns "
            "where their extinction or a column beyond ugriz is missing"
        )
    return whole


def _known(table: pa.Table, name: str) -> bool:
    if name not in table.column_names:
        return False
    if name == "zspec":
        return bool(np.isfinite(numbers(table, name, "explore")).any())
    return table.column(name).null_count < table.num_rows


def _standardise(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)
