"""Read text tables without converting values, so that ids stay exact.

The separator is the one with which the header contains all mapped columns. Lines may end in LF, CR
or both, and quoted values may contain line breaks (RFC 4180), whatever the size of the file. In a
table without a header, columns are numbered from 1. Runs of blanks that separate values are treated
as tabs.
"""

from __future__ import annotations

import csv
import gc
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv

from sdssflow.acquire.errors import CatalogueError, unknown_column
from sdssflow.acquire.files.columns import ASTROPY_ROWS, FileColumns, Part, Piece, mapped_table
from sdssflow.acquire.files.text_streams import (
    CheckedText,
    characters,
    comment,
    lines_of,
    not_text,
    tabs_for_blanks,
    utf_8,
    with_tabs,
)
from sdssflow.tables import of_equal_size

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
ECSV = "# %ECSV"
EXCEL = "sep="  # line in which Excel states the separator
BACKSLASH = "\\x"
NOTHING = " \t\r\n,;|\ufeff"
HEADER_LINES = 20  # quoted names may contain line breaks
HEADER_ADVICE = (
    "The first line that is neither empty nor begins with # has to name the columns, separated by "
    "commas, semicolons, tabs, bars or blanks: remove the lines above it, or save the table as CSV."
)


class Layout(NamedTuple):
    """Layout of a text table."""

    names: list[str]  # of all columns
    separator: str
    lines: int  # before the first row
    size: int  # bytes before the first row, as UTF-8
    is_ecsv: bool  # whether it is marked as ECSV
    has_header: bool = True  # else columns are numbered

    @property
    def parsed_separator(self) -> str:
        """The separator for the parser, after runs of blanks became tabs."""
        return "\t" if self.separator == " " else self.separator


def text_blocks(
    path: str, columns: dict[str, str], header: bool, part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a text table.

    The encoding is UTF-8 unless a byte order mark states another; the file may be compressed.
    Columns are binary, with values as in the file, except in ECSV, which states types. If there are
    several parts, the rows are counted first. Refused are headers with missing or repeated columns,
    rows with a different number of values, unclosed quotes, NUL bytes and very long lines.
    """
    layout = read_layout(path, columns, header)
    _check_names(path, columns, layout)
    pieces = _ecsv_pieces if layout.is_ecsv else _csv_pieces
    total = None
    if part.of > 1:
        one = dict(islice(columns.items(), 1))
        total = sum(size for size, _ in pieces(path, one, layout, rows))
    yield from part.of_pieces(pieces(path, columns, layout, rows), total)


def _csv_pieces(path: str, columns: dict[str, str], layout: Layout, rows: int) -> Iterator[Piece]:
    ragged = _Ragged(layout)
    found = [layout.names.index(name.strip()) for name in columns.values()]
    labels = [str(place) for place in range(len(layout.names))]  # names may be repeated
    wanted = [labels[place] for place in found]
    try:
        text = utf_8(path, layout.size)
        if layout.separator == " ":
            text = with_tabs(path, text, layout.lines + 1)
        between = layout.parsed_separator
        checked = CheckedText(path, between, len(layout.names), layout.lines)
        parsing = pa_csv.ParseOptions(
            delimiter=between, newlines_in_values=True, invalid_row_handler=ragged.note
        )
        converting = pa_csv.ConvertOptions(
            include_columns=wanted,
            # invalid UTF-8 is reported later, with its row
            column_types={label: pa.binary() for label in wanted},
            strings_can_be_null=False,
        )
        tables = (_parsed(whole, labels, parsing, converting) for whole in checked.whole_rows(text))
        schema = pa.schema([(label, pa.binary()) for label in wanted])
        for table in of_equal_size((table for table in tables if table is not None), schema, rows):
            if not ragged.count:  # else continue only to count bad rows
                yield table.num_rows, partial(table.rename_columns, list(columns))
    except UnicodeDecodeError as error:
        raise not_text(path, error) from error
    except pa.ArrowInvalid as error:
        raise CatalogueError(
            path, f"the file can't be read as CSV ({error})", "Export it again."
        ) from error
    if ragged.count:
        raise ragged.error(path)


def _parsed(
    text: bytes, names: list[str], parsing: pa_csv.ParseOptions, converting: pa_csv.ConvertOptions
) -> pa.Table | None:
    """Return complete rows as a table; None if all lines are empty.

    Arrow's streaming reader is not used: it can hang if closed while its thread reads from a Python
    object.
    """
    reading = pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1)
    try:
        return pa_csv.read_csv(pa.BufferReader(text), reading, parsing, converting)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return None
        raise


def line_of_row(path: str, columns: dict[str, str], row: int, header: bool = True) -> int | None:
    """Return the line (from 1) on which data row `row` (from 0) of a text file begins, or None.

    Empty lines are not rows. This reads the file again: for messages only.
    """
    layout = read_layout(path, columns, header)
    for number, (line, _) in enumerate(_records(path, layout)):
        if number == row:
            return line
    return None


def read_layout(path: str, columns: dict[str, str], has_header: bool = True) -> Layout:
    """Find header, separator and first row, using the names of the mapped columns."""
    before, comment, is_ecsv = [], "", False
    with characters(path) as stream:
        lines = lines_of(path, stream)
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
            "a column name has an opening quote, but no closing one",
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
    """Refuse a first line of column numbers, which pandas writes for unnamed columns."""
    text = tabs_for_blanks("".join(lines)) if separator == " " else "".join(lines)
    cells = [cell.strip() for cell in text.split("\t" if separator == " " else separator)]
    if cells in ([str(number + first) for number in range(len(cells))] for first in (0, 1)):
        raise CatalogueError(
            path,
            "source.header is false, but the first line numbers the columns",
            "Remove the line; or remove source.header and map these numbers.",
            line=line,
        )


def _best(
    lines: list[str], mapped: set[str], separators: str, numbered: bool = False
) -> tuple[list[str], str, int]:
    """Return names, separator and number of header lines for the most likely separator.

    The most likely one gives most of the mapped names. Columns are named by the values of the first
    line or, if `numbered`, by number.
    """
    found: list[tuple[list[str], str, int]] = []
    for separator in separators:
        if separator == " ":
            reader = csv.reader(map(tabs_for_blanks, lines), delimiter="\t", strict=True)
        else:
            reader = csv.reader(lines, delimiter=separator, strict=True)
        with suppress(csv.Error):
            cells = [cell.strip().strip("\ufeff").strip() for cell in next(reader, [])]
            # show invalid UTF-8 as escapes
            raw = [cell.encode("utf-8", "surrogateescape") for cell in cells]
            names = [name.decode("utf-8", "backslashreplace") for name in raw]
            if numbered:
                names = [str(number + 1) for number in range(len(names))]
            found.append((names, separator, reader.line_num))

    def likeness(one: tuple[list[str], str, int]) -> tuple[int, bool, int]:
        # a sentence has blanks too
        return len(mapped & set(one[0])), one[1] != " " or not mapped, len(one[0])

    best = max(found, key=likeness, default=None)
    if best is None or (len(best[0]) < 2 and len(found) < len(separators)):
        return [], ",", 0  # an unclosed quote
    return best


def _check_names(path: str, columns: dict[str, str], layout: Layout) -> None:
    mapped = [name.strip() for name in columns.values()]
    # ECSV lists its columns in its header, and may have vectors
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
            f"{layout.names[0][:50]!r} (line {layout.lines}) is not a header with several columns",
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
    """Counts rows whose number of values differs from the header's."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._first: Any = None  # InvalidRow of pyarrow.csv
        self.count = 0

    def note(self, row: pa_csv.InvalidRow) -> str:
        # a line of blanks counts as empty
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
            f"{advice} values that contain {marks}, and look for a truncated line.",
            line=line,
        )


