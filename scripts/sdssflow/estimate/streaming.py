"""One partition of a target in one pass: read, cut, estimate, write, in bounded memory.

Blocks pass through three overlapping stages, reading, estimating and writing, in separate threads.
The result depends on the rows, not on their division into blocks; of networks, to the last digit
of float32.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from sdssflow.acquire.checks import Defects
from sdssflow.acquire.files.columns import Part
from sdssflow.acquire.files.conform import conform_block
from sdssflow.acquire.files.parquet import parquet_blocks
from sdssflow.acquire.files.readers import BLOCK_ROWS, read_blocks
from sdssflow.bundle import Bundle, BundleError
from sdssflow.configuration.file_sources import FileContent
from sdssflow.configuration.targets import Target
from sdssflow.estimate.compact import PdfColumns
from sdssflow.estimate.partitions import Partition
from sdssflow.estimate.redshifts import bins_of
from sdssflow.estimate.repeats import repeats_within
from sdssflow.estimate.summary import Counts, Drawing, Drawn
from sdssflow.estimate.tables import as_table
from sdssflow.prepare.cuts import rows_kept
from sdssflow.prepare.extinction import CORRECTED
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.qp_files import pdf_writer
from sdssflow.regress.calibrations import one_torch_thread
from sdssflow.tables import metadata, read_schema, with_metadata, write_parquet_blocks

CARRIED = ("row_id", "objid", "ra", "dec")
AHEAD = 2  # maximum number of blocks between two stages
QP_LEVELS = 99
_Item = TypeVar("_Item")


@dataclass
class Estimates:
    """Results of a partition besides its table.

    Attributes
    ----------
    counts : Counts
        Counts of objects and flags.
    drawn : Drawn
        Objects for the figures.
    defects : Defects
        Defects of values in a file.
    """

    counts: Counts
    drawn: Drawn
    defects: Defects = field(default_factory=Defects)


def estimate_partition(
    target: Target,
    name: str,
    partition: Partition,
    bundles: Iterable[Bundle],
    path: str | Path,
    pdfs: str | Path | None = None,
    threads: int = 1,
    drawn: int = 1000,
) -> Estimates:
    """Estimate the objects of a partition and write them as Parquet, atomically.

    Parameters
    ----------
    target : Target
        Source, cuts and form of p(z).
    name : str
        Name of the target.
    partition : Partition
        The rows to read.
    bundles : iterable of Bundle
        At most one for classes and one for redshifts.
    path : path-like
        The table: those of `CARRIED` that the source has, then the estimates.
    pdfs : path-like, optional
        The file of `qp` for `quantiles_99`.
    threads : int
        Number of blocks of objects estimated in parallel.
    drawn : int
        Maximum number of objects drawn for the figures.

    Raises
    ------
    CatalogueError, BundleError
        If the rows can't be read, or do not have the columns and units of the models.
    """
    by_task = tasks(bundles)
    found = Estimates(Counts(), Drawn(drawn))
    with ExitStack() as stack:
        write_pdf = None
        if pdfs is not None:
            write_pdf = stack.enter_context(pdf_file(pdfs))
        maker = _Maker(target, name, by_task, found, threads, write_pdf)
        if target.nz_weights and not ("regress" in by_task and maker.edges):
            raise BundleError(
                f"target {name}: nz_weights need a p(z) and tomographic bins, which the models do "
                "not have; set tomographic_edges, or nz_weights: false"
            )
        read = ahead(catalogue_blocks(target, name, partition, found))
        blocks = map(maker.table, ahead(map(maker.estimate, read)))
        first = next(blocks)
        about: dict[str, object] = {"target": name}
        about["bundles"] = [bundle.manifest.name for bundle in by_task.values()]
        about |= {"class_priors": maker.priors or "training part"} if "classify" in by_task else {}
        write_parquet_blocks(itertools.chain([first], blocks), first.schema, path, about)
        found.counts.finish()
        if repeated := repeats_within(path):
            raise BundleError(repeated)
    found.counts.table(path)
    return found


@contextmanager
def pdf_file(path: str | Path) -> Iterator[Callable[[Mixture, dict[str, np.ndarray]], None]]:
    """Yield the writer of a partition's file of p(z), which has no rows unless it is called."""
    with pdf_writer(path, QP_LEVELS) as write:
        nothing = np.ones((0, 1))
        write(Mixture(nothing, nothing, nothing, 0.0, 1.0), {"row_id": np.empty(0, np.int64)})
        yield write


def tasks(bundles: Iterable[Bundle]) -> dict[str, Bundle]:
    """Return bundles by task; BundleError if two have the same."""
    found: dict[str, Bundle] = {}
    for bundle in bundles:
        other = found.setdefault(bundle.manifest.task, bundle)
        if other is not bundle:
            raise BundleError(
                f"{other.path} and {bundle.path} are both models to {bundle.manifest.task}; "
                "a target can have one of each"
            )
    return found


