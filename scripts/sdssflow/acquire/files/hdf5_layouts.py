"""Find tables and their columns in HDF5 files, in the layouts of common programs.

======================  ============================================================================
compound dataset        one field per column: astropy, PyTables, h5py
group of datasets       one dataset per column: h5py, netCDF
vaex                    ``table/columns/NAME/data``, masks and texts in other datasets
pandas, fixed           ``KEY/blockN_items`` and ``KEY/blockN_values``; texts are pickled
pandas, table           ``KEY/table``, a compound dataset with several columns in one field
======================  ============================================================================

Nothing is unpickled, and links to other files are not followed.
"""

from __future__ import annotations

import math
import pickletools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sdssflow.acquire.errors import CatalogueError, nearest
from sdssflow.acquire.files.columns import Wanted
from sdssflow.acquire.units import as_word

ASTROPY_HEADER = ".__table_column_meta__"
PYTABLES_INDEX = "_i_"
SIMPLE_PICKLE = re.compile(
    "MARK|(EMPTY_)?LIST|APPENDS?|(BIN|LONG_BIN)?PUT|MEMOIZE|PROTO|FRAME|STOP|(SHORT_)?(BIN)?UNICODE"
)
FILTERS = {
    307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp",
    32015: "zstd", 32026: "blosc2",
}  # fmt: skip
DEEPEST = 16  # links to links


class Stored(NamedTuple):
    """Where the values of a column are stored."""

    dataset: Any  # values, with rows along the first axis
    field: str | None = None  # of a compound dataset
    element: int | None = None  # column of a pandas block
    holder: Any = None  # group or dataset whose attributes describe this column alone
    vaex: Any = None  # group of a vaex column, with `mask`, `indices` and `null_bitmap`
    pandas: bool = False  # whether `nan` is a missing text


def tables(file: Any) -> dict[str, Any]:
    """Return all nodes that can be read as tables, by path; the root is ''."""
    return dict(_tables(file, "", {file}))


