"""Texts of whichever encoding and packing: line by line, or in whole rows as UTF-8.

What a parser of CSV takes without a word and should not is found while the text is read.
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
BLOCK = 4 * LONGEST_LINE  # that is read at a time
LINE_ENDS = (b"\n", b"\r")
LINE_END = re.compile(rb"\r\n|\r|\n")
COMMENT = re.compile(rb"[\r\n][ \t]*#")
# a value in quotes may hold blanks; those at either end of a line separate nothing
BLANKS = re.compile(r'("(?:[^"\r\n]|"")*")|(?:^|(?<=[\r\n]))[ \t]+|[ \t]+(?=[\r\n]|$)|([ \t]+)')
CLOSE_QUOTE = 'Close the quote, and write "" for a quote within a value in quotes.'


@contextmanager
def characters(path: str, errors: str = "surrogateescape") -> Iterator[TextIO]:
    """Open a text; bytes that are not UTF-8 are kept as they are, unless `errors` is strict."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD)) or "utf-8"
        try:
            yield io.TextIOWrapper(stream, encoding, errors=errors, newline="")
        except UnicodeDecodeError as error:
            raise not_text(path, error) from error


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


def utf_8(path: str, skipped: int) -> Iterator[bytes]:
    """Yield a text as UTF-8 without byte order mark, in blocks, from so many bytes on."""
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
    r"""Return a line with one tab wherever blanks separate values, as many as there may be.

    >>> tabs_for_blanks(' 18.2   17.1 "a b" \n')
    '18.2\t17.1\t"a b"\n'
    """
    return BLANKS.sub(lambda found: found[1] or ("\t" if found[2] else ""), line)


def with_tabs(path: str, blocks: Iterable[bytes], line: int) -> Iterator[bytes]:
    """Yield a text with `tabs_for_blanks` in each line, of any encoding that extends ASCII.

    It begins with `line` of the file; quotes that don't end on their line are refused.
    """
    rest = b""
    for block in chain(blocks, [b""]):
        text = rest + block
        end = 1 + max(text.rfind(mark) for mark in LINE_ENDS)
        # who reads this refuses a line without end
        if not block or len(text) - end > LONGEST_LINE:
            end = len(text)
        lines, rest = text[:end], text[end:]
        for number, one in enumerate(LINE_END.split(lines) if b'"' in lines else ()):
            if one.count(b'"') % 2:
                problem = "a quote opens a value and does not close it on its line"
                raise CatalogueError(path, problem, CLOSE_QUOTE, line=line + number)
        line += len(LINE_END.findall(lines))
        if made := tabs_for_blanks(lines.decode("latin-1")):
            yield made.encode("latin-1")


