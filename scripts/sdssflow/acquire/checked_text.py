"""What a parser of CSV takes without a word and should not: found while the text is read."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from sdssflow.acquire.errors import CatalogueError

LONGEST_LINE = 2**20
LINE_ENDS = (b"\n", b"\r")


class CheckedText(io.RawIOBase):
    """A stream that refuses NUL bytes, endless lines and quotes that open or close out of place.

    After a quote that is not closed, rows would vanish into one value.

    Parameters
    ----------
    path : str
        The file, for messages.
    stream : binary file
        Where the text comes from, in UTF-8.
    separator : str
        Between values.
    lines : int
        How many lines stand before what is read here.
    """

    def __init__(self, path: str, stream: BinaryIO, separator: str, lines: int) -> None:
        self._path, self._stream = path, stream
        self._line = lines + 1  # on which the next byte stands
        self._since_line_end = 0  # bytes of that line so far
        # the last byte (and quotes after it), or a value in quotes whose end has not come yet
        self._tail = b"\n"
        border = re.escape(separator.encode()) + rb"\r\n"
        self._quoted = re.compile(rb'"(?:[^"]++|"")*+')
        self._sound = re.compile(
            # no quotes; a value in quotes between borders; a quote amid a value, which is a letter
            rb'(?:[^"]++|(?<![^B])"(?:[^"]++|"")*+"(?=[B])|(?<=[^B])")*+'.replace(b"B", border)
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        block = self._stream.read(len(buffer))
        if b"\0" in block:
            advice = "It is damaged or no text: fetch it again, or save it as CSV UTF-8."
            raise self._error("a NUL byte", advice, block[: block.index(b"\0")])
        self._check_length(block)
        self._check_quotes(block)
        self._line += _line_ends(block)
        buffer[: len(block)] = block
        return len(block)

    def _error(self, problem: str, advice: str, before: bytes) -> CatalogueError:
        """Return an error at the place in the next block that `before` ends at."""
        return CatalogueError(self._path, problem, advice, line=self._line + _line_ends(before))

    def _check_length(self, block: bytes) -> None:
        start = -self._since_line_end
        while True:
            end = start + LONGEST_LINE
            after = 1 + max(block.rfind(mark, max(start, 0), max(end, 0)) for mark in LINE_ENDS)
            if end >= len(block):
                break
            if not after:
                raise self._error(
                    f"this line is longer than {LONGEST_LINE / 2**20:g} MiB",
                    "This is no table of text, or its line ends were lost: export it again.",
                    block[: max(start, 0)],
                )
            start = after
        self._since_line_end = len(block) - (after or start)

    def _check_quotes(self, block: bytes) -> None:
        if b'"' not in block and b'"' not in self._tail:
            self._tail = block[-1:] or self._tail
            return
        text = self._tail + block
        opened = self._sound.match(text).end()
        if opened == len(text):
            self._tail = text[len(text.rstrip(b'"')) - 1 :]
            return
        closed = self._quoted.match(text, opened).end()
        may_go_on = len(text) - closed <= 1
        if block and may_go_on and len(text) - opened <= LONGEST_LINE:
            self._tail = text[opened - 1 :]
        elif block or text[closed:] != b'"':
            problem = (
                "a quote opens a value and does not close it"
                if may_go_on
                else f"a quote closes a value amid {text[opened : closed + 9][-20:]!r}"
            )
            line = self._line - _line_ends(self._tail) + _line_ends(text[:opened])
            raise CatalogueError(
                self._path,
                problem,
                'Close the quote, and write "" for a quote within a value in quotes.',
                line=line,
            )


def _line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")
