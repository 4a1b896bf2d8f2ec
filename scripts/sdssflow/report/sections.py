"""What a page is made of: sections that hold tables and figures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sdssflow.report.contents import Item
from sdssflow.report.tables import AGAIN, ReportError, Table, plain_table, read_table, reading

LONG = 12  # rows; longer tables are folded
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 64  # of a figure on a page


@dataclass(frozen=True)
class Chart:
    """What of a figure answers to the pointer: `content` is JSON for the page's script.

    `kind` is curves or objects; `choices` are the lists to choose from, by label: the words of each
    entry and its value. `text` says what is drawn otherwise than in the figure.
    """

    kind: str
    choices: dict[str, dict[str, str]]
    text: str
    content: str


@dataclass(frozen=True)
class Figure:
    """A figure as data URI; width and height in pixels, so that text doesn't jump, 0 if unknown."""

    title: str
    caption: str
    alt: str
    uri: str
    width: int = 0
    height: int = 0
    chart: Chart | None = None


@dataclass(frozen=True)
class Section:
    """A titled part of a page; `anchor` is unique on it.

    `record` is what a machine reads of it: the head of the Markdown file that the section is also
    written to, at `exported`.
    """

    anchor: str
    title: str
    text: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    blocks: Sequence[Table | Figure] = ()
    record: dict[str, Any] = field(default_factory=dict)
    exported: str = ""


def read_figure(path: str | Path, title: str, caption: str, subject: str) -> Figure:
    """Read a PNG or SVG figure; `subject` is what it shows it of, for readers who don't see it."""
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
    """Return a PNG as a WebP without loss but of its colours, a fifth of the size, and its size."""
    from PIL import Image

    image = Image.open(io.BytesIO(content)).convert("RGB")
    few = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.convert("RGB").save(stream, "WEBP", lossless=True)
    return stream.getvalue(), image.size


def most_telling(items: list[Item], subject: str) -> Figure | None:
    """Read the figure by which the index shows a sample or target; None if none of its is fit."""
    best = max(items, key=lambda item: item.telling)
    return read_figure(best.path, best.title, best.caption, subject) if best.telling else None


def block(
    item: Item, subject: str, notes: list[str], folded: bool = False, empty: bool = False
) -> Table | Figure:
    """Read a figure or a table, which may have no rows if `empty`, and show it as it stands."""
    if item.kind == "figure":
        return read_figure(item.path, item.title, item.caption, subject)
    frame = read_table(item.path, (), empty)
    text = item.caption if len(frame) else "None was found."
    table = plain_table(frame, item.title, text, notes, folded or len(frame) > LONG)
    return replace(table, source=item.path)
