"""Texts of whichever encoding and packing: as bytes of UTF-8, or line by line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TextIO

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.containers import HEAD, byte_order_mark, open_content
from sdssflow.acquire.files.text_checks import LONGEST_LINE, nul_byte, too_long


def lines_of(path: str, stream: TextIO) -> Iterator[str]:
    """Yield lines with their ends, however they end."""
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise too_long(path, number)
        if "\0" in line:
            raise nul_byte(path, number)
        yield line


class _AsUtf8(io.RawIOBase):
    def __init__(self, characters: TextIO) -> None:
        self._characters = characters

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._characters.read(len(buffer) // 4).encode()  # 4 bytes a character at most
        buffer[: len(block)] = block
        return len(block)


@contextmanager
def utf_8(path: str) -> Iterator[BinaryIO]:
    """Open a text as UTF-8 without byte order mark."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD))
        if encoding == "utf-8-sig":
            stream.read(3)
        if encoding in ("utf-16", "utf-32"):
            yield io.BufferedReader(_AsUtf8(io.TextIOWrapper(stream, encoding, newline="")), HEAD)
        else:
            yield stream


@contextmanager
def characters(path: str, errors: str = "surrogateescape") -> Iterator[TextIO]:
    """Open a text; bytes that are not UTF-8 are kept as they are, unless `errors` is strict."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD)) or "utf-8"
        try:
            yield io.TextIOWrapper(stream, encoding, errors=errors, newline="")
        except UnicodeDecodeError as error:
            raise not_text(path, error) from error


def not_text(path: str, error: UnicodeDecodeError) -> CatalogueError:
    """Return the error for a text that is not what its first bytes say."""
    return CatalogueError(
        path,
        f"its byte order mark says {error.encoding}, which it is not ({error.reason})",
        "Save it as CSV UTF-8.",
    )
