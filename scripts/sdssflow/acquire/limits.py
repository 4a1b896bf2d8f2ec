"""How much a file may unpack to: a few kilobytes can declare more rows than any machine holds."""

from __future__ import annotations

from sdssflow.acquire.errors import CatalogueError

ALWAYS_READ = 1 << 30
TIMES_ITS_SIZE = 100


def check_declared(path: str, declared: int, stored: int) -> None:
    """Refuse a file that declares far more than it holds, before memory is taken for it.

    Parameters
    ----------
    path : str
        For the message.
    declared : int
        Bytes that the mapped columns take in memory, as the file's header has it.
    stored : int
        Bytes of the file.

    Raises
    ------
    CatalogueError
        If `declared` is beyond 1 GiB and beyond 100 times `stored`. Magnitudes and positions
        shrink to a third at best; a file that is not compressed never comes near.
    """
    if declared > max(ALWAYS_READ, TIMES_ITS_SIZE * stored):
        raise CatalogueError(
            path,
            f"the mapped columns unpack to {declared:,} bytes, the file has {stored:,}; beyond "
            f"{ALWAYS_READ >> 30} GiB at most {TIMES_ITS_SIZE} times the file is read",
            "The file is damaged or no catalogue; if the rows are real, write it again without "
            "compression.",
        )
