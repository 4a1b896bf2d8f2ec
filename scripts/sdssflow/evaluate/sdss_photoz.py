"""Scores of SDSS's own photometric redshifts, from its table Photoz, next to our models.

Photoz is a linear fit to the nearest of 2 million galaxies with spectra (Beck et al. 2016, MNRAS
460, 1371) from SDSS DR12 and other surveys. These include test objects of ours: unlike our models,
Photoz may have learnt from the redshifts by which it is scored here.

Not every object has an entry: Photoz covers primary extended objects, and a missing error means
that the fit failed. So all models are scored again on the test objects with an entry, and on those
of photoErrorClass 1, the only class whose errors SDSS calls reliable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.redshifts import scorer
from sdssflow.evaluate.tables import (
    ABOUT_COLUMNS,
    DIFFERENCE_COLUMNS,
    SCORE_COLUMNS,
    Predictions,
    score_models,
)
from sdssflow.tables import metadata

NAME = "SDSS Photoz (Beck et al. 2016)"
SIMULATED = "Photoz of the simulated sky"
WITH_ENTRY, BEST_CLASS = "with an entry", "photoErrorClass 1"
COLUMNS = ["row_id", "sdss_photoz", "sdss_photoz_err", "sdss_photoz_error_class"]


def compare_with_photoz(
    predictions: Sequence[Predictions],
    catalogue: pa.Table,
    settings: RedshiftScores,
    bootstrap: Bootstrap,
) -> dict[str, pd.DataFrame]:
    """Score models and Photoz on the same test objects.

    `catalogue` has `COLUMNS` and the metadata of the objects' clean catalogue. The bootstrap draws
    are those of the other scores.

    Returns
    -------
    dict of str to pandas.DataFrame
        `scores` and `differences` (model minus Photoz), with two more columns first: ``objects``,
        which test objects, and ``tested``, the number of all test objects, mean over seeds. No rows
        for a choice of objects that is empty for one of the seeds.
    """
    found: dict[str, list[pd.DataFrame]] = {"scores": [], "differences": []}
    name = SIMULATED if metadata(catalogue.schema).get("simulated") else NAME
    tested = round(len(predictions[0].frame) / len(predictions[0].seeds))
    for objects, rows in _entries(catalogue.to_pandas()):
        photoz = rows.set_index("row_id")["sdss_photoz"].astype(float)
        chosen = [_among(one, photoz.index) for one in predictions]
        if any(chosen[0].of_seed(seed).empty for seed in chosen[0].seeds):
            continue
        zphot = chosen[0].frame["row_id"].map(photoz)
        theirs = replace(chosen[0], model=name, frame=chosen[0].frame.assign(zphot=zphot))
        tables = score_models([*chosen, theirs], scorer(settings), bootstrap)
        differences = tables["differences"]
        tables["differences"] = differences[differences["other"] == name]
        for key, table in tables.items():
            table.insert(0, "objects", objects)
            table.insert(1, "tested", tested)
            found[key].append(table)
    heads = {"scores": [*ABOUT_COLUMNS, *SCORE_COLUMNS], "differences": DIFFERENCE_COLUMNS}
    return {
        key: pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame(columns=["objects", "tested", *heads[key]])
        for key, tables in found.items()
    }


def _entries(catalogue: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each choice of objects and its rows."""
    fitted = np.isfinite(catalogue[["sdss_photoz", "sdss_photoz_err"]].astype(float)).all(axis=1)
    yield WITH_ENTRY, catalogue[fitted]
    yield BEST_CLASS, catalogue[fitted & (catalogue["sdss_photoz_error_class"] == 1)]


def _among(predictions: Predictions, row_ids: pd.Index) -> Predictions:
    frame = predictions.frame
    return replace(predictions, frame=frame[frame["row_id"].isin(row_ids)].reset_index(drop=True))
