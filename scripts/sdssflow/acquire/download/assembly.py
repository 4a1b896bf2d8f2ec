"""Assemble verified chunks into one catalogue, and prove that it is complete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.acquire.catalogue import write_catalogue
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.plan import Plan
from sdssflow.acquire.schema import PLATE_SHIFT, known_column
from sdssflow.tables import DIGEST_LENGTH, ROW_GROUP, metadata, read_schema

AGAIN = "Make a new plan: snakemake --forcerun plan_chunks."


def prove(plan: Plan, proofs: list[ChunkProof]) -> pd.DataFrame:
    """Check that the chunks, in order, are those of the plan, complete and without overlap.

    Returns
    -------
    pandas.DataFrame
        One row per chunk and one for the total: ``chunk, from_plate, to_plate, spectra_planned,
        spectra_counted, rows_counted, rows, digest``; plates are inclusive.
    """
    if [(proof.low, proof.high) for proof in proofs] != plan.bounds:
        raise DownloadError("the chunks are not those of the plan", AGAIN)
    rows = []
    for chunk, proof in enumerate(proofs):
        if proof.rows != proof.counted or proof.spectra != proof.spectra_planned:
            raise DownloadError(f"chunk {chunk} does not hold what was counted: {proof}", AGAIN)
        # only specobjid encodes plates
        empty = proof.high <= proof.low or plan.key != "specobjid"
        rows.append(
            {
                "chunk": str(chunk),
                "from_plate": None if empty else proof.low >> PLATE_SHIFT,
                "to_plate": None if empty else (proof.high - 1) >> PLATE_SHIFT,
                "spectra_planned": proof.spectra_planned,
                "spectra_counted": proof.spectra,
                "rows_counted": proof.counted,
                "rows": proof.rows,
                "digest": proof.digest,
            }
        )
    found = sum(proof.rows for proof in proofs)
    if found != plan.rows:
        raise DownloadError(
            f"the chunks hold {found:,} rows, the server counted {plan.rows:,} for the whole "
            "sample: the server has changed, or an answer was wrong in a way that no check detects",
            "Delete the folder of this server in downloads.store and run again.",
        )
    whole = {
        "chunk": "whole sample",
        "from_plate": rows[0]["from_plate"],
        "to_plate": max((row["to_plate"] or 0 for row in rows), default=0) or None,
        "spectra_planned": plan.spectra,
        "spectra_counted": sum(proof.spectra for proof in proofs),
        "rows_counted": plan.rows,
        "rows": found,
        "digest": digest_of(proofs)[:DIGEST_LENGTH],
    }
    frame = pd.DataFrame([*rows, whole])
    return frame.astype({"from_plate": "Int64", "to_plate": "Int64"})


def digest_of(proofs: Iterable[ChunkProof]) -> str:
    """Return the SHA-256 of the digests of all chunks."""
    return hashlib.sha256("\n".join(proof.digest for proof in proofs).encode()).hexdigest()


def assemble(
    plan: Plan, paths: list[str], path: str | Path, sample: str, simulated: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the catalogue of a sample from its chunks, block by block.

    `paths` are the files of the chunks, in order; `sample` and `simulated`, whether the sky is
    simulated, are written to the metadata of the catalogue. Returns completeness and defects, as
    from `prove` and `sdssflow.acquire.files.conform.conform`.
    """
    proofs = [read_proof(chunk) for chunk in paths]
    completeness = prove(plan, proofs)
    schema = pq.read_schema(paths[0])
    columns = {field.name: known_column(field) for field in schema}
    about = {
        "sample": sample,
        "magnitude_system": "asinh",
        "extinction_applied": False,
        "source_sha256": digest_of(proofs),
        "archive": plan.archive,
        "release": plan.release,
        "query": plan.query,
        "limit": plan.limit,
        "simulated": simulated,
    }
    defects = write_catalogue(_blocks(paths, schema.names), columns, path, about, plan.limit)
    return completeness, defects


def _blocks(paths: list[str], names: list[str]) -> Iterator[pa.Table]:
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(ROW_GROUP, columns=names, use_threads=False):
            yield pa.table(batch)


class ChunkProof(NamedTuple):
    """What the server counted in a chunk, and what was received."""

    low: int  # half-open range of keys
    high: int
    spectra_planned: int  # when the plan was made
    spectra: int  # when it was downloaded
    counted: int  # rows, by the server
    rows: int  # received
    digest: str  # of the rows' content


def read_proof(path: str | Path) -> ChunkProof:
    """Read the proof of a chunk from the metadata of its file."""
    about = metadata(read_schema(path))
    return ChunkProof(
        low=int(about["low"]),
        high=int(about["high"]),
        spectra_planned=about["spectra_planned"],
        spectra=about["spectra"],
        counted=about["counted"],
        rows=pq.read_metadata(path).num_rows,
        digest=about["data_digest"],
    )
