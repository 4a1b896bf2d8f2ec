"""Tables in FITS files as astropy reads them, and whether they are whole.

A file is mapped into memory, and pages of it that were read count as memory of the process until it
is closed: who reads a large one opens it anew for each block of rows. Sums are made by plain reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sdssflow.acquire.errors import CatalogueError

REPAIR = "Fetch it again: it may be cut short or damaged."
SUM_REPAIR = (
    "Fetch the file again. If you edited it yourself, delete the keywords DATASUM and CHECKSUM of "
    "the extension: astropy's fits.delval."
)
SUM_BYTES = 1 << 20
ONES = 0xFFFFFFFF
TRUE, FALSE, NO_LOGICAL = ord("T"), ord("F"), 0


@contextmanager
def fits_tables(path: str) -> Iterator[dict[int, Any]]:
    """Open the tables of a file, at least one, by the numbers of their extensions."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings(), fits.open(path, memmap=True) as file:
            warnings.simplefilter("ignore")  # of a cut or damaged file: those get errors below
            kinds = fits.BinTableHDU | fits.TableHDU
            tables = {number: hdu for number, hdu in enumerate(file) if isinstance(hdu, kinds)}
            if not tables:
                raise CatalogueError(
                    path,
                    "no extension holds a table",
                    "Use the FITS file of a catalogue. If it is one, it was cut short: fetch it "
                    "again.",
                )
            for hdu in tables.values():
                for key, zero in hdu.header["TZERO*"].items():
                    if float(zero).is_integer():  # else astropy can't read 32768.0 as unsigned
                        hdu.header[key] = int(zero)
            yield tables
            for hdu in tables.values():
                for column in vars(hdu).get("columns", ()):  # of the tables that were looked at
                    del column.array  # else astropy copies each one when the file is closed
    except CatalogueError:
        raise
    except Exception as error:  # astropy has no family of errors of its own
        raise CatalogueError(path, f"the file can't be read as FITS ({error})", REPAIR) from error


def check_whole(path: str, hdu: Any) -> None:
    """Refuse a table that is cut short, packed, not what its sums say, or names a column twice."""
    header, start = hdu.header, hdu.fileinfo()["datLoc"]
    if header.get("ZTABLE"):
        raise CatalogueError(
            path, "the table is compressed inside the file (ZTABLE)", "Unpack it: funpack FILE."
        )
    width, rows, there = header["NAXIS1"], header["NAXIS2"], Path(path).stat().st_size - start
    if width * rows + header.get("PCOUNT", 0) > there:
        raise CatalogueError(
            path,
            f"the file is cut short: its header promises {rows:,} rows, "
            f"{min(rows, max(there, 0) // max(width, 1)):,} are there",
            REPAIR,
        )
    _check_sums(path, hdu)
    names = hdu.columns.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:  # mapped or not: astropy can't lay out the rows then
        raise CatalogueError(
            path,
            f"the file names {twice!r} {names.count(twice)} times",
            "Give each column its own name.",
        )


def _check_sums(path: str, hdu: Any) -> None:
    """Refuse a table that does not have the sums that its header states.

    DATASUM is the sum of the data as unsigned 32-bit words, big-endian, with the carry added at the
    low end; header and data with CHECKSUM give all ones (FITS standard 4.0, appendix J).
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
    # a header that says 0 states that no sum was made
    if stated["CHECKSUM"].strip("0") and head + data not in (0, ONES, 2 * ONES):
        wrong = "CHECKSUM"
    if stated["DATASUM"] not in ("", str(data)):
        wrong = "DATASUM"
    if wrong is not None:
        raise CatalogueError(
            path,
            f"the table does not have the {wrong} that its header states: a byte was changed",
            SUM_REPAIR,
        )


def _word_sum(stream: BinaryIO, size: int) -> int:
    """Return the sum of 32-bit words in ones' complement; what a file lacks at its end is zero."""
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
    """Return a column of some rows in true values, masked where the stored one means "none".

    `data` are the rows of the table, the first of which is `first_row` of the file. Values lie in
    the mapped file, as far as they are stored as they are.
    """
    place = hdu.columns.names.index(name)
    column = hdu.columns[place]
    stored = data.view(np.ndarray)[data.dtype.names[place]]
    if stored.dtype.kind == "S":
        if hdu.header["XTENSION"].strip() == "BINTABLE" or str(column.format).startswith("A"):
            return stored  # text, to be decoded with a message of our own
        # a number of an ASCII table is null if its field is blank or TNULL
        words, null = np.char.strip(stored), str(column.null or "").strip().encode()
        return np.ma.array(np.asarray(data.field(name)), mask=(words == b"") | (words == null))
    values = data.field(name)
    if values.dtype.kind == "b" and stored.dtype == np.int8:
        other = ~np.isin(stored, (TRUE, FALSE, NO_LOGICAL))
        if other.any():
            raise CatalogueError(
                path,
                "a logical value is neither T, F nor empty",
                "Write the column as booleans or as 0 and 1.",
                column=name,
                row=first_row + int(np.argmax(other.reshape(len(other), -1).any(axis=1))),
            )
        return np.ma.array(stored == TRUE, mask=stored == NO_LOGICAL)
    if isinstance(column.null, int) and stored.dtype.kind in "iu" and values.ndim == stored.ndim:
        return np.ma.array(values, mask=stored == column.null)
    return values
