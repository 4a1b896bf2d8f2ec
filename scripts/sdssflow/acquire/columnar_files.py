"""Read Parquet and HDF5 files into Arrow, only the mapped columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.acquire.arrays import REPAIR, list_element, split_element, to_arrow
from sdssflow.acquire.errors import CatalogueError, nearest


def read_parquet_columns(path: str, columns: dict[str, str]) -> pa.Table:
    """Read the mapped columns of a Parquet file; elements of list columns as ``column[k]``."""
    try:
        file = pq.ParquetFile(path)
        places = {
            name: split_element(path, ref, file.schema_arrow.names) for name, ref in columns.items()
        }
        raw = file.read(columns=sorted({column for column, _ in places.values()}))
    except CatalogueError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise CatalogueError(
            path, f"the file can't be read as Parquet ({error})", REPAIR
        ) from error
    made = {}
    for name, (column, index) in places.items():
        values = raw[column].combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # a column that is too long for one array
            values = pa.concat_arrays(values.chunks)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        made[name] = list_element(path, column, values, index)
    return pa.table(made)


def read_hdf5(path: str, columns: dict[str, str], table: str | None) -> pa.Table:
    """Read the mapped columns of an HDF5 file.

    `table` is the path inside the file of a compound dataset (as astropy and PyTables write) or of
    a group with one dataset per column. By default the root group, or its only member.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            node = _hdf5_table(path, file, table)
            names = node.dtype.names if isinstance(node, h5py.Dataset) else list(node)
            made = {}
            for name, ref in columns.items():
                column, index = split_element(path, ref, names)
                if isinstance(node[column], h5py.Group):
                    raise CatalogueError(
                        path, f"{column!r} is a group, not a column", "Set source.table to it."
                    )
                made[name] = to_arrow(path, column, node[column][...], index)
    except OSError as error:
        raise CatalogueError(path, f"the file can't be read as HDF5 ({error})", REPAIR) from error
    lengths = {columns[name]: len(values) for name, values in made.items()}
    if len(set(lengths.values())) > 1:
        raise CatalogueError(
            path,
            f"columns differ in length: {lengths}",
            "Set source.table to a group whose datasets belong together.",
        )
    return pa.table(made)


def _hdf5_table(path: str, file: Any, table: str | None) -> Any:
    import h5py

    if table is not None and table not in file:
        raise CatalogueError(
            path, f"no table {table!r}{nearest(table, file)}", f"The file has: {', '.join(file)}."
        )
    node = file if table is None else file[table]
    if table is None and len(node) == 1:
        node = next(iter(node.values()))
    if isinstance(node, h5py.Dataset) and node.dtype.names is None:
        raise CatalogueError(
            path,
            f"{node.name!r} is one array, not a table",
            "Set source.table to a compound dataset or to a group with one dataset per column.",
        )
    return node
