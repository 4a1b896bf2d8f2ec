"""Figures inside the page: as data URIs, with their size so that text doesn't jump."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

from sdssflow.report.tables import ReportError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it; width and height in pixels, 0 where the file has none."""

    title: str
    caption: str
    alt: str
    uri: str
    width: int = 0
    height: int = 0


def read_figure(path: str | Path, title: str, caption: str, subject: str) -> Figure:
    """Read a PNG or SVG figure.

    Parameters
    ----------
    path : path-like
        The file.
    title, caption : str
        What stands above and below it.
    subject : str
        What it shows it of, for readers who don't see it.

    Raises
    ------
    ReportError
        If the file is missing, empty or neither PNG nor SVG.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file; run the rule that makes it") from None
    width = height = 0
    if content.startswith(PNG_SIGNATURE) and len(content) > 24:
        width, height = struct.unpack(">II", content[16:24])
        kind = "image/png"
    elif b"<svg" in content[:2000]:
        kind = "image/svg+xml"
    else:
        raise ReportError(
            f"{path}: neither PNG nor SVG; delete it, and the rule that makes it runs again"
        )
    uri = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Figure(title, caption, f"{title}, {subject}. {caption}", uri, width, height)
