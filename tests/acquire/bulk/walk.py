"""The road from the bulk files to a catalogue, and the one by SkyServer beside it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.acquire.bulk.importing import import_bulk
from sdssflow.configuration.selection import STANDARD
from sdssflow.configuration.sources import BulkSource
from sdssflow.files import file_digest
from tests.acquire.download import walk


def source(folder, selection=(), **changes):
    content = {"kind": "bulk", "folder": str(folder), "selection": list(selection), **changes}
    return BulkSource.model_validate(content)


def imported(folder, path, selection=(), block_rows=700, **changes):
    asked = source(folder, selection, **changes)
    files = {file: file_digest(file) if Path(file).exists() else "" for file in asked.paths}
    completeness, defects = import_bulk(asked, files, path, "test", block_rows)
    return pq.read_table(path), completeness, defects


def downloaded(server, folder, selection, **changes):
    walk.download(
        server.url,
        folder,
        walk.source(selection=selection, **{"columns": list(STANDARD), **changes}),
    )
    return pq.read_table(folder / "catalogue.parquet")


def assert_same_rows(bulk, sky):
    """Ids, whole numbers and words exactly; SkyServer prints 7 digits of a real, 15 of a float."""
    assert bulk.column_names == sky.column_names
    assert bulk.num_rows == sky.num_rows > 0
    for name in bulk.column_names:
        mine, theirs = bulk[name].combine_chunks(), sky[name].combine_chunks()
        assert mine.type == theirs.type
        if pa.types.is_floating(mine.type):
            assert mine.is_null().equals(theirs.is_null()), name
            digits = 5e-15 if name in ("ra", "dec") else 6e-7
            np.testing.assert_allclose(
                mine.drop_null().to_numpy(), theirs.drop_null().to_numpy(), rtol=digits, atol=0
            )
        else:
            assert mine.equals(theirs), name
