"""Tables of text whose values have blanks between them: as many as make columns look straight."""

from __future__ import annotations

import io
import re
from typing import Any, BinaryIO

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.containers import HEAD
from sdssflow.acquire.files.text_checks import LONGEST_LINE

# a value in quotes may hold blanks; those at either end of a line separate nothing
BLANKS = re.compile(r'("(?:[^"\r\n]|"")*")|(?:^|(?<=[\r\n]))[ \t]+|[ \t]+(?=[\r\n]|$)|([ \t]+)')
LINE_END = re.compile(rb"\r\n|\r|\n")


def tabs_for_blanks(line: str) -> str:
    r"""Return a line with one tab wherever blanks separate values.

    >>> tabs_for_blanks(' 18.2   17.1 "a b" \n')
    '18.2\t17.1\t"a b"\n'
    """
    return BLANKS.sub(lambda found: found[1] or ("\t" if found[2] else ""), line)


class TabsForBlanks(io.RawIOBase):
    """A stream of text with `tabs_for_blanks` in each line, of any encoding that extends ASCII.

    It begins after `lines` lines of the file; quotes that don't end on their line are refused.
    """

    def __init__(self, path: str, stream: BinaryIO, lines: int) -> None:
        self._path, self._stream, self._line = path, stream, lines + 1
        self._rest = self._ready = b""  # an unfinished line; what was made and not yet read

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is ready, at least one line if there is any."""
        while not self._ready and (lines := self._lines()):
            self._check_quotes(lines)
            self._ready = tabs_for_blanks(lines.decode("latin-1")).encode("latin-1")
        block, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(block)] = block
        return len(block)

    def _lines(self) -> bytes:
        """Return the next whole lines, however they end."""
        text = self._rest
        while True:
            block = self._stream.read(HEAD)
            text += block
            end = 1 + max(text.rfind(b"\n"), text.rfind(b"\r"))
            # who reads this refuses a line without end
            if not block or len(text) - end > LONGEST_LINE:
                end = len(text)
            if end:
                self._rest = text[end:]
                return text[:end]
            if not block:
                return b""

    def _check_quotes(self, lines: bytes) -> None:
        if b'"' in lines:
            for number, line in enumerate(LINE_END.split(lines)):
                if line.count(b'"') % 2:
                    raise CatalogueError(
                        self._path,
                        "a quote opens a value and does not close it on its line",
                        'Close the quote, and write "" for a quote within a value in quotes.',
                        line=self._line + number,
                    )
        self._line += len(LINE_END.findall(lines))
