"""Scores of the estimates of a simulated target against the simulated truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET
from sdssflow.classify.losses import class_codes
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate import class_metrics, pdf_metrics, redshift_metrics
from sdssflow.evaluate.bootstrap import draw_counts
from sdssflow.evaluate.class_decisions import set_scores
from sdssflow.evaluate.class_metrics import PROBABILITIES, class_scores
from sdssflow.evaluate.tables import ABOUT_COLUMNS, SCORE_COLUMNS, Scores, score_rows
from sdssflow.tables import content_digest, metadata, read_schema

MOST_SCORED = 1_000_000
TABLE_COLUMNS = [*ABOUT_COLUMNS, *SCORE_COLUMNS, "scored", "objects"]
INTERVALS = [name for name in pdf_metrics.COLUMNS if "_low_" in name or "_high_" in name]
OF_CLASSES = tuple(
    m for m in class_metrics.METRICS if m.name in ("accuracy", "macro_f1", "log_loss")
)
OF_REDSHIFTS = tuple(
    m
    for m in redshift_metrics.METRICS
    if m.name in ("bias", "sigma_nmad", "outlier_0.05", "outlier_0.15")
)
OF_INTERVALS = tuple(
    m for m in pdf_metrics.DENSITIES if m.name.startswith(("coverage_", "conformal_")) and m.nominal
)


@dataclass(frozen=True)
class Scored:
    """The n scored objects, of all `objects` of a target.

    Attributes
    ----------
    estimates : pyarrow.Table
        `objid` and the estimates to score.
    spec_class : (n,) array of str
        True classes.
    zspec : (n,) float64 array
        True redshifts, NaN where there is none.
    objects : int
        Number of objects with estimates.
    bundles : list of str
        Names of the models.
    digest : str
        Content digest of the truth of these objects.
    """

    estimates: pa.Table
    spec_class: np.ndarray
    zspec: np.ndarray
    objects: int
    bundles: list[str]
    digest: str


def read_scored(
    paths: Sequence[str | Path], kept: Sequence[int], truth: str | Path, most: int = MOST_SCORED
) -> Scored:
    """Read the estimates of the first partitions, up to `most` objects, and their truth.

    Parameters
    ----------
    paths : sequence of path-like
        Estimates of the partitions.
    kept : sequence of int
        Number of objects in each; empty ones are not opened.
    truth : path-like
        Parquet with `objid`, `spec_class`, `zspec`.
    most : int
        Maximum number of objects.

    Raises
    ------
    ValueError
        If the estimates have no objid, or an object has no truth.
    """
    tables, left, bundles = [], most, []
    wanted = {"objid", "class", *PROBABILITIES, CLASS_SET, "zphot", *INTERVALS}
    for path, rows in zip(paths, kept, strict=True):
        if rows and left:
            schema = read_schema(path)
            if "objid" not in schema.names:
                raise ValueError(f"{path}: no objid to find its objects in {truth}")
            bundles = metadata(schema)["bundles"]
            columns = [name for name in schema.names if name in wanted]
            tables.append(pq.read_table(path, columns=columns).slice(0, left))
            left -= len(tables[-1])
    if not tables:
        raise ValueError(f"no partition of the target has estimates to compare with {truth}")
    estimates = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    known = _truth_of(truth, estimates["objid"].to_numpy())
    return Scored(
        estimates,
        known["spec_class"].to_numpy(zero_copy_only=False).astype(str),
        known["zspec"].cast(pa.float64()).to_numpy(),
        int(sum(kept)),
        bundles,
        content_digest(known),
    )


def _truth_of(path: str | Path, objid: np.ndarray) -> pa.Table:
    """Read the truth of these objects, in their order, block by block of the file."""
    order = np.argsort(objid, kind="stable")
    ids, blocks, found = objid[order], [], []
    for batch in pq.ParquetFile(path).iter_batches(columns=["objid", "spec_class", "zspec"]):
        batch_ids = batch["objid"].to_numpy()
        index = np.minimum(np.searchsorted(ids, batch_ids), len(ids) - 1)
        matched = np.flatnonzero(ids[index] == batch_ids)
        found.append(order[index[matched]])
        blocks.append(pa.Table.from_batches([batch]).take(pa.array(matched)))
    rows = np.concatenate(found)
    count = np.bincount(rows, minlength=len(objid))
    if (count != 1).any():
        wrong = objid[count != 1]
        raise ValueError(
            f"{path}: objid {wrong[0]} occurs {count[count != 1][0]} times instead of once "
            f"({len(wrong)} of {len(objid)} objects); delete it and the estimates to make both "
            "again from one simulation"
        )
    return pa.concat_tables(blocks).take(pa.array(np.argsort(rows, kind="stable")))


def truth_scores(scored: Scored, settings: ClassScores, bootstrap: Bootstrap) -> pd.DataFrame:
    """Return ``truth_scores.csv``: `TABLE_COLUMNS`, one row per score.

    Classes are scored for all objects with probabilities, class sets also for each true class,
    redshifts for true galaxies with p(z), as `subset` shows. `n` is the number of objects of a
    score, `scored` that of the objects read.

    Parameters
    ----------
    scored : Scored
        Estimates and truth.
    settings : ClassScores
        Conventions of the class scores.
    bootstrap : Bootstrap
        Over objects.
    """
    names = scored.estimates.column_names
    found: list[tuple[dict[str, str], Scores]] = []
    if "class" in names:
        found += [({}, some) for some in _of_classes(scored, settings, bootstrap)]
    if "zphot" in names:
        galaxies = {"subset": "GALAXY"}
        found += [(galaxies, some) for some in _of_redshifts(scored, bootstrap)]
    about = {"model": ", ".join(scored.bundles), "seed": "all"}
    more = {"scored": len(scored.estimates), "objects": scored.objects}
    rows = [
        {**row, **more, **subset}
        for subset, scores in found
        for row in score_rows(scores, bootstrap.level, about, {}, scored.digest)
    ]
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def prior_scores(scored: Scored, priors: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``truth_scores.csv``: estimated less true fraction of each class.

    `priors` is the table of `class_priors.priors_table`; the true fraction, of the scored objects
    with probabilities, is also subtracted from its interval.
    """
    known = scored.estimates["class"].is_valid().to_numpy()
    true = [np.mean(scored.spec_class[known] == name) for name in priors["class"]]
    table = pd.DataFrame(
        {
            "model": ", ".join(scored.bundles),
            "seed": "all",
            "metric": "class_prior",
            "convention": "estimated less true fraction",
            "subset": priors["class"],
            **{
                name: priors[of] - true
                for name, of in {"value": "estimated", "lower": "lower", "upper": "upper"}.items()
            },
            "n": priors["drawn"],
            "data_digest": scored.digest,
            "scored": len(scored.estimates),
            "objects": scored.objects,
        }
    )
    return table[TABLE_COLUMNS]


