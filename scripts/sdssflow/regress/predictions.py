"""From saved regressors and test parts to one table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.prepare.parts import feature_names, folds, read_part
from sdssflow.regress.inputs import require_features
from sdssflow.regress.model_folders import ModelFolder, open_folder
from sdssflow.tables import metadata, with_metadata


def predict_tests(
    model: str, folders: Sequence[str | Path], tests: Sequence[str | Path], seeds: Sequence[int]
) -> pa.Table:
    """Predict the test objects of every seed with the models that never saw them.

    Parameters
    ----------
    model : str
        Name of the model.
    folders, tests : sequences of path-like
        Model folder and test table of each seed, in the order of `seeds`.
    seeds : sequence of int
        The seeds.

    Returns
    -------
    pyarrow.Table
        predictions.parquet as docs/architecture.md describes it, seed after seed and fold after
        fold, test objects in the order of their table.

    Raises
    ------
    ValueError
        If a folder and a test table don't belong together: another number of them, another seed,
        split or list of features; or if a feature is missing that the model needs.
    """
    if not len(folders) == len(tests) == len(seeds):
        raise ValueError(
            f"{len(folders)} model folders, {len(tests)} test tables and {len(seeds)} seeds; "
            "there must be one of each per seed"
        )
    tables, digests, cards = [], {}, {}
    provenance: dict[str, str] = {}
    for folder, test, seed in zip(map(open_folder, folders), tests, seeds, strict=True):
        entries = metadata(pq.read_schema(test))
        _require_match(folder, test, entries, seed)
        tables.append(_predict_seed(folder, test, seed))
        digests[str(seed)] = entries.get("data_digest", "")
        cards[str(seed)] = {key: folder.card[key] for key in ("device", "dtype", "versions")}
        provenance = {key: entries.get(key, "") for key in ("sample", "split")}
    table = pa.concat_tables(tables)
    return with_metadata(table, **provenance, model=model, test_digests=digests, cards=cards)


def _predict_seed(folder: ModelFolder, test: str | Path, seed: int) -> pa.Table:
    tables = []
    for fold in folds(test):
        part = read_part(test, fold, "test")
        if part.zspec is None:
            raise ValueError(f"{test}: no column 'zspec'; take 'regress' out of the sample's tasks")
        try:
            require_features(part.features, part.feature_names, part.row_id, folder.settings.kind)
        except ValueError as error:
            raise ValueError(f"{test}: {error}") from None
        zphot = folder.load(fold)(part.features) if len(part) else np.empty(0)
        columns = {
            "row_id": pa.array(part.row_id, pa.int64()),
            "seed": pa.array(np.full(len(part), seed), pa.int32()),
            "fold": pa.array(np.full(len(part), fold), pa.int32()),
            "group": pa.array(part.group.tolist(), pa.string()),
            "reference_mag": pa.array(part.reference_mag, pa.float32(), from_pandas=True),
            "zspec": pa.array(part.zspec, pa.float64(), from_pandas=True),
            "zphot": pa.array(zphot, pa.float64()),
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def _require_match(
    folder: ModelFolder, test: str | Path, entries: dict[str, object], seed: int
) -> None:
    """Refuse a model and a test table that don't come from one split."""
    found = {"seed": entries.get("seed", seed), "features": list(feature_names(test))}
    found |= {key: entries[key] for key in ("sample", "split") if entries.get(key)}
    for key, value in found.items():
        if folder.card.get(key) != value:
            raise ValueError(
                f"{folder.path}: trained with {key} {folder.card.get(key)!r}, but {test} has "
                f"{value!r}; train again on this split"
            )
    if folder.card["seed"] != seed:
        raise ValueError(f"{folder.path}: of seed {folder.card['seed']}, not {seed}")
