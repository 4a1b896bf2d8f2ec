"""Read text of any encoding and compression by lines, or by complete rows as UTF-8.

Defects that a CSV parser silently accepts are detected during reading.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TextIO

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.containers import HEAD, byte_order_mark, open_content

LONGEST_LINE = 2**20
BLOCK = 4 * LONGEST_LINE  # bytes read at a time
LINE_ENDS = (b"\n", b"\r")
LINE_END = re.compile(rb"\r\n|\r|\n")
COMMENT = re.compile(rb"[\r\n][ \t]*#")
# quoted values may contain blanks; leading and trailing blanks of a line separate nothing
BLANKS = re.compile(r'("(?:[^"\r\n]|"")*")|(?:^|(?<=[\r\n]))[ \t]+|[ \t]+(?=[\r\n]|$)|([ \t]+)')
CLOSE_QUOTE = 'Close the quote, and write "" for a quote within a quoted value.'


@contextmanager
def characters(path: str, errors: str = "surrogateescape") -> Iterator[TextIO]:
    """Open a text; invalid UTF-8 is kept as surrogate escapes, unless `errors` is strict."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD)) or "utf-8"
        try:
            yield io.TextIOWrapper(stream, encoding, errors=errors, newline="")
        except UnicodeDecodeError as error:
            raise not_text(path, error) from error


def lines_of(path: str, stream: TextIO) -> Iterator[str]:
    """Yield lines including their ends: LF, CR or both."""
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise _too_long(path, number)
        if "\0" in line:
            raise _nul_byte(path, number)
        yield line


