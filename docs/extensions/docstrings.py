"""Docstrings as they are written, made into what reStructuredText reads the same way.

They are written for people who read the source: absolute values between bars, globs, and here and
there a table in Markdown.
"""

import re

from numpydoc import docscrape_sphinx

_CODE = re.compile(r"(``.*?``|`[^`]*`)")
_RULER = re.compile(r"=+(?: +=+)+$")


def as_restructured_text(lines: list[str]) -> list[str]:
    """Return the lines of a docstring without what reStructuredText would take for markup."""
    shown: list[str] = []
    for line in lines:
        text = line.strip()
        if text.startswith("|") and text.endswith("|"):
            shown += _table_row(text, first=not shown or not shown[-1].startswith("     -"))
        elif text.startswith((">>>", "...")):
            shown.append(line)
        elif _RULER.match(text):
            # a name may reach into the gap between two columns
            shown.append(re.sub("=  (?==)", "== ", line))
        else:
            shown.append("".join(_without_markup(part) for part in _CODE.split(line)))
    return shown


def _without_markup(part: str) -> str:
    if part.startswith("`"):
        return part
    # a sign of the same width: cells of a table keep their places
    return re.sub(r"(?<=/)\*(?=\.)", "∗", part.replace("|", "∣"))


def _table_row(text: str, first: bool) -> list[str]:
    """Return a row of a Markdown table as one of a list-table."""
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", text.strip("|"))]
    if all(set(cell) <= set("-:") for cell in cells):
        return []
    head = [".. list-table::", "   :header-rows: 1", ""] if first else []
    rows = [f"{'   * -' if number == 0 else '     -'} {cell}" for number, cell in enumerate(cells)]
    return head + rows


def rewrite(app, what, name, obj, options, lines: list[str]) -> None:
    """Rewrite a docstring before numpydoc reads it."""
    lines[:] = as_restructured_text(lines)


def compile_template_once() -> None:
    """Let numpydoc keep its template, which it compiles for each docstring: a sixth of a build."""
    template = docscrape_sphinx.SphinxDocString.__new__(docscrape_sphinx.SphinxDocString)
    template.load_config({})
    environment = template.template.environment
    docscrape_sphinx.SandboxedEnvironment = lambda loader: environment


def setup(app):
    """Take part in a build."""
    compile_template_once()
    app.connect("autodoc-process-docstring", rewrite, priority=400)
    return {"parallel_read_safe": True}
