"""Leak-free splits by a hash of the group key, so that added rows do not move others."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.configuration.splits import (
    CrossValidationSplit,
    HoldoutSplit,
    PublishedSplit,
    Split,
    WholeSample,
)
from sdssflow.prepare.columns import class_masks, numbers, require
from sdssflow.prepare.parts import PARTS
from sdssflow.tables import content_digest, metadata, with_metadata

BLOCK = 65_536
TRAIN, TEST = PARTS.index("train"), PARTS.index("test")


def split_sample(
    features: pa.Table, settings: Split | WholeSample, name: str, seed: int
) -> tuple[pa.Table, pa.Table, pd.DataFrame]:
    """Split a sample, given by its feature table; another seed draws other parts.

    Returns
    -------
    development : pyarrow.Table
        Rows to train on, with ``fold, part, group``; fold after fold.
    test : pyarrow.Table
        Rows to test on.
    parts : pandas.DataFrame
        ``fold, part, rows, groups`` and, if classes are known, the rows of each class.

    Raises
    ------
    ValueError
        If train or test of a fold is empty, a published part is missing, or a group would be in
        two parts.
    """
    group = group_keys(features, settings)
    folds = _assign(features, settings, group, seed)
    for fold, part in enumerate(folds):
        needed = ("train",) if isinstance(settings, WholeSample) else ("train", "test")
        _check(part, group, fold, name, needed)
    development, test = (
        pa.concat_tables(
            _rows(features, group, fold, part, (part == TEST) == is_test)
            for fold, part in enumerate(folds)
        ).combine_chunks()
        for is_test in (False, True)
    )
    digest = content_digest(test)
    entries = {
        "sample": metadata(features.schema).get("sample", ""),
        "split": name,
        "seed": seed,
        "features": metadata(features.schema)["features"],
        "data_digest": digest,
    }
    return (
        with_metadata(development, **entries),
        with_metadata(test, **entries),
        summarise_parts(features, group, folds),
    )


def _rows(
    features: pa.Table, group: pa.DictionaryArray, fold: int, part: np.ndarray, chosen: np.ndarray
) -> pa.Table:
    """Return the chosen rows of one fold with ``fold, part, group``."""
    chosen = pa.array(chosen)
    table = features.filter(chosen)
    parts = pa.DictionaryArray.from_arrays(pa.array(part), list(PARTS))
    return (
        table.append_column("fold", pa.array(np.full(len(table), fold, dtype=np.int32)))
        .append_column("part", parts.filter(chosen).cast(pa.string()))
        .append_column("group", group.filter(chosen).cast(pa.string()))
    )


def hash_uniform(keys: np.ndarray, salt: str) -> np.ndarray:
    """Return a number in [0, 1) for each of n texts that depends only on the text and the salt."""
    hash_key = hashlib.blake2b(salt.encode(), digest_size=8).hexdigest()
    hashed = np.empty(len(keys), dtype=np.uint64)
    for start in range(0, len(keys), BLOCK):  # a Python str takes 75 bytes
        block = np.asarray(keys[start : start + BLOCK], dtype=object)
        hashed[start : start + BLOCK] = pd.util.hash_array(
            block, hash_key=hash_key, categorize=False
        )
    return (hashed >> np.uint64(11)) / 2.0**53


def group_keys(features: pa.Table, settings: Split | WholeSample) -> pa.DictionaryArray:
    """Return the group of each row as text, numbered by first appearance.

    Rows of a group stay in one part. If duplicates of an object are on several plates or cells, all
    belong to the group of the object's first row.
    """
    objects = require(features, "object_key", "splits").combine_chunks()
    match getattr(settings, "group", "object"):
        case "object":
            return objects.dictionary_encode()
        case "plate":
            plate = require(features, "plate", "splits: group plate").combine_chunks()
            own = pc.binary_join_element_wise("plate", plate.cast(pa.string()), ":")
        case "sky_cell":
            assert not isinstance(settings, PublishedSplit), "it has no groups of sky cells"
            own = _sky_cells(features, settings.nside)
    own = pc.coalesce(own, objects)  # without plate or position: a group of its own
    object_of = objects.dictionary_encode().indices.to_numpy()
    _, first = np.unique(object_of, return_index=True)
    return own.take(pa.array(first[object_of])).dictionary_encode()


def summarise_parts(
    features: pa.Table, group: pa.DictionaryArray, folds: list[np.ndarray]
) -> pd.DataFrame:
    """Count rows, groups and classes of every fold and part."""
    group_of = group.indices.to_numpy()
    classes = class_masks(features)
    rows = []
    for fold, parts in enumerate(folds):
        for index, part in enumerate(PARTS):
            chosen = parts == index
            rows.append(
                {
                    "fold": fold,
                    "part": part,
                    "rows": int(chosen.sum()),
                    "groups": len(np.unique(group_of[chosen])),
                }
                | {f"rows_{name}": int(is_one[chosen].sum()) for name, is_one in classes.items()}
            )
    return pd.DataFrame(rows)


def _sky_cells(features: pa.Table, nside: int) -> pa.StringArray:
    """Return the HEALPix cell of each row, null without a position."""
    from astropy import units
    from astropy_healpix import HEALPix

    ra = numbers(features, "ra", "splits: group sky_cell")
    dec = numbers(features, "dec", "splits: group sky_cell")
    known = np.isfinite(ra) & np.isfinite(dec)
    cells = np.full(len(ra), -1)
    cells[known] = HEALPix(nside, order="nested").lonlat_to_healpix(
        ra[known] * units.deg, dec[known] * units.deg
    )
    return pc.binary_join_element_wise(
        f"cell:{nside}", pa.array(cells, mask=~known).cast(pa.string()), ":"
    )


def _assign(
    features: pa.Table, settings: Split | WholeSample, group: pa.DictionaryArray, seed: int
) -> list[np.ndarray]:
    """Return the part of each row as index of `PARTS`, one array per fold."""

    def draw(purpose: str) -> np.ndarray:
        return hash_uniform(group.dictionary, f"{seed}|{purpose}")[group.indices.to_numpy()]

    match settings:
        case HoldoutSplit():
            shares = {
                "test": settings.test,
                "calibration": settings.calibration,
                "validation": settings.validation,
            }
            return [_cut_line(draw("holdout"), shares)]
        case WholeSample():
            tests = {"whole sample": np.zeros(len(features), dtype=bool)}
        case CrossValidationSplit():
            fold_of = (draw("fold") * settings.folds).astype(int)
            tests = {str(fold): fold_of == fold for fold in range(settings.folds)}
        case PublishedSplit():
            published = require(features, "published_part", "splits: kind published")
            known = pc.is_in(published, pa.array(["train", "test"])).to_numpy()
            if not known.all():
                first = features.column("row_id")[int(np.argmin(known))]
                raise ValueError(
                    f"published_part of {(~known).sum()} rows is neither 'train' nor 'test' "
                    f"(first: row_id {first}); cut them or use a holdout split"
                )
            tests = {"published": pc.equal(published, "test").to_numpy()}
    shares = {"calibration": settings.calibration, "validation": settings.validation}
    return [
        np.where(is_test, np.int8(TEST), _cut_line(draw(purpose), shares))
        for purpose, is_test in tests.items()
    ]


def _cut_line(draw: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Divide [0, 1) from the left: each part gets its share, train the rest."""
    part = np.full(len(draw), TRAIN, dtype=np.int8)
    edge = 0.0
    for name, share in shares.items():
        part[(draw >= edge) & (draw < edge + share)] = PARTS.index(name)
        edge += share
    return part


def _check(
    part: np.ndarray, group: pa.DictionaryArray, fold: int, name: str, needed: tuple[str, ...]
) -> None:
    for empty in needed:
        if not (part == PARTS.index(empty)).any():
            raise ValueError(
                f"split {name!r}, fold {fold}: no row in {empty} ({len(group.dictionary)} groups);"
                " use more rows, fewer folds or a finer group"
            )
    pairs = pd.DataFrame({"group": group.indices.to_numpy(), "part": part}).drop_duplicates()
    straddling = pairs["group"][pairs["group"].duplicated()]
    if len(straddling):
        raise ValueError(
            f"split {name!r}: {straddling.nunique()} objects are in more than one part (first: "
            f"{group.dictionary[straddling.iloc[0]]}); add the cut unique_objects or use a holdout "
            "split"
        )
