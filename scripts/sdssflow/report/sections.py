"""Sections of a page, with figures and tables read from results and formatted.

Numbers are shown with as many digits as their intervals support.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from sdssflow.report.figures import Item
from sdssflow.tables import read_csv

LABELS = ("seed", "fold", "step", "k", "row_id", "example_row")  # integers without separators

MINUS = "\u2212"
UNDEFINED = "\u2013"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LARGE, SMALL = 1e6, 1e-4  # beyond these, powers of ten
MOST_DECIMALS = 7
AGAIN = "delete it, and the rule that makes it runs again"
COMMON = {"n": "N =", "data_digest": "data digest", "seed": "seed"}
HEADS = {"auc": "AUC", "ari": "ARI", "ami": "AMI", "r2": "R²", "crps": "CRPS", "n": "N"}
HEADS |= {f"{a}_{b}": f"{a} {MINUS} {b} (mag)" for a, b in pairwise("ugriz")}
LONG = 12  # rows; longer tables are folded
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 64  # of a figure on a page


class ReportError(ValueError):
    """A result can't be shown; the message names the file and what to do."""


@dataclass(frozen=True)
class Column:
    """Header of a column: label, convention, which values are better."""

    label: str
    convention: str = ""
    better: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """Text of a cell, its interval, the key to sort by, and whether it is bold.

    `link` is an address for the text, '' for none.
    """

    text: str
    interval: str = ""
    sort: float | str = ""
    strong: bool = False
    numeric: bool = True
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a page. The first cell of a row is its header.

    `source` is the CSV with the numbers, '' if there is none; `exported` the LaTeX file to which
    the table is also written.
    """

    title: str
    text: str
    columns: list[Column]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    folded: bool = False
    source: str = ""
    exported: str = ""


@contextmanager
def reading(
    path: str | Path, kind: str, *broken: type[Exception], remedy: str = AGAIN
) -> Iterator[None]:
    """Turn errors while reading a file, including `broken` ones, into a ReportError."""
    try:
        yield
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file; run the rule that makes it") from None
    except broken as error:
        raise ReportError(f"{path}: not {kind} ({error}); {remedy}") from error


def read_table(path: str | Path, columns: Iterable[str], empty: bool = False) -> pd.DataFrame:
    """Read a result CSV that must have `columns` and, unless it may be `empty`, rows.

    ReportError if the file is missing, not a table, lacks a column or has no rows.
    """
    broken = (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError)
    with reading(path, "a table", *broken):
        frame = read_csv(path)
    missing = [name for name in columns if name not in frame]
    if missing:
        raise ReportError(f"{path}: no column {missing[0]!r}; it has {', '.join(frame)}")
    if frame.empty and not empty:
        raise ReportError(f"{path}: no rows; {AGAIN}")
    if "seed" in frame:
        frame = frame.assign(seed=frame["seed"].astype(str))
    return frame


def text_cell(text: object, strong: bool = False) -> Cell:
    """Return a cell of text."""
    return Cell(str(text), sort=str(text), strong=strong, numeric=False)


def word_columns(*labels: str, numeric: Iterable[str] = ()) -> list[Column]:
    """Return headers of text columns; those in `numeric` are numeric."""
    return [Column(label, numeric=label in numeric) for label in labels]


def number_cell(value: Any, name: str = "") -> Cell:
    """Return a cell of one value from a column called `name`."""
    if isinstance(value, str):
        return text_cell(value or UNDEFINED)
    if pd.isna(value):
        return Cell(UNDEFINED)
    if isinstance(value, bool | np.bool_):
        return text_cell("yes" if value else "no")
    number = float(value)
    text = f"{number:.0f}" if name in LABELS and number == int(number) else plain(number)
    return Cell(text, sort=number)


def stated(value: float, low: float, high: float) -> str:
    """Return a value with its interval as text."""
    return " ".join(with_interval(value, low, high)).strip()


def plain_table(
    frame: pd.DataFrame, title: str, text: str, notes: list[str], folded: bool = False
) -> Table:
    """Return a frame as a table without further processing.

    Empty columns are left out; a number of objects, digest or seed that is the same in every row
    moves to the notes.
    """
    present = [name for name in COMMON if name in frame and len(frame)]
    common = [name for name in present if frame[name].nunique(dropna=False) == 1]
    if common:
        values = [
            f"{words} {number_cell(frame[name].iloc[0], name).text}"
            for name, words in COMMON.items()
            if name in common
        ]
        notes = [*notes, f"This table: {', '.join(values)}"]
    shown = [name for name in frame if name not in common and not _blank(frame[name])]
    columns = [
        Column(HEADS.get(name, name.replace("_", " ")), numeric=is_numeric_dtype(frame[name]))
        for name in shown
    ]
    rows = [
        [number_cell(value, name) for name, value in zip(shown, values, strict=True)]
        for values in frame[shown].itertuples(index=False)
    ]
    return Table(title, text, columns, rows, notes, folded)


def _blank(column: pd.Series) -> bool:
    return len(column) > 0 and bool(column.isna().all() or (column.astype(str) == "").all())


def decimals(half_width: float) -> int:
    """Return the number of decimals that shows two significant digits of an uncertainty.

    >>> [decimals(half_width) for half_width in (0.00042, 3.1, 250.0)]
    [5, 1, 0]
    """
    if not math.isfinite(half_width) or half_width <= 0:
        return 4
    return min(max(0, 1 - math.floor(math.log10(half_width))), MOST_DECIMALS)


def fixed(value: float, places: int) -> str:
    """Format with a fixed number of decimals, a true minus sign and no negative zero.

    >>> fixed(-0.00001, 3), fixed(-1.25, 1)
    ('0.000', '−1.2')
    """
    if not math.isfinite(value):
        return UNDEFINED
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def with_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """Format a value and its interval so that half the interval has two significant digits.

    A missing interval is empty text; an undefined value is a dash.

    >>> with_interval(0.012345, 0.0118, 0.0129)
    ('0.01235', '[0.01180, 0.01290]')
    >>> with_interval(-0.7, -12.0, 11.0)
    ('−1', '[−12, 11]')
    >>> with_interval(0.0, 0.0, 0.0)
    ('0', '[0, 0]')
    >>> with_interval(8.5e11, 7.9e11, 9.3e11)
    ('8.50 × 10¹¹', '[7.90 × 10¹¹, 9.30 × 10¹¹]')
    >>> with_interval(2.5e-9, 2.1e-9, 3.2e-9)
    ('2.50 × 10⁻⁹', '[2.10 × 10⁻⁹, 3.20 × 10⁻⁹]')
    """
    if not math.isfinite(value):
        return UNDEFINED, ""
    if not (math.isfinite(low) and math.isfinite(high)):
        return plain(value), ""
    largest = max(abs(value), abs(low), abs(high))
    too_small = largest < SMALL and (high - low) / 2 < 10.0 ** (1 - MOST_DECIMALS)
    if low == high or largest >= LARGE or too_small:
        return plain(value), f"[{plain(low)}, {plain(high)}]"
    places = decimals((high - low) / 2)
    return fixed(value, places), f"[{fixed(low, places)}, {fixed(high, places)}]"


def plain(value: float | int | str | bool) -> str:
    """Format a number without an interval: counts whole, others with four significant digits.

    >>> plain(10000), plain(1234.5), plain(0.12345), plain(2.5e-7), plain(float("nan"))
    ('10,000', '1,234', '0.1235', '2.50 × 10⁻⁷', '–')
    """
    if isinstance(value, str | bool):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return UNDEFINED
    if number == int(number) and abs(number) < LARGE * 1000:
        return f"{int(number):,}".replace("-", MINUS)
    if abs(number) >= LARGE or abs(number) < SMALL:
        mantissa, exponent = f"{number:.2e}".split("e")
        power = str(int(exponent)).translate(SUPERSCRIPTS)
        return f"{mantissa} × 10{power}".replace("-", MINUS)
    text = f"{number:.4g}"
    return (f"{number:,.0f}" if abs(number) >= 1000 else text).replace("-", MINUS)


@dataclass(frozen=True)
class Chart:
    """An interactive chart: `content` is JSON for the script of the page.

    `kind` is curves or objects; `choices` has, by label of each list, its entries with their
    values. `text` explains the chart.
    """

    kind: str
    choices: dict[str, dict[str, str]]
    text: str
    content: str


@dataclass(frozen=True)
class Figure:
    """A figure as data URI; width and height in pixels, 0 if unknown."""

    title: str
    caption: str
    alt: str
    uri: str
    width: int = 0
    height: int = 0
    chart: Chart | None = None


@dataclass(frozen=True)
class Section:
    """A part of a page; `anchor` is unique on it.

    A section that is also written as Markdown, to `exported`, has a machine-readable `record` for
    its front matter.
    """

    anchor: str
    title: str
    text: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    blocks: Sequence[Table | Figure] = ()
    record: dict[str, Any] = field(default_factory=dict)
    exported: str = ""


def read_figure(path: str | Path, title: str, caption: str, subject: str) -> Figure:
    """Read a PNG or SVG figure; the alternative text names its `subject`."""
    with reading(path, "a figure", OSError, SyntaxError):
        content = Path(path).read_bytes()
        width = height = 0
        if content.startswith(PNG_SIGNATURE):
            content, (width, height) = _of_few_colours(content)
            kind = "image/webp"
        elif b"<svg" in content[:2000]:
            kind = "image/svg+xml"
        else:
            raise ReportError(f"{path}: neither PNG nor SVG; {AGAIN}")
    uri = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Figure(title, caption, f"{title}, {subject}. {caption}", uri, width, height)


def _of_few_colours(content: bytes) -> tuple[bytes, tuple[int, int]]:
    """Convert a PNG to WebP with few colours, a fifth of the bytes; also return its size."""
    from PIL import Image

    image = Image.open(io.BytesIO(content)).convert("RGB")
    few = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.convert("RGB").save(stream, "WEBP", lossless=True)
    return stream.getvalue(), image.size


def most_telling(items: list[Item], subject: str) -> Figure | None:
    """Read the figure that represents a sample or target on the index; None without one."""
    best = max(items, key=lambda item: item.telling)
    return read_figure(best.path, best.title, best.caption, subject) if best.telling else None


def block(
    item: Item, subject: str, notes: list[str], folded: bool = False, empty: bool = False
) -> Table | Figure:
    """Read a figure or a table, which may have no rows if `empty`."""
    if item.kind == "figure":
        return read_figure(item.path, item.title, item.caption, subject)
    frame = read_table(item.path, (), empty)
    text = item.caption if len(frame) else "None found."
    table = plain_table(frame, item.title, text, notes, folded or len(frame) > LONG)
    return replace(table, source=item.path)
