"""Identify files by their first bytes, and decompress them, also if compressed several times.

File names are unreliable. The decompressed size is limited, here and by the sizes in headers: a few
kilobytes can expand to terabytes. Decompressed content is never held in memory as a whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError

# enough to recognise the root element of XML
HEAD = 65_536
# the mark of UTF-32 little-endian begins with that of UTF-16
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
UNPACK = "Unpack it with {} and set source.path to the unpacked table."
SAVE_AS_CSV = "Save it as CSV (UTF-8) from the program that wrote it, and set source.path to that."
WRITE = (
    "Write the table as Parquet, FITS or CSV with the program that made it ({}), and set "
    "source.path to that file."
)
LOOK = "Open it in a browser: it may be a server's message. Then fetch the table again."
WRONG_FILE = "Fetch the table again: a server's message or another file was saved instead."


class Signature(NamedTuple):
    """What the first bytes of a file identify."""

    kind: str  # key of `readers.FORMATS` or `OPENERS`, or another format
    what: str  # for messages, with article
    advice: str = ""  # remedy if it can't be read


# never follows in a text
BINARY = rb"(?![\t\n\r -~])"
# offset, pattern of the bytes there, kind, what it is, advice
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
    (0, rb"\x93NUMPY", "npy", "a NumPy array (.npy)", ""),
    (0, rb"RDX[23]\n", "rdata", "an R workspace",
     WRITE.format("R: write.csv(x, 'table.csv', row.names = FALSE)")),
    (0, rb"MATLAB 5\.0", "mat", "a MATLAB file", WRITE.format("writetable(T, 'table.csv')")),
    (0, rb"SR\x00\x04", "idl", "an IDL save file", WRITE.format("mwrfits, x, 'table.fits'")),
    (0, rb"CDF[\x01\x02\x05]", "netcdf", "a netCDF file", SAVE_AS_CSV),
    (0, rb"ORC.{0,16}[\x00-\x08\x0e-\x1f]", "orc", "an ORC file",
     WRITE.format("pandas: read_orc(FILE).to_parquet('table.parquet')")),
    (0, rb"Obj\x01", "avro", "an Avro file", SAVE_AS_CSV),
    (0, rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls", "an Excel workbook (.xls)", SAVE_AS_CSV),
    (0, rb"(\\[^\n]*\n)*\|[^\n]+\n\| *(char|double|float|real|int|long|[cdfril]) *\|", "ipac",
     "an IPAC table", WRITE.format("astropy: Table.read(F, format='ascii.ipac').write('t.fits')")),
    (0, rb"Title:.*Byte-by-byte ", "mrt", "a machine-readable table (CDS, MRT)",
     WRITE.format("astropy: Table.read(FILE, format='ascii.mrt').write('table.fits')")),
    (0, rb"version https://git-lfs", "lfs", "a Git LFS pointer", "Fetch the file: git lfs pull."),
    (0, rb"%PDF-", "pdf", "a PDF document", WRONG_FILE),
    (0, rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "image", "an image", WRONG_FILE),
)  # fmt: skip
# pattern for a member of a ZIP archive, what the archive is, advice
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
# control characters that do not occur in texts
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def signature(head: bytes) -> Signature:
    r"""Identify a file by its first `HEAD` bytes; other text is ``csv``.

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
    encoding = byte_order_mark(head)
    if encoding in ("utf-16", "utf-32"):
        head = head[: len(head) & ~3].decode(encoding, "replace").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        if VOTABLE.search(text):
            return Signature("votable", "a VOTable")
        if HTML.search(text[:4096]):
            return Signature("html", f"a web page: {_shown(text)}", LOOK)
        return Signature("xml", f"XML, but not a VOTable: {_shown(text)}", WRONG_FILE)
    if JSON.match(text):
        return Signature(
            "json",
            f"JSON: {_shown(text)}",
            "If it is a server's message, fetch the table again. If these are rows, save them as "
            "CSV.",
        )
    if CONTROL.search(text):
        return Signature("unknown", f"of an unknown format: it begins with {head[:8]!r}")
    return Signature("csv", f"text: {_shown(text)}")


def byte_order_mark(head: bytes) -> str | None:
    """Return the encoding given by a byte order mark; None without one."""
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)


