"""Leak-free partitions: by a hash of the group key, so that adding rows moves no row."""

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
)
from sdssflow.prepare.columns import numbers, require, strings
from sdssflow.tables import content_digest, metadata, with_metadata

PARTS = ("train", "validation", "calibration", "test")


def split_sample(
    features: pa.Table, settings: Split, name: str, seed: int
) -> tuple[pa.Table, pa.Table, pd.DataFrame]:
    """Part a sample.

    Parameters
    ----------
    features : pyarrow.Table
        Feature table.
    settings : Split
        How to part it.
    name : str
        Name of the split, for messages and metadata.
    seed : int
        Another seed draws other parts.

    Returns
    -------
    development : pyarrow.Table
        Rows to learn from, with ``fold, part, group``; fold after fold.
    test : pyarrow.Table
        Rows to judge by.
    parts : pandas.DataFrame
        ``fold, part, rows, groups`` and the rows of each class where classes are known.

    Raises
    ------
    ValueError
        If train or test of a fold is empty, a published part is missing, or a group would stand
        on both sides.
    """
    group = group_keys(features, settings)
    folds = []
    for fold, part in enumerate(_assign(features, settings, group, seed)):
        _check(part, group, fold, name)
        order = pa.array([fold] * features.num_rows, type=pa.int32())
        folds.append(
            features.append_column("fold", order)
            .append_column("part", pa.array(part.astype(str), type=pa.string()))
            .append_column("group", pa.array(group.astype(str), type=pa.string()))
        )
    table = pa.concat_tables(folds)
    is_test = pc.equal(table.column("part"), "test")
    test = table.filter(is_test).combine_chunks()
    development = table.filter(pc.invert(is_test)).combine_chunks()
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
        summarise_parts(table),
    )


def hash_uniform(keys: np.ndarray, salt: str) -> np.ndarray:
    """Return a number in [0, 1) for each key that depends on the key and the salt alone.

    Parameters
    ----------
    keys : (n,) array of str
        Group keys.
    salt : str
        Seed and purpose of the draw.
    """
    hash_key = hashlib.blake2b(salt.encode(), digest_size=8).hexdigest()
    hashed = pd.util.hash_array(np.asarray(keys, dtype=object), hash_key=hash_key)
    return (hashed >> np.uint64(11)) / 2.0**53


def group_keys(features: pa.Table, settings: Split) -> np.ndarray:
    """Return what may not straddle two parts, as one text per row.

    Objects of a plate or cell keep their duplicates with them only if those lie on the same plate
    or cell; a duplicate elsewhere moves to the group of the object's first row.
    """
    objects = strings(features, "object_key", "splits").astype(str)
    match getattr(settings, "group", "object"):
        case "object":
            return objects
        case "plate":
            plate = require(features, "plate", "splits: group plate")
            own = np.array(
                [f"plate:{value}" if value is not None else "" for value in plate.to_pylist()]
            )
        case "sky_cell":
            own = _sky_cells(features, settings.nside)
    own = np.where(own == "", objects, own)  # not on any plate: a group of its own
    _, first, member = np.unique(objects, return_index=True, return_inverse=True)
    return own[first][member]


def summarise_parts(table: pa.Table) -> pd.DataFrame:
    """Count rows, groups and classes of every fold and part."""
    columns = [c for c in ("fold", "part", "group", "spec_class") if c in table.column_names]
    frame = table.select(columns).to_pandas()
    rows = []
    for fold in sorted(frame["fold"].unique()):
        for part in PARTS:
            chosen = frame[(frame["fold"] == fold) & (frame["part"] == part)]
            row = {
                "fold": fold,
                "part": part,
                "rows": len(chosen),
                "groups": chosen["group"].nunique(),
            }
            if "spec_class" in columns:
                row |= {
                    f"rows_{c}": int((chosen["spec_class"] == c).sum())
                    for c in ("GALAXY", "QSO", "STAR")
                }
            rows.append(row)
    return pd.DataFrame(rows)


def _sky_cells(features: pa.Table, nside: int) -> np.ndarray:
    from astropy import units
    from astropy_healpix import HEALPix

    ra = numbers(features, "ra", "splits: group sky_cell")
    dec = numbers(features, "dec", "splits: group sky_cell")
    known = np.isfinite(ra) & np.isfinite(dec)
    cells = np.full(len(ra), "", dtype=object)
    found = HEALPix(nside, order="nested").lonlat_to_healpix(
        ra[known] * units.deg, dec[known] * units.deg
    )
    cells[known] = [f"cell:{nside}:{cell}" for cell in found]
    return cells.astype(str)


def _assign(features: pa.Table, settings: Split, group: np.ndarray, seed: int) -> list[np.ndarray]:
    """Part of each row, one array per fold."""
    match settings:
        case HoldoutSplit():
            draw = hash_uniform(group, f"{seed}|holdout")
            shares = {
                "test": settings.test,
                "calibration": settings.calibration,
                "validation": settings.validation,
            }
            return [_cut_line(draw, shares)]
        case CrossValidationSplit():
            fold_of = (hash_uniform(group, f"{seed}|fold") * settings.folds).astype(int)
            return [
                _one_fold(group, fold_of == fold, settings, f"{seed}|{fold}")
                for fold in range(settings.folds)
            ]
        case PublishedSplit():
            published = strings(features, "published_part", "splits: kind published")
            odd = [row for row, value in enumerate(published) if value not in ("train", "test")]
            if odd:
                raise ValueError(
                    f"published_part of {len(odd)} rows is neither 'train' nor 'test' (first: "
                    f"row_id {features.column('row_id')[odd[0]]}); cut them or use a holdout split"
                )
            return [_one_fold(group, published == "test", settings, f"{seed}|published")]


def _one_fold(group: np.ndarray, is_test: np.ndarray, settings, salt: str) -> np.ndarray:
    shares = {"calibration": settings.calibration, "validation": settings.validation}
    return np.where(is_test, "test", _cut_line(hash_uniform(group, salt), shares))


def _cut_line(draw: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Give [0, 1) away from the left: each part its share, train the rest."""
    part = np.full(len(draw), "train", dtype=object)
    edge = 0.0
    for name, share in shares.items():
        part[(draw >= edge) & (draw < edge + share)] = name
        edge += share
    return part


def _check(part: np.ndarray, group: np.ndarray, fold: int, name: str) -> None:
    for needed in ("train", "test"):
        if not (part == needed).any():
            raise ValueError(
                f"split {name!r}, fold {fold}: no row in {needed} ({len(np.unique(group))} groups);"
                " use more rows, fewer folds or a finer group"
            )
    pairs = pd.DataFrame({"group": group, "part": part}).drop_duplicates()
    straddling = pairs["group"][pairs["group"].duplicated()]
    if len(straddling):
        raise ValueError(
            f"split {name!r}: {straddling.nunique()} objects stand in more than one part (first: "
            f"{straddling.iloc[0]}); add the cut unique_objects or use a holdout split"
        )
