"""Read a user's file of any supported format into Arrow under catalogue names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from sdssflow.acquire import fits_files, hdf5_files, parquet_files, text_files, votable_files
from sdssflow.acquire.column_names import check_names
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.mapping import check_mapping
from sdssflow.configuration.sample import FileSource
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
COMPRESSIBLE = ("csv", "fits", "votable")


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
        The mapped columns under catalogue names; text for CSV, else of the file's types.
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
            line = text_files.line_of_row(self.path, row)
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
    kind = "parquet" if folder else source.format or format_of(path)
    if source.table is not None and kind in ("csv", "parquet"):
        raise CatalogueError(path, f"a {kind} file has no tables inside", "Take source.table out.")
    table = _read(path, kind, source)
    if table.num_rows == 0:
        raise CatalogueError(path, "the table has no rows", "Fetch or export it again.")
    return SourceTable(path, kind, digest, dict(source.columns), table)


def _read(path: str, kind: str, source: FileSource) -> pa.Table:
    match kind:
        case "csv":
            return text_files.read_csv_text(path, source.columns)
        case "fits":
            return fits_files.read_fits(path, source.columns, source.table)
        case "votable":
            return votable_files.read_votable(path, source.columns, source.table)
        case "parquet":
            return parquet_files.read_parquet_columns(path, source.columns)
        case _:
            return hdf5_files.read_hdf5(path, source.columns, source.table)


def format_of(path: str) -> str:
    """Tell the format of a file from its suffix.

    Raises
    ------
    CatalogueError
        If the suffix says nothing.

    Examples
    --------
    >>> format_of("photo.csv.gz"), format_of("specObj-dr17.fits")
    ('csv', 'fits')
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = SUFFIXES.get(suffixes[-2 if zipped else -1]) if len(suffixes) > zipped else None
    if kind is None or (zipped and kind not in COMPRESSIBLE):
        raise CatalogueError(
            path,
            "the suffix does not tell the format",
            f"Set source.format, or use one of {', '.join(SUFFIXES)} (.gz after CSV, FITS and "
            "VOTable).",
        )
    return kind
