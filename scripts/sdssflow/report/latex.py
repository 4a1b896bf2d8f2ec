"""LaTeX tables with booktabs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from sdssflow.report.sections import Cell, Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
MATHS = {
    "−": "-", "×": r"\times", "±": r"\pm", "≤": r"\leq", "≥": r"\geq", "·": r"\cdot",
    "∞": r"\infty",
    "→": r"\rightarrow", "↓": r"\downarrow", "↑": r"\uparrow",
    "√": r"\surd", "∫": r"\int", "∑": r"\sum", "≈": r"\approx",
}  # fmt: skip
PLAIN = {"–": "--", "—": "---", "…": r"\ldots{}", "\u00a0": "~", "’": "'"}
RAISED = {letter: str(number) for number, letter in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} | {"⁻": "-"}
LIKE_LATIN = "\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396"
COLUMN, PAGE = 48, 100  # width of a journal's column and page, in characters
INTERVAL_TYPE = r"\footnotesize"
SMALL, GAP = 0.8, 2  # width of a small character, and of the gap between columns, in characters
SUBSCRIPT = re.compile(r"^([^\W\d_]+|[^\x00-\x7f]+)_([A-Za-z0-9.]+)$")


def escaped(text: str) -> str:
    r"""Return text escaped for LaTeX.

    Characters without a glyph in pdfLaTeX, on which it would stop, are replaced by their code
    point.

    >>> escaped("50 % of model_mag_r")
    '50 \\% of model\\_mag\\_r'
    >>> escaped("−0.5 × 10⁻⁷ Δε")
    '$-$0.5 $\\times$ 10$^{-7}$ $\\Delta$$\\varepsilon$'
    """
    found = []
    for part in re.split(f"([{''.join(RAISED)}]+)", str(text)):
        if part and part[0] in RAISED:
            found.append(f"$^{{{''.join(RAISED[letter] for letter in part)}}}$")
        else:
            found.extend(map(_letter, part))
    return "".join(found)


def _letter(letter: str) -> str:
    if letter in SPECIAL or letter in PLAIN:
        return SPECIAL.get(letter) or PLAIN[letter]
    if symbol := _symbol(letter):
        return f"${symbol}$"
    if letter < "\u0180":  # ASCII and the accented letters of Latin alphabets
        return letter
    return f"[U+{ord(letter):04X}]"


def _symbol(letter: str) -> str:
    """Return the math-mode symbol of a character, '' if there is none."""
    if letter in MATHS:
        return MATHS[letter]
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(letter, ""))
    if not greek:
        return ""
    name = {"LAMDA": "lambda", "EPSILON": "varepsilon"}.get(greek[2], greek[2].lower())
    if greek[1] == "SMALL":
        return "o" if name == "omicron" else rf"\{name}"
    # capitals that look like Latin ones have no command of their own
    latin = dict(zip(LIKE_LATIN, "ABEHIKMNOPTXYZ", strict=True))
    return rf"\mathrm{{{latin[letter]}}}" if letter in latin else rf"\{name.capitalize()}"


def latex(table: Table, label: str) -> str:
    """Return a table as a LaTeX `table`, or `table*`, that needs the package booktabs.

    Intervals follow their values in small type; if that is too wide for a page they are set below,
    and if that is too wide the table is transposed. A table that is still too wide is set in the
    smallest readable type: leave out part of it. Conventions and notes are below the rows. The
    label is ``tab:`` and `label`.
    """
    kinds, (head, *rows), width = _set(table)
    float_ = "table*" if width > COLUMN else "table"
    if width > PAGE:
        head, *rows = (line.replace(INTERVAL_TYPE, r"\tiny") for line in (head, *rows))
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{{float_}}}",
        r"\centering",
        rf"\caption{{{escaped(f'{table.title}. {table.text}'.strip())}}}",
        rf"\label{{tab:{label}}}",
        *([r"\scriptsize\setlength{\tabcolsep}{3pt}"] if width > PAGE else []),
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    below = [
        f"{_name(column.label)}: {escaped(column.convention)}."
        for column in table.columns
        if column.convention
    ]
    below += [f"{escaped(note.rstrip('.'))}." for note in table.notes]
    if below:
        lines += [r"", rf"\smallskip\footnotesize {' '.join(below)}"]
    return "\n".join([*lines, rf"\end{{{float_}}}", ""])


class _Entry(NamedTuple):
    """A cell as LaTeX, and its width in characters."""

    text: str
    interval: str
    text_width: float
    interval_width: float

    def width(self, stacked: bool) -> float:
        if stacked or not self.interval:
            return max(self.text_width, self.interval_width)
        return self.text_width + 1 + self.interval_width


def _set(table: Table) -> tuple[str, list[str], float]:
    """Return the column types, the lines of header and rows, and their width in characters."""
    grid = [[_Entry(_name(column.label), "", len(column.label), 0) for column in table.columns]]
    grid += [[_entry(cell) for cell in row] for row in table.rows]
    exchanged = [list(column) for column in zip(*grid, strict=True)]
    kinds = "".join("r" if column.numeric else "l" for column in table.columns)
    ways = [
        (kinds, grid, False),
        (kinds, grid, True),
        ("l" + "r" * len(table.rows), exchanged, True),
    ]
    widths = [_width(grid, stacked) for _, grid, stacked in ways]
    fits = [place for place, width in enumerate(widths) if width <= PAGE]
    chosen = fits[0] if fits else widths.index(min(widths))
    kinds, grid, stacked = ways[chosen]
    return kinds, [_line(row, stacked) for row in grid], widths[chosen]


def _width(grid: list[list[_Entry]], stacked: bool) -> float:
    columns = zip(*grid, strict=True)
    return sum(max(entry.width(stacked) for entry in column) + GAP for column in columns) - GAP


def _line(row: list[_Entry], stacked: bool) -> str:
    texts = [entry.text for entry in row]
    intervals = [entry.interval for entry in row]
    if stacked and any(intervals):
        return "\n".join([rf"{_joined(texts)} \\", rf"{_joined(intervals)} \\[2pt]"])
    pairs = zip(texts, intervals, strict=True)
    return rf"{_joined(' '.join(filter(None, pair)) for pair in pairs)} \\"


def _joined(cells: Iterable[str]) -> str:
    """Join the cells of a row; a leading bracket would be an argument of the previous row."""
    line = " & ".join(cells)
    return f"{{}}{line}" if line.startswith("[") else line


def _entry(cell: Cell) -> _Entry:
    text = escaped(cell.text)
    if cell.strong:
        text = rf"\textbf{{{text}}}"
    interval = rf"{{{INTERVAL_TYPE} {escaped(cell.interval)}}}" if cell.interval else ""
    return _Entry(text, interval, len(cell.text), SMALL * len(cell.interval))


def _name(label: str) -> str:
    """Set what follows an underscore as subscript, as in sigma_NMAD."""
    parts = SUBSCRIPT.match(label)
    if not parts:
        return escaped(label)
    base, below = _symbol(parts[1]) if len(parts[1]) == 1 else "", rf"_{{\mathrm{{{parts[2]}}}}}"
    return f"${base}{below}$" if base else f"{escaped(parts[1])}${below}$"
