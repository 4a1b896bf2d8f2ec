"""Read tables of text, every value as it is: numbers are made of it later, with ids exact.

The separator is the one with which the header names all mapped columns. Lines may end in any of the
three ways, and values in quotes may hold line breaks (RFC 4180), whatever the size of the file. A
table without a header has its columns numbered from 1. Values with blanks between them, as many as
there may be, are read as if these were tabs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.csv as pa_csv

from sdssflow.acquire.errors import CatalogueError, unknown_column
from sdssflow.acquire.files.columns import FileColumns, mapped_table
from sdssflow.acquire.files.containers import HEAD, byte_order_mark, open_content, plain_file
from sdssflow.acquire.files.text_blanks import TabsForBlanks, tabs_for_blanks
from sdssflow.acquire.files.text_checks import LONGEST_LINE, CheckedText, nul_byte, too_long

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
ECSV = "# %ECSV"
EXCEL = "sep="  # Excel's line about the separator
BACKSLASH = "\\x"
NOTHING = " \t\r\n,;|\ufeff"
HEADER_LINES = 20  # names in quotes may hold line breaks
# several lines of the longest kind, so that a line is read wherever a block ends
BLOCK = 4 * LONGEST_LINE
HEADER_ADVICE = (
    "The first line that is neither empty nor begins with # has to name the columns, separated by "
    "commas, semicolons, tabs, bars or blanks: take out what stands above it, or save the table as "
    "CSV."
)


class Layout(NamedTuple):
    """How a table of text is laid out."""

    names: list[str]  # of all columns
    separator: str
    lines: int  # before the first row
    size: int  # bytes before the first row, as UTF-8
    is_ecsv: bool  # whether it says of itself that it is ECSV
    has_header: bool = True  # else the columns have numbers

    @property
    def parsed_separator(self) -> str:
        """What stands between the values when they are parsed."""
        return "\t" if self.separator == " " else self.separator


def read_text(path: str, columns: dict[str, str], header: bool = True) -> pa.Table:
    """Read the mapped columns of a table of text in UTF-8 or what its byte order mark says.

    They are binary, with values as they are in the file; for ECSV of the types that it states.
    The file may be packed. A header without a mapped column or with one twice, rows whose number of
    values differs from the header's, quotes that don't end, NUL bytes and long lines are refused.
    """
    layout = read_layout(path, columns, header)
    _check_names(path, columns, layout)
    if layout.is_ecsv:
        return _read_ecsv(path, columns)
    ragged = _Ragged(layout)
    found = [layout.names.index(name.strip()) for name in columns.values()]
    labels = [str(place) for place in range(len(layout.names))]  # names may occur twice
    wanted = [labels[place] for place in found]
    try:
        with _utf_8(path) as stream:
            stream.read(layout.size)
            if layout.separator == " ":
                stream = io.BufferedReader(TabsForBlanks(path, stream, layout.lines), HEAD)
            between, count = layout.parsed_separator, len(layout.names)
            table = pa_csv.read_csv(
                CheckedText(path, stream, between, count, layout.lines),
                # rows are in order only when read by one thread
                read_options=pa_csv.ReadOptions(
                    use_threads=False, column_names=labels, block_size=BLOCK
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=between,
                    newlines_in_values=True,
                    invalid_row_handler=ragged.note,
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    # text that is not UTF-8 gets an error with its row later
                    column_types={label: pa.binary() for label in wanted},
                    strings_can_be_null=False,
                ),
            )
    except UnicodeDecodeError as error:
        raise _not_text(path, error) from error
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return pa.table({name: pa.array([], pa.binary()) for name in columns})
        raise CatalogueError(
            path, f"the file can't be read as CSV ({error})", "Export it again."
        ) from error
    if ragged.count:
        raise ragged.error(path)
    return table.rename_columns(list(columns))


def line_of_row(path: str, columns: dict[str, str], row: int, header: bool = True) -> int | None:
    """Return the line (from 1) on which data row `row` (from 0) of a text file begins.

    Empty lines hold no row. Reads the file again: for messages only. None if it can't be found.
    """
    layout = read_layout(path, columns, header)
    for number, (line, _) in enumerate(_records(path, layout)):
        if number == row:
            return line
    return None


def read_layout(path: str, columns: dict[str, str], has_header: bool = True) -> Layout:
    """Find header, separator and where the rows begin, by the names of the mapped columns."""
    before, comment, is_ecsv = [], "", False
    with _characters(path) as stream:
        lines = _lines(path, stream)
        for line in lines:
            if line.strip(NOTHING) and not line.startswith(("#", EXCEL)):
                header = [line, *islice(lines, HEADER_LINES - 1)]
                break
            before.append(line)
            comment = line if line.startswith("#") else comment
            is_ecsv = is_ecsv or line.startswith(ECSV)
        else:
            header = []
    if not header and not comment:
        raise CatalogueError(path, "the file is empty", "Fetch or export it again.")
    mapped = {name.strip() for name in columns.values()}
    separators = " ," if is_ecsv else "".join(SEPARATORS)
    names, separator, used = _best(header, mapped, separators, numbered=not has_header)
    if not used and header:
        raise CatalogueError(
            path,
            "a quote opens a name and does not close it",
            "Close the quote.",
            line=len(before) + 1,
        )
    if not has_header:
        _refuse_numbers(path, header[:used], separator, len(before) + 1)
        used = 0  # the first line is a row
    elif comment and (not mapped <= set(names) or (not mapped and _are_numbers(names))):
        # TOPCAT and NumPy write the names as a comment
        in_comment = _best([comment.removeprefix("#")], mapped, "".join(SEPARATORS))
        if mapped <= set(in_comment[0]) and (mapped or len(in_comment[0]) == len(names)):
            names, separator, used = *in_comment[:2], 0
    skipped = [*before, *header[:used]]
    size = len("".join(skipped).encode("utf-8", "surrogateescape"))
    return Layout(names, separator, len(skipped), size, is_ecsv, has_header)


def _are_numbers(words: list[str]) -> bool:
    return all(re.fullmatch(r"[-+.eE\d]*\d[.\d]*", word) for word in words)


def _refuse_numbers(path: str, lines: list[str], separator: str, line: int) -> None:
    """Refuse a first line that numbers the columns, as pandas writes those without names."""
    text = tabs_for_blanks("".join(lines)) if separator == " " else "".join(lines)
    cells = [cell.strip() for cell in text.split("\t" if separator == " " else separator)]
    if cells in ([str(number + first) for number in range(len(cells))] for first in (0, 1)):
        raise CatalogueError(
            path,
            "source.header is false, but the first line numbers the columns",
            "Take the line out; or take source.header out and map these numbers.",
            line=line,
        )


def _best(
    lines: list[str], mapped: set[str], separators: str, numbered: bool = False
) -> tuple[list[str], str, int]:
    """Return the names, the separator that gives most of the mapped ones, and the lines used.

    The names are the `numbered` values of the first line, or these values themselves.
    """
    found: list[tuple[list[str], str, int]] = []
    for separator in separators:
        if separator == " ":
            reader = csv.reader(map(tabs_for_blanks, lines), delimiter="\t", strict=True)
        else:
            reader = csv.reader(lines, delimiter=separator, strict=True)
        with suppress(csv.Error):
            cells = [cell.strip().strip("\ufeff").strip() for cell in next(reader, [])]
            # bytes that are not UTF-8 are shown as escapes
            raw = [cell.encode("utf-8", "surrogateescape") for cell in cells]
            names = [name.decode("utf-8", "backslashreplace") for name in raw]
            if numbered:
                names = [str(number + 1) for number in range(len(names))]
            found.append((names, separator, reader.line_num))

    def likeness(one: tuple[list[str], str, int]) -> tuple[int, bool, int]:
        # blanks separate the words of a message too
        return len(mapped & set(one[0])), one[1] != " " or not mapped, len(one[0])

    best = max(found, key=likeness, default=None)
    if best is None or (len(best[0]) < 2 and len(found) < len(separators)):
        return [], ",", 0  # a quote that is not closed
    return best


def _check_names(path: str, columns: dict[str, str], layout: Layout) -> None:
    mapped = [name.strip() for name in columns.values()]
    # ECSV says itself which columns it has, and may have vectors
    for name in sorted({*layout.names} if layout.is_ecsv else {*mapped}):
        if layout.names.count(name) > 1:
            raise CatalogueError(
                path,
                f"the header names {name!r} {layout.names.count(name)} times",
                "Give each column its own name.",
            )
    if layout.is_ecsv:
        return
    if len(layout.names) == 1:
        raise CatalogueError(
            path,
            f"{layout.names[0][:50]!r} (line {layout.lines}) is no header with several columns",
            HEADER_ADVICE,
        )
    missing = next((name for name in columns.values() if name.strip() not in layout.names), None)
    broken = [name for name in layout.names if BACKSLASH in name]
    if missing is not None and broken:
        raise CatalogueError(
            path,
            f"there is no column {missing!r}, and some names are not UTF-8: {', '.join(broken)}",
            "Save the file as UTF-8 (the format 'CSV UTF-8' of spreadsheets).",
        )
    if missing is not None:
        raise unknown_column(path, missing, layout.names)


class _Ragged:
    """Counts rows whose number of values is not the header's."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._first: Any = None  # InvalidRow of pyarrow.csv
        self.count = 0

    def note(self, row: pa_csv.InvalidRow) -> str:
        # a line of blanks is as good as an empty one
        if not re.fullmatch(r'\s*|"\s*"\s*', row.text):
            self._first = self._first or row
            self.count += 1
        return "skip"

    def error(self, path: str) -> CatalogueError:
        expected = self._first.expected_columns
        records = _records(path, self._layout)
        line = next((line for line, row in records if len(row) != expected), None)
        text = self._first.text
        text = text if len(text) <= 60 else text[:57] + "..."
        count = self._first.actual_columns
        values = f"{count} {'value' if count == 1 else 'values'}"
        several = f" ({self.count} lines are like this)" if self.count > 1 else ""
        marks = SEPARATORS[self._layout.separator]
        others, advice = (
            (f"the header names {expected} columns", "Name every column in the header, quote")
            if self._layout.has_header
            else (f"the first row has {expected} values", "Quote")
        )
        return CatalogueError(
            path,
            f"{others}, this line has {values}{several}: {text!r}",
            f"{advice} values that hold {marks}, and look for a line that was cut short.",
            line=line,
        )