def _shown(text: bytes) -> str:
    return repr(text[:50].decode("utf-8", "replace").strip().partition("\n")[0])


# Catalogues compress by a factor of 3, at best 30; a small file of zeros is harmless. The ratio is
# checked each time ALWAYS_READ bytes have been decompressed, so that a bomb is detected early.
LARGEST_RATIO = 100
ALWAYS_READ = 256 * 2**20
DEEPEST = 4
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
          pa.ArrowInvalid, NotImplementedError)  # fmt: skip
DAMAGED = (
    "It may be truncated or damaged: fetch it again, or unpack it yourself and set source.path to "
    "the unpacked table."
)
# files that operating systems add to archives
LITTER = re.compile(r"(.*/)?(__MACOSX/.*|\.DS_Store|Thumbs\.db|\._[^/]*)")


class _Unpacked(io.RawIOBase):
    """A decompressed stream of limited size; damage is a `CatalogueError`.

    `consumed` returns how many bytes of the user's file were read so far.
    """

    def __init__(
        self, path: str, found: Signature, stream: BinaryIO, consumed: Callable[[], float]
    ) -> None:
        self._path, self._found, self._stream = path, found, stream
        self._consumed = consumed
        self._consumed_before = consumed()
        self._count = 0  # bytes since then

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = 0
        try:
            # fill the buffer: the first bytes must suffice to identify the format
            while size < len(buffer) and (block := self._stream.read(len(buffer) - size)):
                buffer[size : size + len(block)] = block
                size += len(block)
        except DAMAGE as error:
            raise CatalogueError(
                self._path,
                f"{self._found.what} can't be unpacked completely "
                f"({error or type(error).__name__})",
                DAMAGED,
            ) from error
        # in an archive, members may lie before the directory that was read first
        self._consumed_before = min(self._consumed_before, self._consumed())
        self._count += size
        if self._count < ALWAYS_READ:
            return size
        consumed = self._consumed()
        if self._count > LARGEST_RATIO * (consumed - self._consumed_before):
            raise CatalogueError(
                self._path,
                f"{self._found.what} that unpacks to more than {LARGEST_RATIO} times its size "
                f"(over {ALWAYS_READ / 2**20:g} MiB): no catalogue compresses like this",
                "If you trust it, unpack it yourself and set source.path to the unpacked table.",
            )
        self._count, self._consumed_before = 0, consumed
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Streams:
    """Concatenated compressed streams, with zero padding between them.

    Python's readers of bzip2 and xz stop silently at invalid data: everything after a damaged
    stream would be missing.
    """

    def __init__(self, stream: BinaryIO, decompressor: Callable[[], Any]) -> None:
        self._stream, self._new = stream, decompressor
        self._current = decompressor()

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes; none at the end."""
        found = b""
        while not found:
            packed = self._current.unused_data if self._current.eof else b""
            if self._current.eof or self._current.needs_input:
                packed = packed or self._stream.read(HEAD)
            if self._current.eof:
                while packed and not (packed := packed.lstrip(b"\0")):
                    packed = self._stream.read(HEAD)
                if not packed:
                    break
                self._current = self._new()
            elif self._current.needs_input and not packed:
                raise EOFError("the end marker is missing")
            found = self._current.decompress(packed, size)
        return found

    def close(self) -> None:
        self._stream.close()


def open_content(path: str) -> io.BufferedReader[Any]:
    """Open a file, decompressed while it is read; at least `HEAD` bytes can be peeked at.

    Archives with a password or with other than one file, and files compressed more than four times,
    are refused; damage and implausible sizes are refused during reading.
    """
    file = io.FileIO(path)
    consumed: Callable[[], float] = file.tell
    stream: io.BufferedReader[Any] = io.BufferedReader(file, HEAD)
    try:
        for _ in range(DEEPEST + 1):
            found = signature(stream.peek(HEAD))
            if found.kind not in OPENERS:
                return stream
            if found.kind in ARCHIVES and not stream.seekable():
                stream, consumed = _spooled(path, stream)
            try:
                inner = OPENERS[found.kind](path, stream)
            except DAMAGE as error:
                raise CatalogueError(
                    path, f"{found.what} can't be opened ({error or type(error).__name__})", DAMAGED
                ) from error
            stream = io.BufferedReader(_Unpacked(path, found, inner, consumed), HEAD)
    except BaseException:
        stream.close()
        raise
    stream.close()
    raise CatalogueError(
        path, f"compressed more than {DEEPEST} times", UNPACK.format("the programs that packed it")
    )


@contextmanager
def plain_file(path: str) -> Iterator[str]:
    """Yield the path of an uncompressed file: `path` itself or a temporary copy.

    Errors about the temporary file are raised for `path`.
    """
    with open_content(path) as stream:
        if isinstance(stream.raw, io.FileIO):
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            unpacked = f"{folder}/{Path(path).name}"
            try:
                with Path(unpacked).open("wb") as file:
                    shutil.copyfileobj(stream, file, 2**20)
            except OSError as error:
                raise CatalogueError(
                    path,
                    f"there is no space to unpack it ({error})",
                    "Set the environment variable TMPDIR to a folder with space, or unpack it "
                    "yourself and set source.path to the unpacked table.",
                ) from error
            try:
                yield unpacked
            except CatalogueError as error:
                raise error.about(path) from error


def _member_of_zip(path: str, stream: BinaryIO) -> IO[bytes]:
    archive = zipfile.ZipFile(stream)
    files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    for pattern, what, advice in MEMBERS:
        if any(re.fullmatch(pattern, name) for name in files):
            raise CatalogueError(path, f"it is {what}", advice)
    info = files[_only(path, "ZIP", files)]
    if info.flag_bits & 1:
        raise CatalogueError(
            path, "a ZIP archive with a password", UNPACK.format("its password (7z x)")
        )
    return archive.open(info)


def _member_of_tar(path: str, stream: BinaryIO) -> IO[bytes] | None:
    archive = tarfile.TarFile(fileobj=stream)
    files = {member.name: member for member in archive if member.isfile()}
    return archive.extractfile(files[_only(path, "tar", files)])


def _only(path: str, kind: str, names: Iterable[str]) -> str:
    """Return the only member of an archive, ignoring files of the operating system."""
    wanted = [name for name in names if not LITTER.fullmatch(name)]
    if len(wanted) == 1:
        return wanted[0]
    listed = ", ".join(wanted[:8]) + (", ..." if len(wanted) > 8 else "")
    raise CatalogueError(
        path,
        f"a {kind} archive with {len(wanted)} files" + (f": {listed}" if wanted else ""),
        "Unpack it and set source.path to one of them."
        if wanted
        else "Fetch it again: it holds no table.",
    )


def _spooled(path: str, stream: BinaryIO) -> tuple[Any, Callable[[], float]]:
    """Copy a stream to a temporary file, as archives need seeking.

    Returns the file, and a function for how many bytes of the user's file were read so far.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream that reads it
    shutil.copyfileobj(stream, file, 2**20)
    share = Path(path).stat().st_size / max(file.tell(), 1)
    file.seek(0)
    return file, lambda: file.tell() * share


# need a seekable stream
ARCHIVES = ("zip", "tar")
OPENERS: dict[str, Callable[[str, BinaryIO], Any]] = {
    "gzip": lambda path, stream: gzip.GzipFile(fileobj=stream),
    "bzip2": lambda path, stream: _Streams(stream, bz2.BZ2Decompressor),
    "xz": lambda path, stream: _Streams(stream, lzma.LZMADecompressor),
    "zstd": lambda path, stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd"),
    "lz4": lambda path, stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), "lz4"),
    "zip": _member_of_zip,
    "tar": _member_of_tar,
}


def check_declared(path: str, declared: int, stored: int) -> None:
    """Refuse a file whose mapped columns are far larger than the file, before they are read.

    `declared` is their size in memory in bytes, according to the header; `stored` that of the file.
    """
    if declared > max(ALWAYS_READ, LARGEST_RATIO * stored):
        raise CatalogueError(
            path,
            f"the mapped columns expand to {declared:,} bytes, the file has {stored:,}; beyond "
            f"{ALWAYS_READ / 2**20:g} MiB at most {LARGEST_RATIO} times its size is read",
            "The file is damaged or not a catalogue; if the rows are real, write it again without "
            "compression.",
        )
