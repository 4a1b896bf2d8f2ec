"""Read ECSV: text that states types, units and masked values."""

from __future__ import annotations

import pyarrow as pa

from sdssflow.acquire.containers import plain_file
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.mapped import from_astropy


def read_ecsv(path: str, columns: dict[str, str]) -> pa.Table:
    """Read the mapped columns of an ECSV table.

    Parameters
    ----------
    path : str
        The file; may be packed.
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

    with plain_file(path) as plain:
        try:
            found = Table.read(plain, format="ascii.ecsv")
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise CatalogueError(
                plain,
                f"the file can't be read as ECSV ({' '.join(str(error).split())})",
                "Correct it, or write the table again with astropy or TOPCAT.",
            ) from error
        return from_astropy(plain, found, columns)
