"""Read a user's file of any supported format into Arrow under catalogue names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.acquire import fits_files, hdf5_files, parquet_files, text_files, votable_files
from sdssflow.acquire.column_names import check_names
from sdssflow.acquire.containers import open_content, plain_file
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.mapping import check_mapping
from sdssflow.acquire.signatures import FORMATS, HEAD, signature
from sdssflow.configuration.sources import FileSource
from sdssflow.files import file_digest

SUFFIXES = {
    ".csv": "csv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
}
READABLE = (
    "CSV, ECSV, FITS, VOTable, Parquet, Arrow and HDF5, also compressed or alone in a ZIP or tar "
    "archive"
)


@dataclass(frozen=True)
class SourceTable:
    """What stands in a file, under catalogue names but not yet of catalogue types.

    Attributes
    ----------
    path : str
        The file, as the user wrote it.
    format : str
        Its format.
    sha256 : str
        Its digest.
    columns : dict of str to str
        Catalogue name -> name in the file.
    table : pyarrow.Table
        The mapped columns under catalogue names; text (binary) for CSV, else of the file's types.
    """

    path: str
    format: str
    sha256: str
    columns: dict[str, str]
    table: pa.Table

    def error(self, name: str, problem: str, advice: str, row: int | None = None) -> CatalogueError:
        """Return an error about catalogue column `name` that also says its name in the file."""
        in_file = self.columns[name]
        column = name if name == in_file else f"{in_file} -> {name}"
        line = None
        if row is not None and self.format == "csv":
            line = text_files.line_of_row(self.path, self.columns, row)
        return CatalogueError(self.path, problem, advice, column=column, row=row, line=line)


def read_source(path: str | Path, source: FileSource) -> SourceTable:
    """Read the mapped columns of a file.

    Parameters
    ----------
    path : path-like
        The file.
    source : FileSource
        Format, table, mapping and expected digest.

    Returns
    -------
    SourceTable
        One row per row of the file, in its order.

    Raises
    ------
    CatalogueError
        If the file is missing, of unknown format, unlike its digest, unreadable, without rows or
        without a mapped column; or if the mapping is no good.
    """
    path = str(path)
    check_mapping(path, source.columns)
    check_names(path, source)
    if not Path(path).exists():
        raise CatalogueError(
            path,
            "there is no such file",
            "Check source.path; it is relative to the working directory of the workflow.",
        )
    folder = Path(path).is_dir()
    digest = parquet_files.folder_digest(path) if folder else file_digest(path)
    if source.sha256 is not None and digest != source.sha256:
        raise CatalogueError(
            path,
            f"its SHA-256 is {digest}, source.sha256 expects {source.sha256}",
            "Fetch the file again, or record the new digest if you meant to change it.",
        )
    kind = "parquet" if folder else format_of(path, source.format)
    if source.table is not None and kind in ("csv", "parquet", "arrow"):
        raise CatalogueError(
            path, f"a file of {FORMATS[kind]} has no tables inside", "Take source.table out."
        )
    table = _read(path, kind, source)
    if table.num_rows == 0:
        raise CatalogueError(path, "the table has no rows", "Fetch or export it again.")
    return SourceTable(path, kind, digest, dict(source.columns), table)


def _read(path: str, kind: str, source: FileSource) -> pa.Table:
    if Path(path).is_dir():
        return parquet_files.read_parquet_columns(path, source.columns)
    if kind == "csv":
        return text_files.read_text(path, source.columns)
    with plain_file(path) as plain:
        match kind:
            case "fits":
                return fits_files.read_fits(plain, source.columns, source.table)
            case "votable":
                return votable_files.read_votable(plain, source.columns, source.table)
            case "parquet":
                return parquet_files.read_parquet_columns(plain, source.columns)
            case "arrow":
                with _as_parquet(plain) as parquet:
                    return parquet_files.read_parquet_columns(parquet, source.columns)
            case _:
                return hdf5_files.read_hdf5(plain, source.columns, source.table)


@contextmanager
def _as_parquet(path: str) -> Iterator[str]:
    """Write an Arrow file as Parquet, which says the same of its columns."""
    with tempfile.TemporaryDirectory() as folder:
        parquet = f"{folder}/{Path(path).name}"
        try:
            with pa.memory_map(path) as file:
                pq.write_table(pa.ipc.open_file(file).read_all(), parquet)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise CatalogueError(
                path,
                f"the file can't be read as Arrow ({error})",
                "It may be cut short; fetch it again or write it as Parquet.",
            ) from error
        try:
            yield parquet
        except CatalogueError as error:
            raise error.about(path) from error


def format_of(path: str, stated: str | None = None) -> str:
    """Tell the format of a file from its first bytes, unpacked if need be.

    Parameters
    ----------
    path : str
        The file.
    stated : str, optional
        What `source.format` says.

    Returns
    -------
    str
        A key of `signatures.FORMATS`.

    Raises
    ------
    CatalogueError
        If it is of no format that can be read, or not of the stated one; if it is text and its name
        says another format.
    """
    with open_content(path) as stream:
        found = signature(stream.peek(HEAD))
    named = _named_format(path)
    if found.kind == "unknown" and "csv" in (stated, named):
        return "csv"  # with a NUL byte, which gets an error with its line
    if found.kind not in FORMATS:
        raise CatalogueError(
            path, f"it is {found.what}", found.advice or f"What can be read: {READABLE}."
        )
    if stated not in (None, found.kind):
        raise CatalogueError(
            path,
            f"source.format says {stated}, but it is {found.what}",
            f"Take source.format out, or set it to {found.kind}."
            if found.kind in SUFFIXES.values()
            else "Take source.format out.",
        )
    if found.kind == "csv" and stated is None and named not in (None, "csv"):
        raise CatalogueError(
            path,
            f"it is called {FORMATS[named]}, but it is {found.what}",
            "Fetch it again; or, if these are rows, set source.format to csv.",
        )
    return found.kind


def _named_format(path: str) -> str | None:
    """Tell the format that a name states; None if it states none."""
    known = [SUFFIXES.get(suffix.lower()) for suffix in Path(path).suffixes]
    return next((kind for kind in reversed(known) if kind), None)
