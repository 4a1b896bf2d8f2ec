"""Read one bulk file in Arrow blocks, with exact ids and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.checks import first_failure
from sdssflow.acquire.errors import CatalogueError, nearest
from sdssflow.acquire.fits_tables import check_whole, fits_tables, read_values

GZIP = b"\x1f\x8b"
FETCH = "Fetch it again (the folder of the release lists its size and checksum)."
OFFERED = "Use the original SDSS file."
NO_OBJECT = ("", "0", "-1")
Block: TypeAlias = dict[tuple[str, int | None], pa.Array]  # by column and element of its vectors


class BulkFile:
    """The first table of an uncompressed FITS file.

    `needed` maps the columns to read, in upper case, to the elements of their vectors; {None} for
    scalar columns. `rows` is the number of rows, `units` the stated unit of each column. A file
    that is missing, incomplete or lacks a column is a `CatalogueError`.
    """

    def __init__(self, path: str, needed: dict[str, set[int | None]]) -> None:
        self.path = path
        self._needed = needed
        self._check_start()
        with fits_tables(path) as tables:
            hdu = next(iter(tables.values()))
            check_whole(path, hdu)
            self.rows: int = hdu.header["NAXIS2"]
            known = hdu.columns.names
            for name in map(str.upper, known):
                self._named(name, known)  # refuses duplicates in any case, even if unused
            self._spelt = {name: self._named(name, known) for name in needed}
            self.units = {name: hdu.columns[its].unit or "" for name, its in self._spelt.items()}
            for name, its in self._spelt.items():
                self._check_elements(name, hdu.columns.dtype[its].shape)

    def blocks(self, rows: int) -> Iterator[Block]:
        """Yield the needed columns in blocks of at most `rows` rows; text is bytes, NaN is null."""
        for start in range(0, self.rows, rows):
            block: Block = {}
            with fits_tables(self.path) as tables:
                hdu = next(iter(tables.values()))
                data = hdu.data[start : start + rows]
                for name, its in self._spelt.items():
                    values = read_values(self.path, hdu, its, data, start)
                    for k in self._needed[name]:
                        block[name, k] = _as_arrow(values if k is None else values[:, k])
            yield block

    def error(
        self, column: str, problem: str, advice: str = OFFERED, row: int | None = None
    ) -> CatalogueError:
        """Return the error about a column."""
        return CatalogueError(self.path, problem, advice, column=column, row=row)

    def text(self, column: str, found: pa.Array) -> pa.Array:
        """Return a column as text without trailing blanks."""
        if not pa.types.is_binary(found.type):
            raise self.error(column, f"values of type {found.type}, expected text")
        try:
            return pc.utf8_rtrim_whitespace(found.cast(pa.string()))
        except pa.ArrowInvalid as error:
            raise self.error(column, f"text that is not UTF-8 ({error})") from error

    def whole(
        self,
        column: str,
        found: pa.Array,
        kind: pa.DataType,
        first_row: int,
        nothing: tuple[str, ...] = ("",),
    ) -> pa.Array:
        """Return exact integers, stored as text or integers; words in `nothing` become null."""
        if pa.types.is_floating(found.type):
            problem = "stored as floating point, which can't hold 64-bit integers"
            raise self.error(column, problem)
        if not pa.types.is_binary(found.type):
            # specObjIDs from plate 8192 on exceed 2^63 and are negative in a signed column
            return found.cast(kind, safe=False)
        words = pc.utf8_ltrim_whitespace(self.text(column, found))
        empty = pc.is_in(words, pa.array(nothing))
        words = pc.if_else(empty, pa.scalar(None, pa.string()), words)
        row = first_failure(words, kind)
        if row is not None:
            problem = f"{words[row].as_py()!r} is not an integer of type {kind}"
            raise self.error(column, problem, row=first_row + row)
        return words.cast(kind)

    def ids(self, column: str, found: pa.Array, kind: pa.DataType, first_row: int) -> pa.Array:
        """Return ids as `whole` does; empty, 0 and -1 become null."""
        ids = self.whole(column, found, kind, first_row, NO_OBJECT)
        none = pc.is_in(ids, pa.array([0, -1]).cast(kind, safe=False))
        return pc.if_else(none, pa.scalar(None, kind), ids)

    def _check_start(self) -> None:
        try:
            with Path(self.path).open("rb") as stream:
                start = stream.read(9)
        except OSError as error:
            raise CatalogueError(
                self.path,
                f"the file can't be read ({error.strerror or error})",
                "Set source.folder to the folder with specObj and photoPosPlate of the release, or "
                "list the files in source.spectra and source.photometry.",
            ) from error
        if start.startswith(GZIP):
            raise CatalogueError(self.path, "the file is gzipped", "Decompress it: gunzip --keep.")
        if not start.startswith(b"SIMPLE  ="):
            raise CatalogueError(self.path, "the file is not FITS", FETCH)

    def _named(self, name: str, known: list[str]) -> str:
        found = [other for other in known if other.upper() == name]
        if len(found) > 1:
            raise CatalogueError(self.path, f"the file names {name!r} {len(found)} times", FETCH)
        if not found:
            raise CatalogueError(
                self.path,
                f"the file has no column {name!r}{nearest(name, known)}",
                f"Is it the file of an SDSS release? Its columns: {', '.join(known[:40])}"
                + (", ..." if len(known) > 40 else "."),
            )
        return found[0]

    def _check_elements(self, name: str, shape: tuple[int, ...]) -> None:
        length = shape[0] if shape else 0
        need = max((k + 1 for k in self._needed[name] if k is not None), default=0)
        if len(shape) > 1 or bool(length) != bool(need) or length < need:
            found = " by ".join(map(str, shape)) or "no"
            problem = f"{found} elements per row, expected {need or 'one value'}"
            raise self.error(name, problem, "Is it the file of an SDSS release?")


def _as_arrow(values: np.ndarray) -> pa.Array:
    mask, data = np.ma.getmaskarray(values), np.ma.getdata(values)
    data = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
    return pa.array(data, mask=mask | np.isnan(data) if data.dtype.kind == "f" else mask)
