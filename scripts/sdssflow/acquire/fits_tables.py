"""Open tables in FITS files with astropy, and check that they are complete.

Files are memory-mapped, and pages that were read count as memory of the process until the file is
closed: callers reopen large files for each block of rows. Checksums are computed with plain reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sdssflow.acquire.errors import CatalogueError

REPAIR = "Fetch it again: it may be truncated or damaged."
SUM_REPAIR = (
    "Fetch the file again. If you edited it yourself, delete the keywords DATASUM and CHECKSUM of "
    "the extension: astropy's fits.delval."
)
SUM_BYTES = 1 << 20
ONES = 0xFFFFFFFF
TRUE, FALSE, NO_LOGICAL = ord("T"), ord("F"), 0


@contextmanager
def fits_tables(path: str) -> Iterator[dict[int, Any]]:
    """Open a file; yield its tables, at least one, by extension number."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings(), fits.open(path, memmap=True) as file:
            warnings.simplefilter("ignore")  # damaged files get errors below
            kinds = fits.BinTableHDU | fits.TableHDU
            tables = {number: hdu for number, hdu in enumerate(file) if isinstance(hdu, kinds)}
            if not tables:
                raise CatalogueError(
                    path,
                    "no extension holds a table",
                    "Use the FITS file of a catalogue. If it is one, it is truncated: fetch it "
                    "again.",
                )
            for hdu in tables.values():
                for key, zero in hdu.header["TZERO*"].items():
                    if float(zero).is_integer():  # for astropy, 32768.0 is not unsigned
                        hdu.header[key] = int(zero)
            yield tables
            for hdu in tables.values():
                for column in vars(hdu).get("columns", ()):  # where they were read
                    del column.array  # or astropy copies it when the file is closed
    except CatalogueError:
        raise
    except Exception as error:  # astropy has no base class for its errors
        raise CatalogueError(path, f"the file can't be read as FITS ({error})", REPAIR) from error


def check_whole(path: str, hdu: Any) -> None:
    """Refuse a table that is truncated, compressed, fails its checksums or repeats a column."""
    header, start = hdu.header, hdu.fileinfo()["datLoc"]
    if header.get("ZTABLE"):
        raise CatalogueError(
            path, "the table is compressed inside the file (ZTABLE)", "Decompress it: funpack FILE."
        )
    width, rows, size = header["NAXIS1"], header["NAXIS2"], Path(path).stat().st_size - start
    if width * rows + header.get("PCOUNT", 0) > size:
        raise CatalogueError(
            path,
            f"the file is truncated: its header states {rows:,} rows, "
            f"it holds {min(rows, max(size, 0) // max(width, 1)):,}",
            REPAIR,
        )
    _check_sums(path, hdu)
    names = hdu.columns.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:  # even if not mapped: astropy can't build the row type
        raise CatalogueError(
            path,
            f"the file names {twice!r} {names.count(twice)} times",
            "Give each column its own name.",
        )


def _check_sums(path: str, hdu: Any) -> None:
    """Refuse a table that does not match the checksums in its header.

    DATASUM is the ones' complement sum of the data as big-endian unsigned 32-bit words; the sum of
    header and data, including CHECKSUM, is all ones (FITS standard 4.0, appendix J).
    """
    stated = {key: str(hdu.header.get(key, "")).strip() for key in ("DATASUM", "CHECKSUM")}
    if not any(stated.values()):
        return
    place = hdu.fileinfo()
    with Path(path).open("rb") as stream:
        stream.seek(place["hdrLoc"])
        head = _word_sum(stream, place["datLoc"] - place["hdrLoc"])
        data = _word_sum(stream, place["datSpan"])
    wrong = None
    # 0 means that no checksum was computed
    if stated["CHECKSUM"].strip("0") and head + data not in (0, ONES, 2 * ONES):
        wrong = "CHECKSUM"
    if stated["DATASUM"] not in ("", str(data)):
        wrong = "DATASUM"
    if wrong is not None:
        raise CatalogueError(
            path,
            f"the table does not match the {wrong} in its header: a byte was changed",
            SUM_REPAIR,
        )


def _word_sum(stream: BinaryIO, size: int) -> int:
    """Return the ones' complement sum of `size` bytes as 32-bit words, padded with zeros."""
    total = 0
    for left in range(size, 0, -SUM_BYTES):
        part = stream.read(min(left, SUM_BYTES))
        words = np.frombuffer(part.ljust(-(-len(part) // 4) * 4, b"\0"), ">u4")
        total += int(words.sum(dtype=np.uint64))
    while total > ONES:
        total = (total & ONES) + (total >> 32)
    return total


def read_values(
    path: str, hdu: Any, name: str, data: Any, first_row: int = 0
) -> np.ma.MaskedArray | np.ndarray:
    """Return a column of some rows as scaled values, masked where the stored value is null.

    `data` holds the rows of the table from `first_row` of the file on. Values that need no scaling
    are views into the mapped file.
    """
    place = hdu.columns.names.index(name)
    column = hdu.columns[place]
    stored = data.view(np.ndarray)[data.dtype.names[place]]
    if stored.dtype.kind == "S":
        if hdu.header["XTENSION"].strip() == "BINTABLE" or str(column.format).startswith("A"):
            return stored  # text, which the caller decodes
        # a number of an ASCII table is null if its field is blank or TNULL
        words, null = np.char.strip(stored), str(column.null or "").strip().encode()
        return np.ma.array(np.asarray(data.field(name)), mask=(words == b"") | (words == null))
    values = data.field(name)
    if values.dtype.kind == "b" and stored.dtype == np.int8:
        other = ~np.isin(stored, (TRUE, FALSE, NO_LOGICAL))
        if other.any():
            raise CatalogueError(
                path,
                "a logical value is not T, F or empty",
                "Write the column as booleans or as 0 and 1.",
                column=name,
                row=first_row + int(np.argmax(other.reshape(len(other), -1).any(axis=1))),
            )
        return np.ma.array(stored == TRUE, mask=stored == NO_LOGICAL)
    if values.dtype.kind == "O":
        return _varying_lengths(path, column, values)
    if isinstance(column.null, int) and stored.dtype.kind in "iu" and values.ndim == stored.ndim:
        null = stored == column.null
        if values.dtype.kind == "u" and stored.dtype.kind == "i":
            null |= values == column.null  # astropy writes TNULL as the value, not as stored
        return np.ma.array(values, mask=null)
    return values


def _varying_lengths(path: str, column: Any, values: np.ndarray) -> np.ndarray:
    """Return vectors of varying length with TNULL masked; astropy scales only the first of them."""
    if (column.bscale or 1) != 1 or (column.bzero or 0) != 0:
        raise CatalogueError(
            path,
            "vectors of varying length are scaled (TSCAL, TZERO), which can't be read",
            "Write the column with its true values.",
            column=column.name,
        )
    if not isinstance(column.null, int):
        return values
    return np.fromiter(
        (np.ma.masked_equal(row, column.null) for row in values), object, len(values)
    )