def _records(path: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield first line and values of each row; slow, for messages only."""
    with characters(path) as stream:
        lines = lines_of(path, stream)
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
        except csv.Error:  # a value too long for this reader
            return


def _ecsv_pieces(path: str, columns: dict[str, str], layout: Layout, rows: int) -> Iterator[Piece]:
    """Yield pieces of the table, each with the header, of a size that astropy can read."""
    with characters(path, "strict") as stream:
        lines = lines_of(path, stream)
        head = list(islice(lines, layout.lines))
        texts: list[str] = []
        number = first = layout.lines

        def seen() -> Iterator[str]:
            nonlocal number
            for number, line in enumerate(lines, layout.lines + 1):
                if re.match(r"\s*#", line):
                    raise comment(path, number)
                if line.strip():
                    texts.append(line)
                    yield line

        size = 0
        try:
            # quoted values may contain line ends
            for _ in csv.reader(seen(), delimiter=layout.separator, skipinitialspace=True):
                size += 1
                if size == min(rows, ASTROPY_ROWS):
                    yield size, partial(_ecsv_table, path, columns, [*head, *texts], size, first)
                    texts, size, first = [], 0, number
        except (csv.Error, UnicodeDecodeError) as error:
            raise _not_ecsv(path, error, number + 1) from error
        if size:
            yield size, partial(_ecsv_table, path, columns, [*head, *texts], size, first)


def _ecsv_table(
    path: str, columns: dict[str, str], lines: list[str], rows: int, first: int
) -> pa.Table:
    from astropy.table import Table

    gc.collect()  # astropy's readers have reference cycles that keep the previous block
    try:
        found = Table.read(lines, format="ascii.ecsv")
        if len(found) != rows:
            raise ValueError(f"the text has {rows} rows, astropy finds {len(found)}")
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise _not_ecsv(path, error, first + 1) from error
    described = FileColumns(
        names=found.colnames,
        read=lambda name: found[name],
        unit=lambda name: None if found[name].unit is None else found[name].unit.to_string(),
    )
    return mapped_table(path, columns, described)


def _not_ecsv(path: str, error: Exception, line: int) -> CatalogueError:
    return CatalogueError(
        path,
        f"the file can't be read as ECSV from this line on ({' '.join(str(error).split())})",
        "Correct it, or write the table again with astropy or TOPCAT.",
        line=line,
    )
