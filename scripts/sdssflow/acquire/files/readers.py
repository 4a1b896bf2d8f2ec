"""Read a user's file of any supported format into Arrow under catalogue names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from sdssflow.acquire.checks import one_array
from sdssflow.acquire.column_names import contradiction
from sdssflow.acquire.errors import CatalogueError, nearest
from sdssflow.acquire.files.columns import ALL_ROWS, Part
from sdssflow.acquire.files.containers import HEAD, open_content, plain_file, signature
from sdssflow.acquire.files.fits import fits_blocks
from sdssflow.acquire.files.hdf5 import hdf5_blocks
from sdssflow.acquire.files.npy import npy_blocks
from sdssflow.acquire.files.parquet import arrow_blocks, folder_digest, parquet_blocks
from sdssflow.acquire.files.text import line_of_row, text_blocks
from sdssflow.acquire.files.votable import votable_blocks
from sdssflow.acquire.schema import BANDS, COLUMNS, MAGNITUDES, Column, columns_of
from sdssflow.configuration.declared import SHIPPED
from sdssflow.configuration.file_sources import FileContent, FileSource, UrlSource
from sdssflow.files import file_digest

BLOCK_ROWS = 131_072


class Format(NamedTuple):
    """A format that can be read."""

    title: str  # in messages
    suffixes: tuple[str, ...]  # of file names; none if it is not a value of `source.format`
    # takes path, columns, `source.table` if it `has_tables`, part and rows; yields first row and
    # table of each block of the part
    blocks: Callable[..., Iterator[tuple[int, pa.Table]]]
    has_tables: bool = False  # whether a file can hold several tables


FORMATS = {
    "csv": Format("text", (".csv",), text_blocks),
    "fits": Format("FITS", (".fits", ".fit"), fits_blocks, has_tables=True),
    "votable": Format("VOTable", (".vot", ".votable", ".xml"), votable_blocks, has_tables=True),
    "parquet": Format("Parquet", (".parquet", ".pq"), parquet_blocks),
    "npy": Format("NumPy", (".npy",), npy_blocks),
    "hdf5": Format("HDF5", (".h5", ".hdf5", ".hdf"), hdf5_blocks, has_tables=True),
    "arrow": Format("Arrow", (), arrow_blocks),
}
READABLE = (
    f"CSV, ECSV, {', '.join(known.title for known in list(FORMATS.values())[1:])}, also compressed "
    "or as the only file in a ZIP or tar archive"
)
_RARE = {"row_id", *SHIPPED, *(name for name in COLUMNS if name.startswith("sdss_photoz"))}
CATALOGUE_NAMES = (
    ", ".join(name for name in COLUMNS if name not in _RARE and name[-2:-1] != "_")
    + ", petro_rad_r, and for each band u, g, r, i, z: model_mag_u, psf_mag_u, petro_mag_u, "
    "cmodel_mag_u, model_mag_err_u, psf_mag_err_u, petro_mag_err_u, cmodel_mag_err_u, "
    "extinction_u"
)


@dataclass
class SourceTable:
    """The content of a file under catalogue names, but not yet in catalogue types."""

    path: str  # as the user wrote it
    format: str
    sha256: str
    columns: dict[str, str]  # catalogue name -> name in the file
    table: pa.Table  # columns not yet taken; binary for CSV, else the file's types
    first_row: int = 0  # of a block in the file
    known: Mapping[str, Column] = field(default_factory=lambda: COLUMNS)  # all possible columns
    header: bool = True  # whether a text table names its columns

    def take(self, name: str) -> pa.Array:
        """Remove a column from the table and return it, to save memory."""
        column = self.table[name]
        self.table = self.table.drop_columns(name)
        return one_array(column)

    def error(self, name: str, problem: str, advice: str, row: int | None = None) -> CatalogueError:
        """Return an error about catalogue column `name` that also says its name in the file."""
        in_file = self.columns[name]
        column = name if name == in_file else f"{in_file} -> {name}"
        line = None
        if row is not None:
            row += self.first_row
            if self.format == "csv":
                line = line_of_row(self.path, self.columns, row, self.header)
        return CatalogueError(self.path, problem, advice, column=column, row=row, line=line)


def read_source(path: str | Path, source: FileSource | UrlSource) -> SourceTable:
    """Read the mapped columns of a file, one row per row of the file, in its order.

    CatalogueError for a file that is missing, of unknown format, different from its digest,
    unreadable, empty or without a mapped column, and for an invalid mapping.
    """
    path = str(path)
    kind = readable(path, source)
    digest = folder_digest(path) if Path(path).is_dir() else file_digest(path)
    _check_digest(path, source, digest)
    _check_truth(path, source.columns)
    blocks = [table for _, table in _blocks(path, source, kind, Part(0, 1), ALL_ROWS)]
    return _source_table(path, source, kind, digest, pa.concat_tables(blocks))


def readable(path: str, source: FileContent) -> str:
    """Return the format of a file or of the parts in a folder.

    CatalogueError for an unreadable file or an invalid mapping.
    """
    _check_mapping(path, source.columns, columns_of(source.declared))
    if doubt := contradiction(source):
        raise CatalogueError(path, *doubt)
    if not Path(path).exists():
        raise CatalogueError(
            path,
            "there is no such file",
            "Check source.path; it is relative to the working directory of the workflow.",
        )
    kind = "parquet" if Path(path).is_dir() else format_of(path, source.format)
    known = FORMATS[kind]
    if source.table is not None and not known.has_tables:
        raise CatalogueError(
            path, f"a {known.title} file has no named tables", "Remove source.table."
        )
    if not source.header and kind != "csv":
        raise CatalogueError(
            path, f"a {known.title} file names its columns", "Remove source.header."
        )
    return kind


def _check_digest(path: str, source: FileSource | UrlSource, digest: str) -> None:
    if source.sha256 not in (None, digest):
        raise CatalogueError(
            path,
            f"its SHA-256 is {digest}, source.sha256 expects {source.sha256}",
            "Fetch the file again, or record the new digest if the change was intended.",
        )


def _blocks(
    path: str, source: FileContent, kind: str, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part; refuse a part without rows."""
    known = FORMATS[kind]
    inside: tuple[Any, ...] = (source.table,) if known.has_tables else ()
    if kind == "csv":
        inside = (source.header,)
    # text is decompressed while it is read, and folders are not compressed
    is_plain = kind == "csv" or Path(path).is_dir()
    empty = True
    with nullcontext(path) if is_plain else plain_file(path) as plain:
        for first_row, table in known.blocks(plain, source.columns, *inside, part, rows):
            empty = empty and table.num_rows == 0
            yield first_row, table
    if empty and part.of == 1:
        raise CatalogueError(path, "the table has no rows", "Fetch or export it again.")
    if empty:
        problem = f"part {part.number} of {part.of} has no rows"
        raise CatalogueError(path, problem, "Use fewer partitions.")