class _Block(NamedTuple):
    """The rows of a block after cuts, and their estimates."""

    catalogue: pa.Table
    columns: dict[str, np.ndarray]
    compact: PdfColumns
    drawing: Drawing


@dataclass
class _Maker:
    """Makes the estimates of a block."""

    target: Target
    name: str
    bundles: dict[str, Bundle]
    found: Estimates
    threads: int
    write_pdf: Callable[[Mixture, dict[str, np.ndarray]], None] | None

    def needed(self, catalogue: pa.Table) -> list[str]:
        """Return the columns that the models need, with the extinction that is subtracted."""
        manifests = [bundle.manifest for bundle in self.bundles.values()]
        names = list(dict.fromkeys(name for its in manifests for name in its.columns))
        applied = metadata(catalogue.schema).get("extinction_applied", False)
        if not applied and any(its.deredden in CORRECTED for its in manifests):
            bands = dict.fromkeys(name[-1] for name in names if "_mag_" in name)
            names += [f"extinction_{band}" for band in bands]
        return names

    @property
    def edges(self) -> list[float]:
        """Edges of the tomographic bins, from the target or from the model."""
        known = [bundle.manifest.tomographic_edges for bundle in self.bundles.values()]
        return self.target.tomographic_edges or max(known, key=len)

    @property
    def priors(self) -> dict[str, float] | None:
        """Assumed class fractions; None for those of the training part."""
        assumed = self.target.class_priors
        return None if assumed is None else assumed.model_dump()

    def estimate(self, catalogue: pa.Table) -> _Block:
        """Apply cuts and models to a block."""
        counts = self.found.counts
        counts.rows(catalogue, self.needed(catalogue))
        catalogue = self._cut(catalogue)
        row_id = catalogue["row_id"].to_numpy()
        edges = self.edges if self.target.nz_weights else ()
        compact = PdfColumns(self.target.pdf, len(row_id), edges=edges)
        drawing = self.found.drawn.block(row_id)

        def see(pdf: Mixture, rows: np.ndarray) -> None:
            compact.see(pdf, rows)
            drawing.see(pdf, rows)
            if self.write_pdf is not None:
                self.write_pdf(pdf, {"row_id": row_id[rows]})

        columns: dict[str, np.ndarray] = {}
        for bundle in self.bundles.values():
            estimates = bundle.columns(catalogue, self.threads, see, self.priors)
            if "missing_bands" in columns:
                estimates["missing_bands"] |= columns["missing_bands"]
            columns |= estimates
        if self.target.tomographic_edges and "zphot" in columns:
            columns["tomographic_bin"] = bins_of(columns["zphot"], np.array(self.edges))
        return _Block(catalogue, columns, compact, drawing)

    def table(self, block: _Block) -> pa.Table:
        """Count the estimates of a block and return them as a table."""
        catalogue, columns = block.catalogue, block.columns
        self.found.counts.estimates(catalogue, columns)
        block.drawing.finish(catalogue, columns, self.bundles)
        estimates = as_table(columns)
        carried = [name for name in CARRIED if name in catalogue.column_names]
        made = {name: catalogue[name] for name in carried}
        made |= {name: estimates[name] for name in estimates.column_names}
        made |= block.compact.columns()
        return pa.table(made)

    def _cut(self, catalogue: pa.Table) -> pa.Table:
        for number, cut in enumerate(self.target.cuts):
            keep = rows_kept(catalogue, cut)
            self.found.counts.cut(number, cut, int((~keep).sum()))
            catalogue = catalogue.filter(pa.array(keep))
        return catalogue


def catalogue_blocks(
    target: Target, name: str, partition: Partition, found: Estimates
) -> Iterator[pa.Table]:
    """Yield the rows of a partition as blocks of a catalogue, with its metadata.

    Values are checked as for a sample; defects are counted in `found`.
    """
    source, part = target.source, Part(partition.number, partition.of)
    if not isinstance(source, FileContent):
        about = metadata(read_schema(partition.path))
        names = {name: name for name in pq.read_schema(partition.path).names}
        for _, block in parquet_blocks(partition.path, names, part, BLOCK_ROWS):
            yield with_metadata(block, **about)
        return
    for block in read_blocks(partition.path, source, *part, BLOCK_ROWS):
        yield with_metadata(
            conform_block(block, source, found.defects),
            sample=name,
            magnitude_system=source.magnitude_system,
            extinction_applied=source.extinction_applied,
        )


def ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield items that a thread produces in the background, at most `AHEAD` in advance."""
    iterator: Iterator[Any] = iter(items)
    end: Any = object()
    pool = ThreadPoolExecutor(1, initializer=_one_thread)
    try:
        pending = deque(pool.submit(next, iterator, end) for _ in range(AHEAD))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, iterator, end))
            yield item
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_thread() -> None:
    threadpool_limits(1)  # OpenMP would start a thread per core in each of our threads
    one_torch_thread()