def _tables(group: Any, place: str, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    import h5py

    if _is_pandas(group) or _is_vaex(group):
        yield place, group
        return
    children = {
        name: child
        for name, child in _hard_links(group)
        if not name.endswith(ASTROPY_HEADER) and not name.startswith(PYTABLES_INDEX)
    }
    if any(isinstance(x, h5py.Dataset) and x.dtype.names is None for x in children.values()):
        yield place, group
    for name, child in children.items():
        below = f"{place}/{name}".lstrip("/")
        if isinstance(child, h5py.Dataset) and child.dtype.names is not None:
            yield below, child
        elif isinstance(child, h5py.Group) and child not in seen and below.count("/") < DEEPEST:
            yield from _tables(child, below, seen | {child})


def _hard_links(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield the members of a group, without soft and external links."""
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            yield name, group[name]


def chosen(path: str, file: Any, table: str | int | None) -> Any:
    """Return the node selected by `source.table`, or the only table of the file."""
    found = tables(file)
    named = ", ".join(place for place in found if place)
    if table is None:
        if "" in found:
            return file
        # without tables, follow links, or fail with the reason
        hard = dict(_hard_links(file))
        nodes = [*found.values()] or [follow(path, file, name) for name in file if name not in hard]
        if len(nodes) == 1:
            return nodes[0]
        raise CatalogueError(
            path,
            f"the file holds {len(found)} tables" if found else "the file holds no table",
            f"Set source.table to one of: {named}."
            if found
            else "Use the HDF5 file of a catalogue.",
        )
    node = follow(path, file, str(table))
    if node is None:
        raise CatalogueError(
            path,
            f"no table {table!r}{nearest(str(table), found)}",
            f"Set source.table to one of: {named}." if named else "Remove source.table.",
        )
    # pandas and vaex users name the group above or below
    inside = [place for place in found if place.startswith(f"{str(table).strip('/')}/")]
    if len(inside) == 1 and str(table).strip("/") not in found:
        return found[inside[0]]
    return node.parent if node.parent != node and _is_pandas(node.parent) else node


def columns_of(path: str, node: Any, table: str | int | None) -> dict[str, Stored]:
    """Return where each column of a table is stored; refuse nodes that are not tables."""
    import h5py

    if isinstance(node, h5py.Dataset):
        if node.dtype.names is None:
            above = node.parent.name.strip("/")
            raise CatalogueError(
                path,
                f"{node.name!r} is one array, not a table",
                f"Set source.table to {above!r}, whose datasets are the columns."
                if above
                else "Remove source.table: the datasets of the file are its columns.",
            )
        return {name: Stored(node, field=name) for name in node.dtype.names}
    if _is_pandas(node):
        return _of_pandas(path, node, as_word(node.attrs["pandas_type"]))
    if _is_vaex(node):
        return {
            name: Stored(node[name]["data"], holder=node[name], vaex=node[name]) for name in node
        }
    if "data" in node and node.name.startswith("/table/columns/"):  # one column of vaex
        raise CatalogueError(
            path,
            f"{node.name!r} is one column, not a table",
            "Remove source.table, or set it to table/columns.",
        )
    found = {}
    for name in node:
        if not name.endswith(ASTROPY_HEADER):
            link = node.get(name, getlink=True)
            child = node[name] if isinstance(link, h5py.HardLink) else None
            if child is None or isinstance(child, h5py.Dataset):
                found[name] = Stored(child, holder=child)
    return found


def _is_pandas(node: Any) -> bool:
    return "pandas_type" in node.attrs


def _is_vaex(group: Any) -> bool:
    import h5py

    inside = dict(_hard_links(group))
    return len(inside) == len(group) > 0 and all(
        isinstance(child, h5py.Group) and isinstance(child.get("data", getlink=True), h5py.HardLink)
        for child in inside.values()
    )


def _of_pandas(path: str, group: Any, kind: str) -> dict[str, Stored]:
    found = {}
    if kind == "frame_table":
        table = group["table"]
        for field in table.dtype.names:
            category = as_word(table.attrs.get(f"{field}_meta", "")) == "category"
            several = table.dtype[field].shape != ()
            for place, name in enumerate(_words(path, table, field)):
                element = place if several else None
                found[name] = Stored(None if category else table, field, element, pandas=True)
        return found
    if kind != "frame":
        raise _pandas(path, f"a {kind} of pandas, not a DataFrame")
    for k in range(int(group.attrs["nblocks"])):
        values, names = group[f"block{k}_values"], group[f"block{k}_items"]
        check_readable(Wanted(path, f"block{k}_items"), names)
        for place, name in enumerate(names[...]):
            # the values of a block of objects are pickles
            pickled = values.dtype.kind == "O"
            found[as_word(name)] = Stored(None if pickled else values, element=place)
    return found


def _words(path: str, table: Any, field: str) -> list[str]:
    """Return the columns in a field of a pandas table, from a pickled list of texts.

    The pickle is only parsed: anything but a list of texts is refused.
    """
    pickled = table.attrs.get(f"{field}_kind")
    if field == "index" or not isinstance(pickled, bytes) or not pickled.endswith(b"."):
        return [field]
    steps = list(pickletools.genops(pickled))
    if not all(SIMPLE_PICKLE.fullmatch(step.name) for step, *_ in steps):
        raise _pandas(path, f"the names of the columns in {field!r} are not plain texts")
    return [str(text) for step, text, _ in steps if "UNICODE" in step.name]


def _pandas(path: str, problem: str) -> CatalogueError:
    return CatalogueError(path, problem, "Export it as Parquet: DataFrame.to_parquet.")


def follow(path: str, node: Any, place: str, depth: int = 0) -> Any:
    """Return the node at `place` below `node`, or None.

    Links to other files, dangling links and cycles are errors.
    """
    import h5py

    for name in filter(None, place.split("/")):
        link = node.get(name, getlink=True) if isinstance(node, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise CatalogueError(
                path,
                f"{name!r} is a link to another file, {link.filename!r}",
                "Copy the table into one file: h5repack or h5copy, or set source.path to the other "
                "file.",
            )
        if isinstance(link, h5py.SoftLink):
            start = node.file if link.path.startswith("/") else node
            found = follow(path, start, link.path, depth + 1) if depth < DEEPEST else None
            if found is None:
                raise CatalogueError(
                    path,
                    f"{name!r} is a link to {link.path!r}, which does not exist or is a cycle",
                    "Write the file again with the values instead of the link.",
                )
            node = found
        elif isinstance(link, h5py.HardLink):
            node = node[name]
        else:
            return None
    return node


def check_readable(column: Wanted, dataset: Any) -> None:
    """Refuse a column with values in other files, unknown compression, or unwritten parts.

    No values are read.
    """
    if dataset.is_virtual or dataset.external:
        kind = "a virtual dataset" if dataset.is_virtual else "external raw storage"
        raise column.error(
            f"it is {kind}: its values are in other files",
            "Write the table again with its values in one file.",
        )
    _check_filters(column, dataset.id.get_create_plist())
    if dataset.size and not _is_written(dataset):
        fill = dataset.fillvalue
        if not (isinstance(fill, float | np.floating) and np.isnan(fill)):
            raise column.error(
                f"only some of its {dataset.size:,} values were written; the others would be "
                f"{as_word(fill)}",
                "Write the table again with its true length.",
            )


def _check_filters(column: Wanted, settings: Any) -> None:
    import h5py

    for k in range(settings.get_nfilters()):
        number, _, _, name = settings.get_filter(k)
        if not h5py.h5z.filter_avail(number):
            called = FILTERS.get(number) or name.decode("utf-8", "replace") or f"filter {number}"
            raise column.error(
                f"it is compressed by {called}, which this HDF5 library can't decompress",
                "Install it (.venv/bin/pip install hdf5plugin), or write the file again with gzip "
                "or without compression.",
            )


def _is_written(dataset: Any) -> bool:
    if dataset.chunks:
        chunks = math.prod(
            -(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True)
        )
        return dataset.id.get_num_chunks() >= chunks
    return dataset.id.get_storage_size() > 0