def read_blocks(
    path: str | Path,
    source: FileSource | UrlSource,
    number: int = 0,
    of: int = 1,
    rows: int = BLOCK_ROWS,
) -> Iterator[SourceTable]:
    """Read one of `of` equal parts of a file in blocks of at most `rows` rows, in its order.

    Memory does not grow with the file. Neither class nor redshift has to be mapped; otherwise
    errors are those of `read_source`, also for a part without rows.
    """
    path = str(path)
    kind = readable(path, source)
    if source.sha256 is not None:
        _check_digest(path, source, file_digest(path))
    for first_row, table in _blocks(path, source, kind, Part(number, of), rows):
        yield _source_table(path, source, kind, "", table, first_row)


def _source_table(
    path: str, source: FileContent, kind: str, digest: str, table: pa.Table, first_row: int = 0
) -> SourceTable:
    known, columns = columns_of(source.declared), dict(source.columns)
    return SourceTable(path, kind, digest, columns, table, first_row, known, source.header)


def format_of(path: str, stated: str | None = None) -> str:
    """Return the key of `FORMATS` for a file, from its first bytes after decompression.

    Unknown formats, formats other than `source.format`, and text with the suffix of another format
    are refused.
    """
    with open_content(path) as stream:
        found = signature(stream.peek(HEAD))
    endings = [suffix.lower() for suffix in reversed(Path(path).suffixes)]
    named = next(
        (kind for end in endings for kind, known in FORMATS.items() if end in known.suffixes), None
    )
    if found.kind == "unknown" and "csv" in (stated, named):
        return "csv"  # with a NUL byte, which the reader reports with its line
    if found.kind not in FORMATS:
        raise CatalogueError(
            path, f"it is {found.what}", found.advice or f"Readable formats are: {READABLE}."
        )
    if stated not in (None, found.kind):
        raise CatalogueError(
            path,
            f"source.format says {stated}, but it is {found.what}",
            f"Remove source.format, or set it to {found.kind}."
            if FORMATS[found.kind].suffixes
            else "Remove source.format.",
        )
    if found.kind == "csv" and stated is None and named not in (None, "csv"):
        raise CatalogueError(
            path,
            f"its suffix is that of {FORMATS[named].title}, but it is {found.what}",
            "Fetch it again; or, if these are rows, set source.format to csv.",
        )
    return found.kind


def _check_mapping(path: str, columns: dict[str, str], known: Mapping[str, Column]) -> None:
    """Refuse mappings with unknown or repeated columns, or half a position."""
    for name in columns:
        if name == "row_id":
            raise CatalogueError(
                path,
                "source.columns maps row_id, which is assigned on import",
                "Remove row_id from source.columns.",
            )
        if name not in known:
            like = nearest(name, [column for column in known if column != "row_id"])
            raise CatalogueError(
                path,
                f"source.columns maps {name!r}, which is not a catalogue column{like}",
                f"Use the names of the catalogue: {CATALOGUE_NAMES}. Other columns can be "
                "declared in source.declared: docs/features.md.",
            )
    first_use: dict[str, str] = {}
    for name, in_file in columns.items():
        if in_file in first_use:
            raise CatalogueError(
                path,
                f"source.columns maps both {first_use[in_file]} and {name} to {in_file!r}",
                "Map each column of the file once.",
            )
        first_use[in_file] = name
    if ("ra" in columns) != ("dec" in columns):
        raise CatalogueError(
            path,
            "source.columns maps only one of ra and dec",
            "Map both, or neither if positions are unknown.",
        )


def _check_truth(path: str, columns: dict[str, str]) -> None:
    """Refuse a mapping without class and redshift, or without complete magnitudes."""
    if "spec_class" not in columns and "zspec" not in columns:
        raise CatalogueError(
            path,
            "source.columns maps neither spec_class nor zspec: there is nothing to learn",
            "Map the column with classes to spec_class or the one with redshifts to zspec.",
        )
    missing = {
        kind: [band for band in BANDS if f"{kind}_mag_{band}" not in columns] for kind in MAGNITUDES
    }
    if all(missing.values()):
        closest = min(MAGNITUDES, key=lambda kind: len(missing[kind]))
        names = ", ".join(f"{closest}_mag_{band}" for band in missing[closest])
        raise CatalogueError(
            path,
            "source.columns maps no kind of magnitude in all five bands; "
            f"closest to complete is {closest}, without {names}",
            "Map u, g, r, i and z of model, psf, petro or cmodel magnitudes.",
        )
