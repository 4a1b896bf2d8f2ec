"""Markdown tables, printed line by line."""


def row(*cells: object) -> None:
    """Print a row."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def header(*cells: str) -> None:
    """Print the header of a table, after an empty line."""
    print()
    row(*cells)
    row(*("---" for _ in cells))
