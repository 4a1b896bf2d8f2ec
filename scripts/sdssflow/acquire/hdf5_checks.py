"""That the values of an HDF5 dataset are in the file, can be unpacked, and were ever written.

HDF5 lets a file point out of itself in four ways: links, virtual datasets, raw storage and
compressions that are loaded as plug-ins. A catalogue made of such a file would depend on another
one that no digest covers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.metadata_units import as_word

FILTERS = {
    307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp",
    32015: "zstd", 32026: "blosc2",
}  # fmt: skip
DEEPEST = 16  # links to links


def follow(path: str, node: Any, place: str, depth: int = 0) -> Any:
    """Return what stands at `place` below `node`, or None; only within the file.

    Raises
    ------
    CatalogueError
        For a link to another file, and soft links that lead nowhere or in a circle.
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
                    f"{name!r} is a link to {link.path!r}, which leads nowhere or in a circle",
                    "Write the file again with the values in place of the link.",
                )
            node = found
        elif isinstance(link, h5py.HardLink):
            node = node[name]
        else:
            return None
    return node


def check_readable(path: str, name: str, dataset: Any) -> None:
    """Refuse a dataset whose values are elsewhere, in an unknown compression, or never written.

    Parameters
    ----------
    path, name : str
        File and column, for messages.
    dataset : h5py.Dataset
        The dataset; none of its values is read.
    """
    if dataset.is_virtual or dataset.external:
        kind = "a virtual dataset" if dataset.is_virtual else "kept as raw storage"
        raise CatalogueError(
            path,
            f"it is {kind}: its values lie in other files",
            "Write the table again with its values in one file.",
            column=name,
        )
    _check_filters(path, name, dataset.id.get_create_plist())
    if dataset.size and not _is_written(dataset) and not _is_nan(dataset.fillvalue):
        raise CatalogueError(
            path,
            f"only a part of its {dataset.size:,} values was ever written; the others would be "
            f"{as_word(dataset.fillvalue)}",
            "Write the table again, as long as it is.",
            column=name,
        )


def _check_filters(path: str, name: str, settings: Any) -> None:
    import h5py

    for k in range(settings.get_nfilters()):
        number, _, _, told = settings.get_filter(k)
        if not h5py.h5z.filter_avail(number):
            called = FILTERS.get(number) or told.decode("utf-8", "replace") or f"filter {number}"
            raise CatalogueError(
                path,
                f"it is compressed by {called}, which the HDF5 library here does not have",
                "Install it (.venv/bin/pip install hdf5plugin), or write the file again with gzip "
                "or without compression.",
                column=name,
            )


def _is_written(dataset: Any) -> bool:
    if dataset.chunks:
        chunks = math.prod(
            -(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True)
        )
        return dataset.id.get_num_chunks() >= chunks
    return dataset.id.get_storage_size() > 0


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
