"""The estimates of a target as one HATS catalogue, written in bounded memory.

HATS (https://hats.readthedocs.io) stores a catalogue in one Parquet file per cell of the sky
(HEALPix, nested), with smaller cells where objects are denser; LSDB reads it. Rows are counted,
written to a temporary file per cell, and sorted cell by cell.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hats.catalog import CatalogType, PartitionInfo, TableProperties
from hats.io import file_io, paths, write_parquet_metadata
from hats.io.skymap import write_skymap
from hats.pixel_math import HealpixPixel, generate_alignment
from hats.pixel_math.healpix_pixel_function import sort_pixels
from hats.pixel_math.spatial_index import (
    SPATIAL_INDEX_COLUMN,
    SPATIAL_INDEX_ORDER,
    compute_spatial_index,
    healpix_to_spatial_index,
)

from sdssflow import __version__
from sdssflow.tables import metadata, read_schema, with_metadata

logger = logging.getLogger("sdssflow")
ROWS = 1_000_000  # maximum per file
COUNTED_ORDER = 10  # cells of 3.4 arcmin
MAP_ORDER = 8  # of the sky map, as in LSDB
BLOCK_ROWS = 131_072
ROUTED_ROWS = 524_288  # in memory before they are written to the files of their cells
LEVEL = 3  # of zstd; HATS' default of 15 takes 5 times as long for 2 % less space


class About(NamedTuple):
    """Name and title in the properties of the catalogue."""

    name: str
    title: str


def write_hats(
    estimates: Sequence[str | Path], folder: str | Path, about: About, rows: int = ROWS
) -> int:
    """Write the estimates of all partitions as a HATS catalogue, atomically.

    Equal estimates give equal bytes: the catalogue has no date of its creation. Its columns are
    `_healpix_29`, by which a file is sorted, `partition` (name of the table, in which `row_id` is
    unique), and those of the tables.

    Parameters
    ----------
    estimates : sequence of path-like
        Tables of `streaming.estimate_partition`, with ra and dec in degrees.
    folder : path-like
        The catalogue; an existing one is replaced.
    about : About
        Name and title of the target.
    rows : int
        Maximum number of rows per file.

    Returns
    -------
    int
        Number of rows of the catalogue.

    Raises
    ------
    ValueError
        If rows have no position, there are no rows, more than `rows` in the smallest cell, or the
        tables have different columns.
    """
    filled = [path for path in map(Path, estimates) if pq.read_metadata(path).num_rows]
    counts = count_cells(filled, about.name)
    pixels = cells_of(counts, rows, about.name)
    with _replacing_folder(Path(folder)) as made:
        spill = made / "routed"
        spill.mkdir()
        route(_located(filled, about.name), pixels, spill)
        lengths = [
            _write_cell(spill / str(number), made, pixel) for number, pixel in enumerate(pixels)
        ]
        spill.rmdir()
        _describe(made, about, pixels, counts, max(lengths))
    logger.info("%d rows in %d cells", counts.sum(), len(pixels))
    return int(counts.sum())


def count_cells(estimates: Sequence[Path], target: str) -> np.ndarray:
    """Return the number of rows in each cell of `COUNTED_ORDER`; raises as `write_hats` does."""
    counts = np.zeros(12 * 4**COUNTED_ORDER, np.int64)
    without = total = 0
    for path in estimates:
        if not {"ra", "dec"} <= {*pq.read_schema(path).names}:
            raise ValueError(
                f"target {target}: the estimates have no ra and dec, which a HATS catalogue is "
                "sorted by; map both in source.columns, or set hats: false"
            )
        for block in _blocks(path, ["ra", "dec"]):
            ra, dec = (block[name].to_numpy() for name in ("ra", "dec"))
            known = np.isfinite(ra) & (np.abs(dec) <= 90)
            total, without = total + len(ra), without + int((~known).sum())
            index = compute_spatial_index(ra[known], dec[known], COUNTED_ORDER)
            cells, found = np.unique(index, return_counts=True)
            counts[cells] += found
    if without:
        raise ValueError(
            f"target {target}: {without} of {total} rows have no position (ra, dec in degrees), "
            "which a HATS catalogue needs; remove them from the source, or set hats: false"
        )
    if not total:
        raise ValueError(f"target {target}: no rows for a HATS catalogue; set hats: false")
    return counts


def cells_of(counts: np.ndarray, rows: int, target: str) -> list[HealpixPixel]:
    """Return the largest cells with at most this many rows, in the order of the sky index."""
    if counts.max() > rows:
        raise ValueError(
            f"target {target}: {counts.max()} rows are in one cell of 3.4 arcmin, more than the "
            f"{rows} of a file; are their positions placeholders for missing values?"
        )
    order = COUNTED_ORDER
    # start from the coarsest cells that are small enough: hats is slow with finer ones
    while order and counts.reshape(-1, 4).sum(axis=1).max() <= rows:
        counts, order = counts.reshape(-1, 4).sum(axis=1), order - 1
    aligned = generate_alignment(counts, order, threshold=rows)
    found = {(int(cell[0]), int(cell[1])) for cell in aligned if cell is not None}
    return list(sort_pixels([HealpixPixel(*cell) for cell in found]))


def route(blocks: Iterator[pa.Table], pixels: Sequence[HealpixPixel], spill: Path) -> None:
    """Append rows with their sky index to a file per cell, named by its index in `pixels`.

    A file has Arrow streams one after the other, so that no file stays open.
    """
    starts = [healpix_to_spatial_index(pixel.order, pixel.pixel) for pixel in pixels]
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    waiting: list[pa.Table] = []

    def flush() -> None:
        if not waiting:
            return
        table = _sorted(pa.concat_tables(waiting))
        waiting.clear()
        numbers = np.searchsorted(starts, table[SPATIAL_INDEX_COLUMN].to_numpy(), side="right") - 1
        present, first = np.unique(numbers, return_index=True)
        for number, low, high in zip(present, first, [*first[1:], len(numbers)], strict=True):
            with (
                (spill / str(number)).open("ab") as sink,
                pa.ipc.new_stream(sink, table.schema, options=options) as stream,
            ):
                stream.write_table(table.slice(low, high - low))

    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= ROUTED_ROWS:
            flush()
    flush()


def _located(estimates: Sequence[Path], target: str) -> Iterator[pa.Table]:
    """Yield the rows of all tables, with sky index and name of the table, in one schema."""
    schema = None
    for path in estimates:
        for block in _blocks(path):
            index = compute_spatial_index(block["ra"].to_numpy(), block["dec"].to_numpy())
            block = block.add_column(0, "partition", pa.repeat(path.stem, len(block)))
            block = block.add_column(0, SPATIAL_INDEX_COLUMN, pa.array(index))
            if schema is None:
                about = {k: v for k, v in metadata(read_schema(path)).items() if k != "data_digest"}
                schema = with_metadata(block.replace_schema_metadata(None), **about).schema
            if not block.schema.equals(schema):
                raise ValueError(
                    f"target {target}: {path} has other columns than {estimates[0]}; estimate both "
                    "with the same models"
                )
            yield block.replace_schema_metadata(schema.metadata)


def _blocks(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BLOCK_ROWS, columns=columns):
            yield pa.Table.from_batches([batch])


def _sorted(table: pa.Table) -> pa.Table:
    """Return a table stably sorted by the sky index."""
    order = np.argsort(table[SPATIAL_INDEX_COLUMN].to_numpy(), kind="stable")
    return table.combine_chunks().take(pa.array(order))


def _write_cell(routed: Path, folder: Path, pixel: HealpixPixel) -> int:
    """Write the file of a cell, sorted, from its temporary file; return its number of rows."""
    pieces = []
    with pa.OSFile(str(routed)) as source:
        while source.tell() < source.size():
            pieces.append(pa.ipc.open_stream(source).read_all())
    table = _sorted(pa.concat_tables(pieces))
    routed.unlink()
    how = file_io.get_parquet_write_table_kwargs(
        table.schema, write_table_kwargs={"compression_level": LEVEL}
    )
    pq.write_table(table, paths.new_pixel_catalog_file(folder, pixel).path, **how)
    return len(table)


def _describe(
    folder: Path, about: About, pixels: list[HealpixPixel], counts: np.ndarray, most: int
) -> None:
    """Write the metadata of HATS: listings, sky maps, properties."""
    write_parquet_metadata(folder)
    cells = PartitionInfo(pixels)
    cells.write_to_file(catalog_path=folder)
    order = max(MAP_ORDER, cells.get_highest_order())
    sky = counts.reshape(-1, 4 ** (COUNTED_ORDER - order)).sum(axis=1)
    # hats reads the coverage from the first, the numbers of objects from the second
    file_io.write_fits_image(sky, paths.get_point_map_file_pointer(folder))
    write_skymap(sky, folder)
    made_by = TableProperties.new_provenance_dict(folder, builder=f"sdssflow v{__version__}")
    del made_by["hats_creation_date"]  # equal estimates, equal bytes
    TableProperties(
        catalog_name=about.name,
        catalog_type=CatalogType.OBJECT,
        total_rows=int(counts.sum()),
        ra_column="ra",
        dec_column="dec",
        healpix_column=SPATIAL_INDEX_COLUMN,
        healpix_order=SPATIAL_INDEX_ORDER,
        hats_order=cells.get_highest_order(),
        hats_max_rows=most,
        skymap_order=order,
        moc_sky_fraction=float(f"{cells.calculate_fractional_coverage():.5g}"),
        obs_title=about.title,
        **made_by,
    ).to_properties_file(folder)


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` when the block succeeds."""
    made = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(made, ignore_errors=True)  # from a killed writer
    made.mkdir(parents=True)
    try:
        yield made
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
