"""Assemble ``predictions.parquet``, with one row per test object and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.prepare.parts import Part, folds, read_part
from sdssflow.tables import metadata, with_metadata

CARD_ENTRIES = ("device", "dtype", "versions")
Predict = Callable[[Path, int, Part], Mapping[str, np.ndarray | pa.Array]]


def predict_tests(
    folders: Sequence[str | Path],
    tests: Sequence[str | Path],
    seeds: Sequence[int],
    model: str,
    predict: Predict,
) -> pa.Table:
    """Predict every test object once per seed.

    `folders` and `tests` are model folders and ``test.parquet`` files, one per seed; `predict`
    takes model folder, fold and test part, and returns the columns of truth and prediction.

    Returns
    -------
    pyarrow.Table
        `row_id, seed, fold, group, reference_mag` and the columns of `predict`; metadata
        `sample, split, model, test_digests, cards`.

    Raises
    ------
    ValueError
        If a folder and a test table differ in sample, split, seed or features, or the model can't
        predict one of the objects.
    """
    tables, cards, digests = [], {}, {}
    about: dict[str, Any] = {}
    for folder, test, seed in zip(map(Path, folders), map(Path, tests), seeds, strict=True):
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        about = metadata(pq.read_schema(test))
        require_match(folder, card, test, about, seed)
        for fold in folds(test):
            part = read_part(test, fold, "test")
            try:
                columns = predict(folder, fold, part)
            except ValueError as error:
                raise ValueError(f"{test}, model {folder}: {error}") from error
            tables.append(_rows(part, seed, fold, columns))
        cards[str(seed)] = {name: card[name] for name in CARD_ENTRIES}
        digests[str(seed)] = about["data_digest"]
    return with_metadata(
        pa.concat_tables(tables).combine_chunks(),
        sample=about["sample"],
        split=about["split"],
        model=model,
        test_digests=digests,
        cards=cards,
    )


def require_match(
    folder: Path, card: Mapping[str, Any], test: Path, about: Mapping[str, Any], seed: int
) -> None:
    """Raise ValueError unless model and test table belong to the same split and seed.

    `card` is the card of the model `folder`, `about` the metadata of the table `test`.
    """
    wanted = {"seed": seed, **{key: about[key] for key in ("sample", "split", "features")}}
    for key, value in wanted.items():
        for path, found in ((folder, card), (test, about)):
            if found.get(key) != value:
                raise ValueError(
                    f"{path} has {key} {found.get(key)!r}, not {value!r}: model and test objects "
                    "belong to different splits; delete the model folder and train again"
                )


def _rows(
    part: Part, seed: int, fold: int, columns: Mapping[str, np.ndarray | pa.Array]
) -> pa.Table:
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


def _column(values: np.ndarray | pa.Array) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    # pyarrow does not accept numpy strings
    return pa.array(values.tolist(), pa.string()) if values.dtype.kind == "U" else pa.array(values)
