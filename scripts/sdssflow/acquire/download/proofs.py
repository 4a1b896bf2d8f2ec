"""What proves a chunk of a download: kept in the metadata of its file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from sdssflow.tables import metadata, read_schema


class ChunkProof(NamedTuple):
    """What the server and we counted in a chunk.

    Attributes
    ----------
    low, high : int
        Range of specObjID, half-open.
    spectra_planned, spectra : int
        Spectra in it when the plan was made, and when it was downloaded.
    counted, rows : int
        Rows that the server counts for the same conditions, and rows that arrived.
    digest : str
        Content digest of the rows.
    """

    low: int
    high: int
    spectra_planned: int
    spectra: int
    counted: int
    rows: int
    digest: str


def read_proof(path: str | Path) -> ChunkProof:
    """Return what proves a chunk, from the metadata of its file."""
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
