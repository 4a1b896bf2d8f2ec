"""Assemble ``predictions.parquet``: one row per test object and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.prepare.parts import Part, folds, read_part
from sdssflow.tables import metadata, with_metadata

CARD_ENTRIES = ("device", "dtype", "versions")
Predict = Callable[[Path, int, Part], Mapping[str, np.ndarray]]


def predict_tests(
    folders: Sequence[str | Path],
    tests: Sequence[str | Path],
    seeds: Sequence[int],
    model: str,
    predict: Predict,
) -> pa.Table:
    """Predict every test object once per seed.

    Parameters
    ----------
    folders : sequence of path-like
        Model folders, one per seed.
    tests : sequence of path-like
        ``test.parquet`` files, one per seed.
    seeds : sequence of int
        The seeds.
    model : str
        Name of the model.
    predict : callable
        Takes model folder, fold and test part; returns the columns of truth and prediction.

    Returns
    -------
    pyarrow.Table
        `row_id, seed, fold, group, reference_mag` and the columns of `predict`; metadata
        `sample, split, model, test_digests, cards`.

    Raises
    ------
    ValueError
        If a folder's card belongs to another seed, features stand in another order than the model
        was trained on, or the tables are of different samples or splits.
    """
    tables, cards, digests, origins = [], {}, {}, set()
    for folder, test, seed in zip(folders, tests, seeds, strict=True):
        card = json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))
        about = metadata(pq.read_schema(test))
        origins.add((about.get("sample"), about.get("split")))
        if card["seed"] != seed or about.get("seed") != seed:
            raise ValueError(f"{folder} and {test} are not both of seed {seed}")
        for fold in folds(test):
            part = read_part(test, fold, "test")
            if list(part.feature_names) != card["features"]:
                raise ValueError(
                    f"{test}: features {', '.join(part.feature_names)}, but {folder} was trained "
                    f"on {', '.join(card['features'])}"
                )
            tables.append(_rows(part, seed, fold, predict(Path(folder), fold, part)))
        cards[str(seed)] = {name: card[name] for name in CARD_ENTRIES if name in card}
        digests[str(seed)] = about["data_digest"]
    if len(origins) != 1:
        raise ValueError(f"test tables of different samples or splits: {sorted(origins)}")
    sample, split = origins.pop()
    return with_metadata(
        pa.concat_tables(tables).combine_chunks(),
        sample=sample,
        split=split,
        model=model,
        test_digests=digests,
        cards=cards,
    )


def _rows(part: Part, seed: int, fold: int, columns: Mapping[str, np.ndarray]) -> pa.Table:
    count = len(part)
    return pa.table(
        {
            "row_id": pa.array(part.row_id, pa.int64()),
            "seed": pa.array(np.full(count, seed), pa.int32()),
            "fold": pa.array(np.full(count, fold), pa.int32()),
            "group": pa.array(part.group.tolist(), pa.string()),
            "reference_mag": pa.array(part.reference_mag, pa.float32(), from_pandas=True),
            **{name: _column(values) for name, values in columns.items()},
        }
    )


def _column(values: np.ndarray) -> pa.Array:
    # pyarrow reads no numpy text
    return pa.array(values.tolist(), pa.string()) if values.dtype.kind == "U" else pa.array(values)
