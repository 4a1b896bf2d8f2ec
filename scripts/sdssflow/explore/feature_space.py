"""The objects that clustering and embeddings look at, as standardised features."""

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
    """A draw of objects in standardised features.

    `table` has ``row_id`` and, where known, ``spec_class`` and ``zspec`` of the drawn objects, by
    row_id; `points` are the (n, d) features of these `names`, each with mean 0 and standard
    deviation 1 over them; `data_digest` is that of the drawn rows and their features. Features that
    some objects of the table lack, as those that were not observed by WISE, are `left_out`. The
    table was of this `sample`, and the draw by this `seed`.
    """

    table: pa.Table
    points: np.ndarray
    names: tuple[str, ...]
    data_digest: str
    left_out: tuple[str, ...]
    sample: str
    seed: int

    def with_provenance(self, table: pa.Table, **more: Any) -> pa.Table:
        """Return a table of these objects with metadata that say of which features it is made."""
        return with_metadata(
            table,
            sample=self.sample,
            features=list(self.names),
            seed=self.seed,
            data_digest=self.data_digest,
            **more,
        )


def read_feature_space(features: pa.Table, max_objects: int, seed: int) -> FeatureSpace:
    """Draw at most `max_objects` of a feature table, as `draw_rows` does, and standardise them.

    Features that are the same for all drawn objects are left out, and so are those that some
    objects of the table lack; the log says what is looked at.

    ValueError if the metadata name no features, no feature is known for all objects, a row_id
    occurs twice, there are fewer than two objects, or no feature varies.
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
    # equal values have a standard deviation of rounding errors, not of zero
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
    """Draw at most `max_objects` rows: which ones depends on their row_id and the seed alone.

    Return their positions, ordered by row_id: neither the draw nor what is computed from it depends
    on the order of the table. A row_id that occurs twice is a ValueError.
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
    """Return the names of the features that all objects have; ValueError if there is none."""
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
