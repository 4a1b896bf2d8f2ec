"""Pages that are made anew with every build, in docs/generated."""

from pathlib import Path


def write_pages(folder: Path, pages: dict[str, str]) -> None:
    """Make `folder` hold these pages and no others; untouched where the text is the same.

    Parameters
    ----------
    folder : Path
        Where they lie.
    pages : dict of str to str
        File name to reStructuredText.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def heading(text: str, line: str = "=") -> str:
    """Return a heading of reStructuredText."""
    return f"{text}\n{line * len(text)}"


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((docstring or "").split("\n\n")[0].split())


def table(rows: list[tuple[str, str]], heads: tuple[str, str]) -> str:
    """Return a list-table of two columns."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 70", ""]
    for first, second in [heads, *rows]:
        lines += [f"   * - {first}", f"     - {second}"]
    return "\n".join(lines)
