"""Read ECSV: text that states types, units and masked values."""

from __future__ import annotations

from typing import TextIO

import pyarrow as pa

from sdssflow.acquire.astronomy_files import _from_astropy
from sdssflow.acquire.errors import CatalogueError


def read_ecsv(path: str, stream: TextIO, columns: dict[str, str]) -> pa.Table:
    """Read the mapped columns of an ECSV table.

    Parameters
    ----------
    path : str
        The file, for messages.
    stream : text file
        Its content.
    columns : dict of str to str
        Catalogue name -> column, or ``column[k]`` for element k of a vector column.

    Returns
    -------
    pyarrow.Table
        Columns under catalogue names, of the types that the file states; masked values are null.

    Raises
    ------
    CatalogueError
        If the file is no sound ECSV, lacks a column or has one in another unit.
    """
    from astropy.table import Table

    try:
        found = Table.read(stream, format="ascii.ecsv")
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
    ) as error:
        raise CatalogueError(
            path,
            f"the file can't be read as ECSV ({error})",
            "Write it again with astropy or TOPCAT, or take the lines that begin with # out to "
            "have it read as CSV.",
        ) from error
    return _from_astropy(path, found, columns)
