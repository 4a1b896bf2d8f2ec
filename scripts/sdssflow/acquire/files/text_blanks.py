"""Tables of text whose values have blanks between them: as many as make columns look straight."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from sdssflow.acquire.files.containers import HEAD
from sdssflow.acquire.files.text_checks import LONGEST_LINE

# a value in quotes may hold blanks, if it ends on its line; those at either end of a line separate
# nothing
BLANKS = re.compile(r'("(?:[^"\r\n]|"")*")|(?:^|(?<=[\r\n]))[ \t]+|[ \t]+(?=[\r\n]|$)|([ \t]+)')


def tabs_for_blanks(line: str) -> str:
    r"""Return a line with one tab wherever blanks separate values.

    >>> tabs_for_blanks(' 18.2   17.1 "a b" \n')
    '18.2\t17.1\t"a b"\n'
    """
    return BLANKS.sub(lambda found: found[1] or ("\t" if found[2] else ""), line)


class TabsForBlanks(io.RawIOBase):
    """A stream of text with `tabs_for_blanks` in each line, of any encoding that extends ASCII."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ready = b""

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Read what is ready, at least one line if there is any."""
        while not self._ready and (lines := self._lines()):
            self._ready = tabs_for_blanks(lines.decode("latin-1")).encode("latin-1")
        block, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(block)] = block
        return len(block)

    def _lines(self) -> bytes:
        lines, size = [], 0
        # who reads this refuses a line without end
        while size < HEAD and (line := self._stream.readline(LONGEST_LINE)):
            lines.append(line)
            size += len(line)
        return b"".join(lines)
