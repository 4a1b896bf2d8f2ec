"""Read what is packed: compressed files, and archives with one table in them.

How much may come out is limited, here and by what a header declares: a few kilobytes can be made
that unpack to terabytes. What comes out is never held in memory as a whole.
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
from typing import BinaryIO

import pyarrow as pa

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.signatures import HEAD, MEMBERS, UNPACK, Signature, signature

# Catalogues shrink to a third, at best to a thirtieth; a small file of zeros is no bomb. What is
# unpacked is looked at each time as much has come out, so that a bomb is noticed early.
LARGEST_RATIO = 100
ALWAYS_READ = 256 * 2**20
DEEPEST = 4
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
          pa.ArrowInvalid, NotImplementedError)  # fmt: skip
DAMAGED = (
    "It may be cut short or damaged: fetch it again, or unpack it yourself and set source.path to "
    "the table that comes out."
)
# what a computer adds to an archive by itself
LITTER = re.compile(r"(.*/)?(__MACOSX/.*|\.DS_Store|Thumbs\.db|\._[^/]*)")


class _Unpacked(io.RawIOBase):
    """What comes out of a packed stream, as far as the limit; damage is a `CatalogueError`.

    `consumed` tells how many bytes of the user's file went in so far.
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

    def readinto(self, buffer: memoryview) -> int:
        size = 0
        try:
            # as much as asked for, not as a block happens to hold: the first bytes tell the format
            while size < len(buffer) and (block := self._stream.read(len(buffer) - size)):
                buffer[size : size + len(block)] = block
                size += len(block)
        except DAMAGE as error:
            raise CatalogueError(
                self._path,
                f"{self._found.what} can't be unpacked to the end "
                f"({error or type(error).__name__})",
                DAMAGED,
            ) from error
        # in an archive, the first bytes may stand before what was read to find them
        self._consumed_before = min(self._consumed_before, self._consumed())
        self._count += size
        if self._count >= ALWAYS_READ:
            self._check_ratio()
        return size

    def _check_ratio(self) -> None:
        consumed = self._consumed()
        if self._count > LARGEST_RATIO * (consumed - self._consumed_before):
            raise CatalogueError(
                self._path,
                f"{self._found.what} that unpacks to more than {LARGEST_RATIO} times its size "
                f"(over {ALWAYS_READ / 2**20:g} MiB): no catalogue shrinks like this",
                "If you trust it, unpack it yourself and set source.path to the table that comes "
                "out.",
            )
        self._count, self._consumed_before = 0, consumed

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_content(path: str) -> io.BufferedReader:
    """Open a file; what is packed in it, once or several times, is unpacked while it is read.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    io.BufferedReader
        Its content, from which `HEAD` bytes can be peeked at.

    Raises
    ------
    CatalogueError
        For an archive without or with several files, one with a password, and what is packed more
        than four times; while reading for damage and for more bytes than a catalogue could have.
    """
    file = io.FileIO(path)
    consumed: Callable[[], float] = file.tell
    stream = io.BufferedReader(file, HEAD)
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
                    path,
                    f"{found.what} can't be opened ({error or type(error).__name__})",
                    DAMAGED,
                ) from error
            stream = io.BufferedReader(_Unpacked(path, found, inner, consumed), HEAD)
    except BaseException:
        stream.close()
        raise
    stream.close()
    raise CatalogueError(path, f"packed more than {DEEPEST} times", UNPACK.format("what packed it"))


@contextmanager
def plain_file(path: str) -> Iterator[str]:
    """Give the path of a file with the content of `path`: itself, or a temporary file.

    Errors about the temporary file are raised about `path`.
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
                    "yourself and set source.path to the table that comes out.",
                ) from error
            try:
                yield unpacked
            except CatalogueError as error:
                raise error.about(path) from error


def _by_arrow(codec: str) -> Callable[[str, BinaryIO], BinaryIO]:
    return lambda path, stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), codec)


def _member_of_zip(path: str, stream: BinaryIO) -> BinaryIO:
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


def _member_of_tar(path: str, stream: BinaryIO) -> BinaryIO:
    archive = tarfile.TarFile(fileobj=stream)
    files = {member.name: member for member in archive if member.isfile()}
    return archive.extractfile(files[_only(path, "tar", files)])


def _only(path: str, kind: str, names: Iterable[str]) -> str:
    """Return the one name that the user put into an archive."""
    wanted = [name for name in names if not LITTER.fullmatch(name)]
    if len(wanted) == 1:
        return wanted[0]
    listed = ", ".join(wanted[:8]) + (", ..." if len(wanted) > 8 else "")
    raise CatalogueError(
        path,
        f"a {kind} archive with {len(wanted)} files" + (f": {listed}" if wanted else ""),
        "Unpack it and set source.path to one of them."
        if wanted
        else "Fetch it again: there is no table in it.",
    )


def _spooled(path: str, stream: BinaryIO) -> tuple[io.BufferedReader, Callable[[], float]]:
    """Write a stream to a temporary file: the table of contents of an archive is not at its start.

    Returns
    -------
    file : io.BufferedReader
        What was in the stream.
    consumed : callable
        Returns which share of it was read since, in bytes of the user's file.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream that reads it
    shutil.copyfileobj(stream, file, 2**20)
    share = Path(path).stat().st_size / max(file.tell(), 1)
    file.seek(0)
    return file, lambda: file.tell() * share


# their members are found by seeking
ARCHIVES = ("zip", "tar")
OPENERS: dict[str, Callable[[str, BinaryIO], BinaryIO]] = {
    "gzip": lambda path, stream: gzip.GzipFile(fileobj=stream),
    "bzip2": lambda path, stream: bz2.BZ2File(stream),
    "xz": lambda path, stream: lzma.LZMAFile(stream),  # noqa: SIM115
    "zstd": _by_arrow("zstd"),
    "lz4": _by_arrow("lz4"),
    "zip": _member_of_zip,
    "tar": _member_of_tar,
}


def check_declared(path: str, declared: int, stored: int) -> None:
    """Refuse a file that declares far more than it holds, before memory is taken for it.

    Parameters
    ----------
    path : str
        For the message.
    declared : int
        Bytes that the mapped columns take in memory, as the file's header has it.
    stored : int
        Bytes of the file.

    Raises
    ------
    CatalogueError
        If `declared` is beyond `ALWAYS_READ` and beyond `LARGEST_RATIO` times `stored`.
    """
    if declared > max(ALWAYS_READ, LARGEST_RATIO * stored):
        raise CatalogueError(
            path,
            f"the mapped columns unpack to {declared:,} bytes, the file has {stored:,}; beyond "
            f"{ALWAYS_READ / 2**20:g} MiB at most {LARGEST_RATIO} times the file is read",
            "The file is damaged or no catalogue; if the rows are real, write it again without "
            "compression.",
        )