class CheckedText:
    """Refuses NUL bytes, endless lines, comments and quotes out of place in a text as UTF-8.

    After a quote that is not closed, rows would vanish into one value; a row that begins with #
    was meant not to be one. The text has `columns` values a row, and begins after `lines` lines of
    the file.
    """

    def __init__(self, path: str, separator: str, columns: int, lines: int) -> None:
        self._path = path
        self._line = lines + 1  # of the next byte
        self._since_line_end = 0  # bytes of that line so far
        self._quotes = 0  # so far
        # the last byte (and quotes after it), or a value in quotes whose end has not come yet
        self._tail = b"\n"
        self._separator, self._columns = separator.encode(), columns
        border = re.escape(self._separator) + rb"\r\n"
        # no quotes; a value in quotes between borders; a quote amid a value, which is a letter
        sound = rb'(?:[^"]++|(?<![^B])"(?:[^"N]++|"")*+"(?=[B])|(?<=[^B])")*+'.replace(b"B", border)
        self._quoted = re.compile(rb'"(?:[^"]++|"")*+')
        # of the same, with the ends of its line
        row = rb'(?:[^"N]++|(?<![^B])"(?:[^"]++|"")*+"(?=[B])|(?<=[^B])")*+[N]++'
        self._row = re.compile(row.replace(b"B", border).replace(b"N", rb"\r\n"))
        self._sound = re.compile(sound.replace(b"N", b""))
        self._next_with_line_ends = re.compile(
            sound.replace(b"N", rb"\r\n") + b"(" + self._quoted.pattern + b'")'
        )

    def whole_rows(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a text in blocks that end where a row does."""
        rest = b""
        for block in blocks:
            if b"\0" in block:
                raise nul_byte(self._path, self._line + _line_ends(block[: block.index(b"\0")]))
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
        """Return where the last row ends whose end is in a text that begins with a row."""
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
                raise too_long(self._path, line)
            start = after
        self._since_line_end = len(block) - (after or start)

    def _check_comments(self, block: bytes) -> None:
        if b"#" in block:
            text = self._tail[-1:] + block  # a line may begin with the block
            for found in COMMENT.finditer(text):
                before = text[1 : found.end()]
                if (self._quotes + before.count(b'"')) % 2 == 0:  # else within a value in quotes
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
        may_go_on = len(text) - closed <= 1
        if block and may_go_on and len(text) - opened <= LONGEST_LINE:
            self._tail = text[opened - 1 :]
        elif block or text[closed:] != b'"':
            problem = (
                "a quote opens a value and does not close it"
                if may_go_on
                else f"a quote closes a value amid {_shown(text[opened : closed + 9][-20:])}"
            )
            raise CatalogueError(
                self._path,
                problem,
                CLOSE_QUOTE,
                line=self._line_of(text, opened),
            )

    def _check_rows_in_values(self, text: bytes, end: int) -> None:
        """Refuse a value that swallowed whole rows, from a stray quote to the next stray one."""
        place = 0
        while found := self._next_with_line_ends.match(text, place, end):
            place, value = found.end(), found[1]
            rows, rest = divmod(value.count(self._separator), self._columns - 1)
            if rows and not rest and rows <= _line_ends(value):
                raise CatalogueError(
                    self._path,
                    f"a value in quotes holds line ends and as many separators "
                    f"as {rows} {'row' if rows == 1 else 'rows'}: {_shown(value[:30])}",
                    "Close the quote that opens it. If it is one text, take its line ends out.",
                    line=self._line_of(text, found.start(1)),
                )

    def _line_of(self, text: bytes, place: int) -> int:
        """Return the line of a place in the tail and the block after it."""
        return self._line - _line_ends(self._tail) + _line_ends(text[:place])


def nul_byte(path: str, line: int) -> CatalogueError:
    """Return the error for a NUL byte on a line."""
    return CatalogueError(
        path,
        "a NUL byte",
        "It is damaged or no text (or UTF-16 without its mark): fetch it again, or save it as CSV "
        "UTF-8.",
        line=line,
    )


def comment(path: str, line: int) -> CatalogueError:
    """Return the error for a line amid the rows that may be a comment or a row."""
    return CatalogueError(
        path,
        "a line amid the rows begins with #",
        "If it is a comment, take it out; if it is a row, put its first value in quotes.",
        line=line,
    )


def too_long(path: str, line: int) -> CatalogueError:
    """Return the error for a line without end."""
    return CatalogueError(
        path,
        f"this line is longer than {LONGEST_LINE / 2**20:g} MiB",
        "This is no table of text, or its line ends were lost: export it again.",
        line=line,
    )


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace"))


def _line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _end(pattern: re.Pattern[bytes], text: bytes, start: int = 0) -> int:
    """Return where what a pattern matches from a place on ends: there, if it matches nothing."""
    found = pattern.match(text, start)
    return found.end() if found else start


def not_text(path: str, error: UnicodeDecodeError) -> CatalogueError:
    """Return the error for a text that is not what its first bytes say."""
    return CatalogueError(
        path,
        f"its byte order mark says {error.encoding}, which it is not ({error.reason})",
        "Save it as CSV UTF-8.",
    )
