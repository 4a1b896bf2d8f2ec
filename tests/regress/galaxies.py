"""Simulated galaxies with colours that carry redshift, as parts and as split tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdssflow.prepare.parts import Part
from sdssflow.tables import content_digest, with_metadata, write_parquet

NAMES = ("color_u_g", "color_g_r", "color_r_i", "color_i_z", "mag_r")


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 5) features and (n,) zspec: four colours bent by redshift and type, and r."""
    generator = np.random.default_rng(seed)
    zspec = generator.uniform(0.02, 0.3, n)
    kind = generator.normal(0, 1, n)
    colors = np.column_stack(
        [
            1.2 + 4 * zspec**2 + 0.3 * kind,
            0.5 + 0.4 * np.sin(12 * zspec) + 0.15 * kind,
            0.3 + 0.6 * np.sin(8 * zspec) + 0.05 * kind,
            0.2 + 0.8 * zspec**2 + 0.05 * kind,
        ]
    )
    mag_r = 15 + 8 * zspec + generator.normal(0, 0.5, n)
    return np.column_stack([colors + generator.normal(0, 0.02, (n, 4)), mag_r]), zspec


def part(n: int, seed: int = 0, names: tuple[str, ...] = NAMES) -> Part:
    """Return a part of n simulated galaxies."""
    features, zspec = draw(n, seed)
    row_id = np.arange(n) + 1000 * seed
    return Part(
        features=features,
        feature_names=names,
        row_id=row_id,
        group_key=pa.array(row_id.astype(str)),
        reference_mag=features[:, 4].astype(np.float32),
        spec_class=None,
        zspec=zspec,
        digest="0" * 12,
    )


def with_features(given: Part, features: np.ndarray, names: tuple[str, ...] | None = None) -> Part:
    """Return the part with other features."""
    return replace(given, features=features, feature_names=names or given.feature_names)


def write_split(
    folder: Path,
    seed: int = 1,
    folds: int = 1,
    validation: int = 60,
    names: tuple[str, ...] = NAMES,
) -> tuple[Path, Path]:
    """Write development.parquet and test.parquet of 300 + validation + 80 galaxies per fold."""
    tables = {"development": [], "test": []}
    for fold in range(folds):
        sizes = {"train": 300, "validation": validation, "calibration": 20, "test": 80}
        for place, (name, n) in enumerate(sizes.items()):
            features, zspec = draw(n, seed=100 * seed + 10 * fold + place)
            row_id = np.arange(n) + 10_000 * fold + 1000 * place
            columns = {
                "row_id": pa.array(row_id, pa.int64()),
                "zspec": pa.array(zspec),
                "reference_mag": pa.array(features[:, 4], pa.float32()),
                **{key: pa.array(features[:, i]) for i, key in enumerate(names)},
                "fold": pa.array(np.full(n, fold), pa.int32()),
                "part": pa.array([name] * n, pa.string()),
                "group": pa.array(row_id.astype(str).tolist(), pa.string()),
            }
            tables["test" if name == "test" else "development"].append(pa.table(columns))
    paths = []
    digest = content_digest(pa.concat_tables(tables["test"]))
    for name, parts in tables.items():
        table = with_metadata(
            pa.concat_tables(parts),
            sample="simulated",
            split="holdout",
            seed=seed,
            features=list(names),
            data_digest=digest,
        )
        path = folder / str(seed) / f"{name}.parquet"
        write_parquet(table, path)
        paths.append(path)
    return paths[0], paths[1]