def _records(path: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row begins, and its values: slow, for messages only."""
    with _characters(path) as stream:
        lines = _lines(path, stream)
        for _ in range(layout.lines):
            next(lines)
        if layout.separator == " ":
            lines = map(tabs_for_blanks, lines)
        reader = csv.reader(lines, delimiter=layout.parsed_separator)
        before = layout.lines
        try:
            for row in reader:
                if row and (len(row) > 1 or row[0].strip()):
                    yield before + 1, row
                before = layout.lines + reader.line_num
        except csv.Error:  # a value too long for this reader: its line stays unknown
            return


def _lines(path: str, stream: TextIO) -> Iterator[str]:
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
def _utf_8(path: str) -> Iterator[BinaryIO]:
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
def _characters(path: str) -> Iterator[TextIO]:
    """Open a text; bytes that are not UTF-8 are kept as they are."""
    with open_content(path) as stream:
        encoding = byte_order_mark(stream.peek(HEAD)) or "utf-8"
        try:
            yield io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
        except UnicodeDecodeError as error:
            raise _not_text(path, error) from error


def _not_text(path: str, error: UnicodeDecodeError) -> CatalogueError:
    return CatalogueError(
        path,
        f"its byte order mark says {error.encoding}, which it is not ({error.reason})",
        "Save it as CSV UTF-8.",
    )


def _read_ecsv(path: str, columns: dict[str, str]) -> pa.Table:
    from astropy.table import Table

    with plain_file(path) as plain:
        try:
            found = Table.read(plain, format="ascii.ecsv")
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise CatalogueError(
                plain,
                f"the file can't be read as ECSV ({' '.join(str(error).split())})",
                "Correct it, or write the table again with astropy or TOPCAT.",
            ) from error
        described = FileColumns(
            names=found.colnames,
            read=lambda name: found[name],
            unit=lambda name: None if found[name].unit is None else found[name].unit.to_string(),
        )
        return mapped_table(plain, columns, described)
