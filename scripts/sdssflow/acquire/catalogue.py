"""From a source to a catalogue with its provenance: what `import_catalogue` runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from sdssflow.acquire.readers import read_source
from sdssflow.acquire.schema import COLUMNS
from sdssflow.acquire.validation import conform
from sdssflow.configuration.sources import EmbeddedSource, FileSource, Source
from sdssflow.tables import content_digest, metadata, with_metadata


def source_from_canonical(text: str) -> EmbeddedSource | FileSource:
    """Read back the canonical JSON of a sample's `source`, of whichever kind it is."""
    return TypeAdapter(Source).validate_json(text)


def embedded_as_file(path: str | Path) -> FileSource:
    """Describe an embedded table as a file, so that both take the same way.

    Parameters
    ----------
    path : path-like
        Parquet in the catalogue's columns; its metadata says whether extinction is applied.
    """
    schema = pq.read_schema(path)
    about = metadata(schema)
    return FileSource(
        kind="file",
        path=str(path),
        format="parquet",
        columns={name: name for name in schema.names if name in COLUMNS and name != "row_id"},
        magnitude_system=about["magnitude_system"],
        extinction_applied=about["extinction_applied"],
    )


def read_catalogue(
    path: str | Path, source: EmbeddedSource | FileSource, sample: str
) -> tuple[pa.Table, pd.DataFrame]:
    """Read a file and make it a catalogue.

    Parameters
    ----------
    path : path-like
        The embedded table or the user's file.
    source : EmbeddedSource or FileSource
        What it is.
    sample : str
        Name of the sample.

    Returns
    -------
    catalogue : pyarrow.Table
        As many rows as the file has, with metadata `sample`, `magnitude_system`,
        `extinction_applied`, `source_sha256` and `data_digest`.
    defects : pandas.DataFrame
        See `sdssflow.acquire.validation.conform`.

    Raises
    ------
    CatalogueError
        If the file can't become a catalogue as it stands.
    """
    settings = embedded_as_file(path) if isinstance(source, EmbeddedSource) else source
    found = read_source(path, settings)
    catalogue, defects = conform(found, settings)
    catalogue = with_metadata(
        catalogue,
        sample=sample,
        magnitude_system=settings.magnitude_system,
        extinction_applied=settings.extinction_applied,
        source_sha256=found.sha256,
        data_digest=content_digest(catalogue),
    )
    return catalogue, defects
