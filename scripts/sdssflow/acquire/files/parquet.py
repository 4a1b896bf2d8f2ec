"""Read the mapped columns of Parquet, a file or a folder of parts, into Arrow."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sdssflow.acquire.checks import one_array
from sdssflow.acquire.errors import REPAIR, CatalogueError
from sdssflow.acquire.files.columns import ALL_ROWS, FileColumns, Part, mapped_table, needed_columns
from sdssflow.acquire.files.containers import check_declared
from sdssflow.acquire.units import units_of_schema
from sdssflow.files import file_digest

PART_SUFFIXES = (".parquet", ".pq")
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def read_parquet(path: str, columns: dict[str, str]) -> pa.Table:
    """Read the mapped columns of a Parquet file or of a folder of parts; see `mapped_table`.

    Parts (``.parquet`` at any depth) are read in the order of their paths, with numbers in natural
    order. Folders named ``name=value`` become a text column. Missing parts and parts with different
    schemas are refused.
    """
    if not Path(path).is_dir():
        return _read_file(path, columns, {})
    tables: dict[str, pa.Table] = {}
    for part in part_paths(path):
        tables[part] = _read_file(part, columns, _partitions(path, part))
    _check_alike(path, tables)
    return pa.concat_tables(tables.values(), promote_options="default").combine_chunks()


def parquet_blocks(
    path: str, columns: dict[str, str], part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield first row and mapped columns of each block of a part of a file, in bounded memory.

    With `rows` = `ALL_ROWS`, the result of `read_parquet` is one block; also for a folder.
    """
    if rows == ALL_ROWS:
        yield 0, read_parquet(path, columns)
        return
    with _as_parquet(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        _refuse_listing(path, file)
        units = units_of_schema(file.schema_arrow)
        about = FileColumns(names=file.schema_arrow.names, read=str, unit=units.get)
        needed = needed_columns(path, columns, about)
        first, last = part.rows(file.metadata.num_rows)
        start = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if start + size > first and start < last:
                for batch in file.iter_batches(rows, row_groups=[group], columns=needed):
                    low, high = max(first - start, 0), min(last - start, batch.num_rows)
                    if high > low:
                        block = pa.Table.from_batches([batch.slice(low, high - low)])
                        found = replace(about, read=partial(_column_of, block))
                        yield start + low, mapped_table(path, columns, found)
                    start += batch.num_rows
            else:
                start += size


@contextmanager
def _as_parquet(path: str) -> Iterator[None]:
    """Convert errors of Arrow to a `CatalogueError`."""
    try:
        yield
    except CatalogueError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise CatalogueError(
            path, f"the file can't be read as Parquet ({error})", REPAIR
        ) from error


def _column_of(table: pa.Table, name: str) -> pa.Array:
    return one_array(table[name])


def arrow_blocks(
    path: str, columns: dict[str, str], part: Part, rows: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield the same for an Arrow file, converted to Parquet."""
    with _arrow_as_parquet(path) as parquet:
        yield from parquet_blocks(parquet, columns, part, rows)


@contextmanager
def _arrow_as_parquet(path: str) -> Iterator[str]:
    """Yield the path of a Parquet copy of an Arrow file; errors are about the original."""
    with tempfile.TemporaryDirectory() as folder:
        parquet = f"{folder}/{Path(path).name}"
        try:
            with (
                pa.memory_map(path) as file,
                pa.ipc.open_file(file) as found,
                pq.ParquetWriter(parquet, found.schema) as writer,
            ):
                for place in range(found.num_record_batches):
                    writer.write_batch(found.get_batch(place))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise CatalogueError(
                path,
                f"the file can't be read as Arrow ({error})",
                "It may be truncated; fetch it again or write it as Parquet.",
            ) from error
        try:
            yield parquet
        except CatalogueError as error:
            raise error.about(path) from error


def part_paths(folder: str) -> list[str]:
    """Return the parts of a folder in reading order.

    Names that begin with a dot or an underscore are ignored. A folder without parts, with other
    files, or with parts that differ from the list in its ``_metadata`` is refused.
    """
    root = Path(folder)
    inside = {file: file.relative_to(root) for file in root.rglob("*") if file.is_file()}
    seen = {
        file: place
        for file, place in inside.items()
        if not any(part.startswith((".", "_")) for part in place.parts)
    }
    parts = [file for file in seen if file.suffix.lower() in PART_SUFFIXES]
    if not parts:
        raise CatalogueError(
            folder,
            "the folder holds no Parquet file",
            "Set source.path to a file, or to a folder of .parquet files.",
        )
    others = sorted(str(place) for file, place in seen.items() if file not in parts)
    if others:
        raise CatalogueError(
            folder,
            f"the folder holds {others[0]!r}, which is not a .parquet file"
            + (f", and {len(others) - 1} more" if len(others) > 1 else ""),
            "If it is a part, finish writing it; else move it out of the folder.",
        )
    _check_listed(folder, {seen[file].as_posix() for file in parts})
    return [str(file) for file in sorted(parts, key=lambda file: _by_number(seen[file]))]


def folder_digest(folder: str) -> str:
    """Return a SHA-256 over the names and contents of a folder's parts."""
    lines = [
        f"{file_digest(part)}  {Path(part).relative_to(folder).as_posix()}\n"
        for part in part_paths(folder)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _by_number(place: PurePath) -> list[tuple[int, str]]:
    """Return a natural sort key: ``part.10`` after ``part.2``."""
    words = re.split(r"(\d+)", place.as_posix())
    return [(int(word), word) if word.isdigit() else (-1, word) for word in words]


def _check_listed(folder: str, there: set[str]) -> None:
    listing = Path(folder, "_metadata")
    if not listing.is_file():
        return
    try:
        about = pq.read_metadata(listing)
    except (pa.ArrowInvalid, OSError) as error:
        raise CatalogueError(
            str(listing), f"it can't be read as Parquet ({error})", REPAIR
        ) from error
    named = _files_named(about)
    if named and named != there:
        missing, more = sorted(named - there), sorted(there - named)
        which = f"{missing[0]!r}, which is missing" if missing else f"no {more[0]!r}"
        raise CatalogueError(
            folder,
            f"its _metadata lists {which}",
            "Fetch the folder again; if the parts are right, remove _metadata.",
        )


def _partitions(folder: str, part: str) -> dict[str, str | None]:
    """Return the columns encoded in the names of a part's folders (Hive partitioning)."""
    pairs = [
        place.split("=", 1) for place in Path(part).relative_to(folder).parts[:-1] if "=" in place
    ]
    return {
        unquote(name): None if value == NO_PARTITION else unquote(value) for name, value in pairs
    }


def _check_alike(path: str, tables: Mapping[str, pa.Table]) -> None:
    """Refuse parts whose columns differ in type or unit; the null type matches any."""
    first, *rest = tables
    for part in rest:
        for one, other in zip(tables[first].schema, tables[part].schema, strict=True):
            kinds = {one.type, other.type} - {pa.null()}
            if len(kinds) > 1 or one.metadata != other.metadata:
                stated = [
                    " in ".join(
                        [str(kind.type), *(v.decode() for v in (kind.metadata or {}).values())]
                    )
                    for kind in (one, other)
                ]
                raise CatalogueError(
                    path,
                    f"its parts differ: {Path(first).relative_to(path)} has {stated[0]}, "
                    f"{Path(part).relative_to(path)} has {stated[1]}",
                    "Write the parts again with one schema.",
                    column=one.name,
                )


def _read_file(path: str, columns: dict[str, str], partitions: dict[str, str | None]) -> pa.Table:
    with _as_parquet(path):
        # few files have page checksums
        file = pq.ParquetFile(path, page_checksum_verification=True)
        _refuse_listing(path, file)
        schema = file.schema_arrow
        units = units_of_schema(schema)
        found = FileColumns(
            names=[*schema.names, *partitions],
            read=lambda name: _values(path, file, name, partitions),
            unit=units.get,
            declared=lambda name: _least_bytes(file, name, partitions),
            stored=Path(path).stat().st_size,
        )
        return mapped_table(path, columns, found)


def _refuse_listing(path: str, file: pq.ParquetFile) -> None:
    """Refuse a _metadata file, which only describes the parts."""
    if named := _files_named(file.metadata):
        raise CatalogueError(
            path,
            f"its rows are in other files, such as {sorted(named)[0]!r}",
            "Set source.path to the folder.",
        )


def _files_named(about: pq.FileMetaData) -> set[str]:
    """Return the other files to which a footer assigns row groups."""
    groups = range(about.num_row_groups) if about.num_columns else ()
    return {about.row_group(i).column(0).file_path for i in groups} - {""}


def _values(
    path: str, file: pq.ParquetFile, name: str, partitions: dict[str, str | None]
) -> pa.Array:
    rows, stored = file.metadata.num_rows, Path(path).stat().st_size
    if name in partitions:
        return pa.array([partitions[name]] * rows, pa.string())
    kind = file.schema_arrow.field(name).type
    if _is_bytes(kind):  # a long text stored once may be repeated in every row
        file = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=[name])
    # not nested or dotted columns with the same beginning
    column = file.read(columns=[name])[name]
    if not pa.types.is_dictionary(column.type):
        return one_array(column)
    values = one_array(column.unify_dictionaries())
    if _is_bytes(values.type.value_type):
        lengths = pc.binary_length(values.dictionary).cast(pa.int64())
        check_declared(path, pc.sum(lengths.take(values.indices)).as_py() or 0, stored)
    return values.dictionary_decode()


def _least_bytes(file: pq.ParquetFile, name: str, partitions: dict[str, str | None]) -> int:
    """Return a lower limit for the size of a column in bytes, from the footer."""
    about = file.metadata
    declared = about.num_rows * (1 + len(partitions.get(name) or ""))
    for i in range(about.num_row_groups):
        group = about.row_group(i)
        for j in range(group.num_columns):
            column = group.column(j)
            if column.path_in_schema == name or column.path_in_schema.startswith(f"{name}."):
                width = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}.get(column.physical_type, 8)
                declared += column.num_values * width
    return declared


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    kinds = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(is_kind(kind) for is_kind in kinds)