def _of_classes(scored: Scored, settings: ClassScores, bootstrap: Bootstrap) -> list[Scores]:
    known = scored.estimates["class"].is_valid().to_numpy()
    if not known.any():
        return []
    table = scored.estimates.filter(pa.array(known))
    truth, counts = class_codes(scored.spec_class[known]), _counts(table, bootstrap)
    probability = np.column_stack([table[n].to_numpy().astype(np.float64) for n in PROBABILITIES])
    found = [class_scores(truth, probability, counts, settings, OF_CLASSES)]
    if CLASS_SET in table.column_names:
        # no class name is part of another
        inside = [pc.match_substring(table[CLASS_SET], name).to_numpy() for name in CLASSES]
        sets = np.column_stack(inside)
        found.append(set_scores({"truth": truth, "sets": sets}, counts))
    return found


def _of_redshifts(scored: Scored, bootstrap: Bootstrap) -> list[Scores]:
    galaxy = scored.spec_class == CLASSES[0]
    galaxy &= scored.estimates["zphot"].is_valid().to_numpy() & np.isfinite(scored.zspec)
    if not galaxy.any():
        return []
    table = scored.estimates.filter(pa.array(galaxy))
    names = [name for name in ("zphot", *INTERVALS) if name in table.column_names]
    columns = {name: table[name].to_numpy().astype(np.float64) for name in names}
    columns["zspec"] = scored.zspec[galaxy]
    counts = _counts(table, bootstrap)
    points = redshift_metrics.score(columns, counts, OF_REDSHIFTS, math.nan)  # none has an epsilon
    return [points, pdf_metrics.score(columns, counts, OF_INTERVALS)]


def _counts(table: pa.Table, bootstrap: Bootstrap) -> np.ndarray:
    return draw_counts(table["objid"].to_numpy().astype(str), bootstrap)
