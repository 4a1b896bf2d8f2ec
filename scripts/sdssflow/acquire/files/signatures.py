"""What a file is, by its first bytes: its name says what somebody meant it to be."""

from __future__ import annotations

import re
from typing import NamedTuple

# enough to see what an XML file is of
HEAD = 65_536
# UTF-32 little-endian begins as UTF-16 does
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
UNPACK = "Unpack it with {} and set source.path to the table that comes out."
SAVE_AS_CSV = "Save it as CSV (UTF-8) from the program that wrote it, and set source.path to that."
WRITE = (
    "Write the table as Parquet, FITS or CSV where it came from ({}), and set source.path to the "
    "file that comes out."
)
WRONG_FILE = "Fetch the table again: a server's message or another file was saved in its place."


class Signature(NamedTuple):
    """What the first bytes of a file say.

    Attributes
    ----------
    kind : str
        A format of `readers.FORMATS`, something that is packed (`containers.OPENERS`), or else.
    what : str
        What it is, for a message, with its article.
    advice : str
        What to do with it if it can't be read.
    """

    kind: str
    what: str
    advice: str = ""


# no text goes on like this
BINARY = rb"(?![\t\n\r -~])"
# offset, first bytes (a pattern), kind, what it is, what to do
MARKS: tuple[tuple[int, bytes, str, str, str], ...] = (
    (0, rb"SIMPLE  =", "fits", "a FITS file", ""),
    (0, rb"PAR1" + BINARY, "parquet", "a Parquet file", ""),
    (0, rb"ARROW1\x00\x00", "arrow", "an Arrow (Feather) file", ""),
    (0, rb"\x1f\x8b", "gzip", "gzip data", ""),
    (0, rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "bzip2", "bzip2 data", ""),
    (0, rb"\xfd7zXZ\x00", "xz", "xz data", ""),
    (0, rb"\x5d\x00\x00.{2}", "xz", "LZMA data", ""),
    (0, rb"\x28\xb5\x2f\xfd", "zstd", "Zstandard data", ""),
    (0, rb"\x04\x22\x4d\x18", "lz4", "LZ4 data", ""),
    (0, rb"PK(\x03\x04|\x05\x06)", "zip", "a ZIP archive", ""),
    (257, rb"ustar(  )?\x00", "tar", "a tar archive", ""),
    (0, rb"7z\xbc\xaf\x27\x1c", "7z", "a 7z archive", UNPACK.format("7z x")),
    (0, rb"Rar!\x1a\x07", "rar", "a RAR archive", UNPACK.format("unrar x")),
    (0, rb"\x1f\x9d", "compress", "Unix compress data (.Z)", UNPACK.format("gzip -d")),
    (0, rb"LZIP\x01", "lzip", "lzip data", UNPACK.format("lzip -d")),
    (0, rb"PARE" + BINARY, "encrypted", "an encrypted Parquet file",
     WRITE.format("without encryption")),
    (0, rb"FEA1" + BINARY, "feather", "a Feather file of version 1",
     WRITE.format("R: arrow::write_parquet(x, 'table.parquet')")),
    (0, rb"\xff{4}.{3}\x00", "stream", "an Arrow stream",
     WRITE.format("pyarrow: pyarrow.parquet.write_table(table, 'table.parquet')")),
    (0, rb"SQLite format 3\x00", "sqlite", "an SQLite database",
     WRITE.format("sqlite3 -header -csv DATABASE 'SELECT * FROM TABLE' > table.csv")),
    (8, rb"DUCK" + BINARY, "duckdb", "a DuckDB database",
     WRITE.format("COPY table TO 'table.parquet'")),
    (0, rb"\x80[\x02-\x05]", "pickle",
     "a Python pickle, which is never opened here because it can run any code",
     WRITE.format("pandas: DataFrame.to_parquet('table.parquet')")),
    (0, rb"\x93NUMPY", "npy", "a NumPy array (.npy)",
     WRITE.format("astropy: Table(numpy.load(FILE)).write('table.fits')")),
    (0, rb"RDX[23]\n", "rdata", "an R workspace",
     WRITE.format("R: write.csv(x, 'table.csv', row.names = FALSE)")),
    (0, rb"MATLAB 5\.0", "mat", "a MATLAB file", WRITE.format("writetable(T, 'table.csv')")),
    (0, rb"SR\x00\x04", "idl", "an IDL save file", WRITE.format("mwrfits, x, 'table.fits'")),
    (0, rb"CDF[\x01\x02\x05]", "netcdf", "a netCDF file", SAVE_AS_CSV),
    (0, rb"ORC.{0,16}[\x00-\x08\x0e-\x1f]", "orc", "an ORC file",
     WRITE.format("pandas: read_orc(FILE).to_parquet('table.parquet')")),
    (0, rb"Obj\x01", "avro", "an Avro file", SAVE_AS_CSV),
    (0, rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls", "an Excel workbook (.xls)", SAVE_AS_CSV),
    (0, rb"%PDF-", "pdf", "a PDF document", WRONG_FILE),
    (0, rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "image", "an image", WRONG_FILE),
)  # fmt: skip
# a member of a ZIP archive (a pattern), what the archive is, what to do
MEMBERS: tuple[tuple[str, str, str], ...] = (
    (r"xl/workbook\.(xml|bin)", "an Excel workbook (.xlsx)", SAVE_AS_CSV),
    (r"content\.xml", "an OpenDocument spreadsheet", SAVE_AS_CSV),
    (r".*\.npy", "NumPy arrays (.npz)",
     WRITE.format("astropy: Table(dict(numpy.load(FILE))).write('table.fits')")),
    (r"(.*/)?(\.zgroup|zarr\.json)", "a Zarr store", SAVE_AS_CSV),
    (r".*/data\.pkl", "a PyTorch file, which is a Python pickle", SAVE_AS_CSV),
)  # fmt: skip
HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048, 4096, 8192, 16384, 32768)
VOTABLE = re.compile(rb"<(\w+:)?VOTABLE\b")
HTML = re.compile(rb"<!doctype html|<(html|head|body|title|script|table|div|p)\b", re.IGNORECASE)
JSON = re.compile(rb"[\[{]\s*([\[{\"}\]]|-?\d)")
# control characters that no text holds
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def signature(head: bytes) -> Signature:
    r"""Tell what a file is.

    Parameters
    ----------
    head : bytes
        Its first `HEAD` bytes, or all of it if it is shorter.

    Returns
    -------
    Signature
        Of kind ``csv`` for text that is nothing else, ``unknown`` for other bytes.

    Examples
    --------
    >>> signature(b"ra,dec\n1,2\n").kind, signature(b"PK\x03\x04").what
    ('csv', 'a ZIP archive')
    """
    for offset, mark, *found in MARKS:
        if re.match(mark, head[offset:], re.DOTALL):
            return Signature(*found)
    if any(head.startswith(HDF5, place) for place in HDF5_PLACES):
        return Signature("hdf5", "an HDF5 file")
    if byte_order_mark(head) in ("utf-16", "utf-32"):
        head = head[: len(head) & ~3].decode(byte_order_mark(head), "replace").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return _markup(text)
    if JSON.match(text):
        return Signature(
            "json",
            f"JSON: {shown(text)}",
            "If it is a server's message, fetch the table again. If these are rows, save them as "
            "CSV.",
        )
    if CONTROL.search(text):
        return Signature("unknown", f"of no format that is known here: it begins with {head[:8]!r}")
    return Signature("csv", f"text: {shown(text)}")


def byte_order_mark(head: bytes) -> str | None:
    """Return the encoding that the first bytes state, None without a byte order mark."""
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)


def shown(text: bytes) -> str:
    """Quote the beginning of a text for a message."""
    return repr(text[:50].decode("utf-8", "replace").strip().partition("\n")[0])


def _markup(text: bytes) -> Signature:
    if VOTABLE.search(text):
        return Signature("votable", "a VOTable")
    if HTML.search(text[:4096]):
        return Signature("html", f"a web page: {shown(text)}", "Read it in a browser: it may be a "
                         "server's message. Then fetch the table again.")  # fmt: skip
    return Signature("xml", f"XML, but no VOTable: {shown(text)}", WRONG_FILE)