def utf_8(path: str, skipped: int) -> Iterator[bytes]:
    """Yield a text as UTF-8 without byte order mark, in blocks, after `skipped` bytes."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD))
        if encoding == "utf-8-sig":
            stream.read(3)
        blocks: Iterator[bytes] = iter(lambda: stream.read(BLOCK), b"")
        if encoding in ("utf-16", "utf-32"):
            blocks = (text.encode() for text in codecs.iterdecode(blocks, encoding))
        for block in blocks:
            if skipped < len(block):
                yield block[skipped:]
            skipped = max(skipped - len(block), 0)


def tabs_for_blanks(line: str) -> str:
    r"""Return a line with one tab for each run of blanks that separates values.

    >>> tabs_for_blanks(' 18.2   17.1 "a b" \n')
    '18.2\t17.1\t"a b"\n'
    """
    return BLANKS.sub(lambda found: found[1] or ("\t" if found[2] else ""), line)


def with_tabs(path: str, blocks: Iterable[bytes], line: int) -> Iterator[bytes]:
    """Yield a text, in an encoding that extends ASCII, with `tabs_for_blanks` for each line.

    It begins with `line` of the file; quotes not closed on their line are refused.
    """
    rest = b""
    for block in chain(blocks, [b""]):
        text = rest + block
        end = 1 + max(text.rfind(mark) for mark in LINE_ENDS)
        # CheckedText refuses such long lines
        if not block or len(text) - end > LONGEST_LINE:
            end = len(text)
        lines, rest = text[:end], text[end:]
        for number, one in enumerate(LINE_END.split(lines) if b'"' in lines else ()):
            if one.count(b'"') % 2:
                problem = "a value has an opening quote, but no closing one on its line"
                raise CatalogueError(path, problem, CLOSE_QUOTE, line=line + number)
        line += len(LINE_END.findall(lines))
        if made := tabs_for_blanks(lines.decode("latin-1")):
            yield made.encode("latin-1")


class CheckedText:
    """Refuses NUL bytes, very long lines, comments and misplaced quotes in UTF-8 text.

    An unclosed quote would merge rows into one value; a row that begins with # may be a comment.
    The text has `columns` values per row, and begins after `lines` lines of the file.
    """

    def __init__(self, path: str, separator: str, columns: int, lines: int) -> None:
        self._path = path
        self._line = lines + 1  # of the next byte
        self._since_line_end = 0  # bytes of that line so far
        self._quotes = 0  # so far
        # the last byte (and quotes after it), or a quoted value that is not closed yet
        self._tail = b"\n"
        self._separator, self._columns = separator.encode(), columns
        border = re.escape(self._separator) + rb"\r\n"
        # no quotes; a quoted value between borders; a quote within a value, an ordinary character
        sound = rb'(?:[^"]++|(?<![^B])"(?:[^"N]++|"")*+"(?=[B])|(?<=[^B])")*+'.replace(b"B", border)
        self._quoted = re.compile(rb'"(?:[^"]++|"")*+')
        # the same with the line end
        row = rb'(?:[^"N]++|(?<![^B])"(?:[^"]++|"")*+"(?=[B])|(?<=[^B])")*+[N]++'
        self._row = re.compile(row.replace(b"B", border).replace(b"N", rb"\r\n"))
        self._sound = re.compile(sound.replace(b"N", b""))
        self._next_with_line_ends = re.compile(
            sound.replace(b"N", rb"\r\n") + b"(" + self._quoted.pattern + b'")'
        )

    def whole_rows(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a text in blocks of complete rows."""
        rest = b""
        for block in blocks:
            if b"\0" in block:
                raise _nul_byte(self._path, self._line + _line_ends(block[: block.index(b"\0")]))
            self._check_length(block)
            self._check_comments(block)
            self._check_quotes(block)
            self._line += _line_ends(block)
            text = rest + block
            if end := self._end_of_rows(text):
                yield text[:end]
            rest = text[end:]
        self._check_quotes(b"")
        if rest:
            yield rest

    def _end_of_rows(self, text: bytes) -> int:
        """Return the end of the last complete row in a text that begins with a row."""
        if b'"' not in text:
            return 1 + max(text.rfind(mark) for mark in LINE_ENDS)
        end = 0
        while (after := _end(self._row, text, end)) > end:
            end = after
        return end

    def _check_length(self, block: bytes) -> None:
        start = -self._since_line_end
        while True:
            end = start + LONGEST_LINE
            after = 1 + max(block.rfind(mark, max(start, 0), max(end, 0)) for mark in LINE_ENDS)
            if end >= len(block):
                break
            if not after:
                line = self._line + _line_ends(block[: max(start, 0)])
                raise _too_long(self._path, line)
            start = after
        self._since_line_end = len(block) - (after or start)

    def _check_comments(self, block: bytes) -> None:
        if b"#" in block:
            text = self._tail[-1:] + block  # a line may begin with the block
            for found in COMMENT.finditer(text):
                before = text[1 : found.end()]
                if (self._quotes + before.count(b'"')) % 2 == 0:  # not within a quoted value
                    raise comment(self._path, self._line + _line_ends(before))
        self._quotes += block.count(b'"')

    def _check_quotes(self, block: bytes) -> None:
        if b'"' not in block and b'"' not in self._tail:
            self._tail = block[-1:] or self._tail
            return
        text = self._tail + block
        opened = _end(self._sound, text)
        self._check_rows_in_values(text, opened)
        if opened == len(text):
            self._tail = text[len(text.rstrip(b'"')) - 1 :]
            return
        closed = _end(self._quoted, text, opened)
        may_continue = len(text) - closed <= 1
        if block and may_continue and len(text) - opened <= LONGEST_LINE:
            self._tail = text[opened - 1 :]
        elif block or text[closed:] != b'"':
            problem = (
                "a value has an opening quote, but no closing one"
                if may_continue
                else f"a quote ends a value within {_shown(text[opened : closed + 9][-20:])}"
            )
            raise CatalogueError(self._path, problem, CLOSE_QUOTE, line=self._line_of(text, opened))

    def _check_rows_in_values(self, text: bytes, end: int) -> None:
        """Refuse a value that spans complete rows, between two stray quotes."""
        place = 0
        while found := self._next_with_line_ends.match(text, place, end):
            place, value = found.end(), found[1]
            rows, rest = divmod(value.count(self._separator), self._columns - 1)
            if rows and not rest and rows <= _line_ends(value):
                raise CatalogueError(
                    self._path,
                    f"a quoted value contains line ends and as many separators "
                    f"as {rows} {'row' if rows == 1 else 'rows'}: {_shown(value[:30])}",
                    "Close the opening quote. If it is one text, remove its line ends.",
                    line=self._line_of(text, found.start(1)),
                )

    def _line_of(self, text: bytes, place: int) -> int:
        """Return the line of a position in the tail followed by the block."""
        return self._line - _line_ends(self._tail) + _line_ends(text[:place])


def _nul_byte(path: str, line: int) -> CatalogueError:
    return CatalogueError(
        path,
        "a NUL byte",
        "It is damaged or not text (or UTF-16 without a byte order mark): fetch it again, or save "
        "it as CSV UTF-8.",
        line=line,
    )


def comment(path: str, line: int) -> CatalogueError:
    """Return the error for a line that may be a comment or a row."""
    return CatalogueError(
        path,
        "a line among the rows begins with #",
        "If it is a comment, remove it; if it is a row, quote its first value.",
        line=line,
    )


def _too_long(path: str, line: int) -> CatalogueError:
    return CatalogueError(
        path,
        f"this line is longer than {LONGEST_LINE / 2**20:g} MiB",
        "This is not a text table, or its line ends were lost: export it again.",
        line=line,
    )


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace"))


def _line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _end(pattern: re.Pattern[bytes], text: bytes, start: int = 0) -> int:
    """Return the end of a pattern's match at `start`, or `start`."""
    found = pattern.match(text, start)
    return found.end() if found else start


def not_text(path: str, error: UnicodeDecodeError) -> CatalogueError:
    """Return the error for a text that contradicts its byte order mark."""
    return CatalogueError(
        path,
        f"its byte order mark says {error.encoding}, but it is not ({error.reason})",
        "Save it as CSV UTF-8.",
    )
