"""Read NumPy files (.npy): structured arrays, or 2-D arrays of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdssflow.acquire.errors import REPAIR, CatalogueError
from sdssflow.acquire.files.columns import FileColumns, Part, mapped_table

MOST_HEADER = 200_000  # bytes; NumPy's default allows a few hundred columns


def npy_blocks(
    path: str, columns: dict[str, str], part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of an array; see `mapped_table`.

    Columns of a 2-D array are named by their numbers: '1' is the first. Arrays of Python objects
    are pickled, and refused. The file is reopened for each block, so that memory is released.
    """
    _, total = _columns(path, slice(None))
    for block in part.slices(total, rows):
        yield block.start, mapped_table(path, columns, _columns(path, block)[0])


def _columns(path: str, rows: slice) -> tuple[FileColumns, int]:
    """Return the columns of an array for some rows, and its number of rows."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=MOST_HEADER)
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError) as error:
        if "Python objects" in str(error) or "Object arrays" in str(error):
            raise CatalogueError(
                path,
                "the array holds Python objects, a pickle, which is never opened because it can "
                "run any code",
                "Write it as numbers and texts of fixed length, or as FITS.",
            ) from error
        raise CatalogueError(path, f"the file can't be read as NumPy ({error})", REPAIR) from error
    size = Path(path).stat().st_size
    if array.offset + array.nbytes != size:
        raise CatalogueError(
            path,
            f"{size - array.offset - array.nbytes:,} bytes follow the first array",
            "Write one array into one file.",
        )
    if array.dtype.names and array.ndim == 1:
        names, read = list(array.dtype.names), array[rows].__getitem__
    elif array.ndim == 2 and not array.dtype.names:
        names = [str(number + 1) for number in range(array.shape[1])]
        read = dict(zip(names, array[rows].T, strict=True)).__getitem__
    else:
        shape = " by ".join(map(str, array.shape)) or "one value"
        raise CatalogueError(
            path,
            f"the array ({shape}) is not a table",
            "Write one record per row, or rows of plain numbers.",
        )
    return FileColumns(names=names, read=read, stored=size), len(array)
