"""Rows of a FITS binary table in blocks, by plain reads: memory does not grow with the file.

A memory map would be shorter to write, but each page that was touched counts as memory of the
process, and a job of 16 GB is killed. astropy reads the header; the rows are read here, and the
checksums of the extension summed while it streams by. DATASUM is the sum of the data as unsigned
32-bit words, big-endian, with the carry added at the low end; header and data with CHECKSUM give
all ones (FITS standard 4.0, appendix J).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from sdssflow.acquire.errors import SUM_REPAIR, CatalogueError, nearest

FETCH = "Fetch it again (the folder of the release has its size and checksum)."
GZIP = b"\x1f\x8b"
NUMBERS = "BIJKED"  # bytes, integers of 16, 32, 64 bits, floats of 32 and 64 bits
TEXT = "A"
TAIL_BYTES = 1 << 20
SUMS = ("DATASUM", "CHECKSUM")
ONES = 0xFFFFFFFF


class Column(NamedTuple):
    """A column of the table as the header describes it: true value = zero + scale * stored value.

    `dtype` is that of one row, big-endian (vectors have a shape), `offset` the bytes before it in
    a row, `null` the stored value that means "none".
    """

    dtype: np.dtype
    offset: int
    zero: float
    scale: float
    null: int | None


class FitsRows:
    """The first binary table of a FITS file that is not compressed.

    `needed` are the columns that will be read, and which elements of their vectors; {None} for
    plain columns. `rows` is the number of rows, `units` the stated unit of each needed column,
    `sha256` the digest of the whole file, known when `blocks` has come to its end.
    """

    def __init__(self, path: str | Path, needed: dict[str, set[int | None]]) -> None:
        self.path = Path(path)
        self.sha256 = ""
        self._check_start()
        described, layout = self._header()
        size = self.path.stat().st_size
        if size < self._start + self.rows * self._width:
            raise self._cut(size)
        self._head, self._data, self._hash = WordSum(), WordSum(), hashlib.sha256()
        self._columns, self.units = {}, {}
        for name, elements in needed.items():
            found = described[_named(str(self.path), name, described.names)]
            self._columns[name] = _column(
                str(self.path), name, elements, found, *(layout.fields or {})[found.name]
            )
            self.units[name] = found.unit or ""

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the needed columns as structured arrays of at most `rows` rows, as stored.

        The array is overwritten by the next one.
        """
        layout = np.dtype(
            {
                "names": list(self._columns),
                "formats": [column.dtype for column in self._columns.values()],
                "offsets": [column.offset for column in self._columns.values()],
                "itemsize": self._width,
            }
        )
        buffer = bytearray(rows * self._width)
        with self.path.open("rb") as stream:
            before = stream.read(self._start)
            self._hash.update(before)
            self._head.update(before[self._header_start :])
            for first in range(0, self.rows, rows):
                part = memoryview(buffer)[: min(rows, self.rows - first) * self._width]
                if stream.readinto(part) != len(part):
                    raise self._cut(stream.tell())
                self._hash.update(part)
                self._data.update(part)
                yield np.frombuffer(part, dtype=layout)
            self._hash_rest(stream)

    def values(
        self, block: np.ndarray, name: str, element: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a column of a block in the machine's byte order, scaled, and where it is null.

        Integers stay integers, exactly, also unsigned ones that FITS stores with an offset.
        """
        column = self._columns[name]
        stored = block[name] if element is None else block[name][:, element]
        if stored.dtype.kind == "S":
            return stored, np.zeros(len(stored), dtype=bool)
        stored = stored.astype(stored.dtype.newbyteorder("="))
        if stored.dtype.kind == "f":
            return _scaled(stored, column), np.isnan(stored)
        null = np.zeros(len(stored), dtype=bool) if column.null is None else stored == column.null
        return _scaled(stored, column), null

    def _check_start(self) -> None:
        try:
            with self.path.open("rb") as stream:
                start = stream.read(9)
        except OSError as error:
            raise CatalogueError(
                str(self.path),
                f"the file can't be read ({error.strerror or error})",
                "Set source.folder to the folder with specObj and photoPosPlate of the release, or "
                "name the files in source.spectra and source.photometry.",
            ) from error
        if start.startswith(GZIP):
            raise CatalogueError(str(self.path), "the file is gzipped", "Unpack it: gunzip --keep.")
        if not start.startswith(b"SIMPLE  ="):
            raise CatalogueError(str(self.path), "the file is no FITS file", FETCH)

    def _header(self) -> tuple[Any, np.dtype]:
        """Note where the first binary table is; return its columns and the layout of its rows."""
        from astropy.io import fits

        try:
            with warnings.catch_warnings(), fits.open(self.path, memmap=True) as file:
                warnings.simplefilter("ignore")  # of a cut file: that gets an error below
                table = next((hdu for hdu in file if isinstance(hdu, fits.BinTableHDU)), None)
                if table is None:
                    raise CatalogueError(str(self.path), "no extension holds a table", FETCH)
                for name in table.columns.names:
                    _named(str(self.path), name.upper(), table.columns.names)
                header, where = table.header, table.fileinfo()
                self.rows: int = header["NAXIS2"]
                self._width: int = header["NAXIS1"]
                self._header_start, self._start = where["hdrLoc"], where["datLoc"]
                self._end = self._start + where["datSpan"]
                self._stated = {key: str(header[key]).strip() for key in SUMS if key in header}
                return table.columns, table.columns.dtype.newbyteorder(">")
        except CatalogueError:
            raise
        except Exception as error:  # astropy has no family of errors of its own
            raise CatalogueError(
                str(self.path), f"the file can't be read as FITS ({error})", FETCH
            ) from error

    def _cut(self, size: int) -> CatalogueError:
        whole = max(0, size - self._start) // self._width
        return CatalogueError(
            str(self.path),
            f"the file is cut short: its header promises {self.rows:,} rows, {whole:,} are there",
            FETCH,
        )

    def _hash_rest(self, stream: BinaryIO) -> None:
        while part := stream.read(TAIL_BYTES):
            self._hash.update(part)
            self._data.update(part[: max(0, self._end - stream.tell() + len(part))])
        self.sha256 = self._hash.hexdigest()
        wrong = None
        both = self._head.value + self._data.value
        # a header that says 0 states that no sum was made
        if self._stated.get("CHECKSUM", "").strip("0 ") and both not in (0, ONES, 2 * ONES):
            wrong = "CHECKSUM"
        if self._stated.get("DATASUM", str(self._data.value)) != str(self._data.value):
            wrong = "DATASUM"
        if wrong is not None:
            raise CatalogueError(
                str(self.path),
                f"the table does not have the {wrong} that its header states",
                SUM_REPAIR,
            )


def _named(path: str, name: str, known: list[str]) -> str:
    """Return how the file spells a column."""
    found = [other for other in known if other.upper() == name]
    if len(found) > 1:
        raise CatalogueError(path, f"the file names {name!r} {len(found)} times", FETCH)
    if not found:
        raise CatalogueError(
            path,
            f"the file has no column {name!r}{nearest(name, known)}",
            f"Is it the file of an SDSS release? Its columns: {', '.join(known[:40])}"
            + (", ..." if len(known) > 40 else "."),
        )
    return found[0]


def _column(
    path: str, name: str, elements: set[int | None], described: Any, dtype: np.dtype, offset: int
) -> Column:
    letter = getattr(described.format, "format", described.format)
    length = dtype.shape[0] if dtype.shape else 0
    need = max((element + 1 for element in elements if element is not None), default=0)
    if str(letter) not in NUMBERS + TEXT or len(dtype.shape) > 1:
        problem = f"FITS format {described.format} is neither number nor text"
        raise CatalogueError(path, problem, FETCH, column=name)
    if bool(length) != bool(need) or length < need:
        raise CatalogueError(
            path,
            f"{length or 'no'} elements a row, expected {need or 'one value'}",
            "Is it the file of an SDSS release?",
            column=name,
        )
    null = described.null if isinstance(described.null, int) else None
    return Column(dtype, offset, described.bzero or 0.0, described.bscale or 1.0, null)


def _scaled(stored: np.ndarray, column: Column) -> np.ndarray:
    if column.zero == 0 and column.scale == 1:
        return stored
    if stored.dtype.kind == "f" or column.scale != 1 or column.zero != int(column.zero):
        return column.zero + column.scale * stored.astype(np.float64)
    if int(column.zero) == 1 << 63:
        # FITS has no unsigned integers: the sign bit is flipped
        return stored.view(np.uint64) ^ np.uint64(1 << 63)
    return stored.astype(np.int64) + int(column.zero)


class WordSum:
    """Sum of 32-bit words in ones' complement, of bytes that come in parts of any length.

    >>> total = WordSum()
    >>> total.update(bytes([0, 0, 0, 1, 0xFF])), total.update(bytes([0xFF, 0xFF, 0xFF, 9]))
    (None, None)
    >>> total.value
    150994945
    """

    def __init__(self) -> None:
        self.value = 0
        self._bytes = 0

    def update(self, part: bytes | bytearray | memoryview) -> None:
        """Add the bytes that follow those added before; the last word is filled with zeros."""
        lead = self._bytes % 4
        self._bytes += len(part)
        head = min((4 - lead) % 4, len(part))
        whole = len(part) - head - (len(part) - head) % 4
        words = np.frombuffer(part, ">u4", count=whole // 4, offset=head)
        total = self.value + int(words.sum(dtype=np.uint64))
        total += int.from_bytes(bytes(lead) + bytes(part[:head]) + bytes(4 - lead - head), "big")
        total += int.from_bytes(bytes(part[head + whole :]).ljust(4, b"\0"), "big")
        while total > ONES:
            total = (total & ONES) + (total >> 32)
        self.value = total
