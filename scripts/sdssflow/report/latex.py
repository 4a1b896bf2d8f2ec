"""Tables as LaTeX with booktabs: numbers with their intervals, words escaped."""

from __future__ import annotations

import re
import unicodedata

from sdssflow.report.tables import Cell, Column, Table

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
SUBSCRIPT = re.compile(r"^([^\W\d_]+|[^\x00-\x7f]+)_([A-Za-z0-9.]+)$")


def escaped(text: str) -> str:
    r"""Return text that LaTeX shows as it stands.

    Letters that pdfLaTeX has no glyph for stand as their code point, for they would stop it.

    Examples
    --------
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
    """Return what stands for a letter in mathematics, '' if nothing does."""
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
    """Return a table as a LaTeX `table` that needs the package booktabs.

    An interval stands behind its value in small type; bold stays bold; conventions and notes
    stand below the rows.

    Parameters
    ----------
    table : Table
        What to set.
    label : str
        What a paper refers to it by, without ``tab:``.
    """
    kinds = "".join("r" if column.numeric else "l" for column in table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(f'{table.title}. {table.text}'.strip())}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        " & ".join(_head(column) for column in table.columns) + r" \\",
        r"\midrule",
        *(" & ".join(_cell(cell) for cell in row) + r" \\" for row in table.rows),
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
    return "\n".join([*lines, r"\end{table}", ""])


def _name(label: str) -> str:
    """Set what follows an underscore below the line, as in sigma_NMAD."""
    parts = SUBSCRIPT.match(label)
    if not parts:
        return escaped(label)
    base, below = _symbol(parts[1]) if len(parts[1]) == 1 else "", rf"_{{\mathrm{{{parts[2]}}}}}"
    return f"${base}{below}$" if base else f"{escaped(parts[1])}${below}$"


def _head(column: Column) -> str:
    return _name(column.label)


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.strong:
        text = rf"\textbf{{{text}}}"
    # a bracket that begins a line after \\ would be taken for its argument
    return rf"{text} {{\footnotesize {escaped(cell.interval)}}}" if cell.interval else f"{{{text}}}"
