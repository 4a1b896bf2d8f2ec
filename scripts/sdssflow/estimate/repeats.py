"""Repeated objects in estimates, found by their objid in bounded memory."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

TWICE = "FROM read_parquet($1) WHERE objid IS NOT NULL GROUP BY objid HAVING count(*) > 1"


def repeats_within(table: str | Path, memory_mb: int = 200, threads: int = 1) -> str:
    """Return a message with a repeated objid; '' if there is none, or the table has no objid.

    Parameters
    ----------
    table : path-like
        Estimates of a partition.
    memory_mb, threads : int
        Limits of DuckDB; beyond this memory it uses disk, in the folder of the table.
    """
    if "objid" not in pq.read_schema(table).names:
        return ""
    with _connection(memory_mb, threads, Path(table).parent) as connection:
        number, least = connection.execute(
            f"SELECT count(*), min(objid) FROM (SELECT objid {TWICE})", [[_verbatim(table)]]
        ).fetchall()[0]
    if not number:
        return ""
    return (
        f"objid {least} is repeated, as are {number} in all; remove the repetitions, or objid from "
        "source.columns"
    )


def repeats_across(
    names: Sequence[str], tables: Sequence[str | Path], memory_mb: int, threads: int = 1
) -> dict[str, str]:
    """Find the partitions with an objid that an earlier one has as well.

    Parameters
    ----------
    names, tables : sequence of str, of path-like
        Partitions and their estimates, in order; within each, ids are unique.
    memory_mb, threads : int
        As for `repeats_within`.

    Returns
    -------
    dict of str to str
        Messages by the name of the partition.
    """
    overlapping = _overlapping(tables)
    if not overlapping:
        return {}
    paths = [str(tables[number]) for number in overlapping]
    with _connection(memory_mb, threads, Path(paths[0]).parent) as connection:
        connection.execute("CREATE TABLE files (filename VARCHAR, number INTEGER)")
        rows = [*zip(paths, overlapping, strict=True)]
        connection.executemany("INSERT INTO files VALUES (?, ?)", rows)
        verbatim = [_verbatim(path) for path in paths]
        connection.execute(f"CREATE TABLE twice AS SELECT objid {TWICE}", [verbatim])
        found = connection.execute(
            "SELECT number, count(*), min(objid), min_by(first, objid) FROM ("
            " SELECT number, objid, min(number) OVER (PARTITION BY objid) AS first"
            " FROM read_parquet($1, filename = true) JOIN files USING (filename)"
            " SEMI JOIN twice USING (objid)"
            ") WHERE number > first GROUP BY number ORDER BY number",
            [verbatim],
        ).fetchall()
    return {
        names[number]: f"{count} of its objects are in an earlier partition as well (objid {least} "
        f"in {names[first]})"
        for number, count, least, first in found
    }


def _verbatim(path: str | Path) -> str:
    """Return a path for DuckDB, which reads brackets, question marks and stars as a pattern."""
    return glob.escape(str(path))


def _connection(memory_mb: int, threads: int, scratch: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(scratch / ".repeats"),
            "preserve_insertion_order": False,
        }
    )


def _overlapping(tables: Sequence[str | Path]) -> list[int]:
    """Return the indices of tables whose range of objid, from the footers, overlaps another's."""
    ranges = []
    for number, path in enumerate(tables):
        about = pq.read_metadata(path)
        if "objid" not in about.schema.names:
            continue
        column = about.schema.names.index("objid")
        groups = (about.row_group(k).column(column).statistics for k in range(about.num_row_groups))
        known = [group for group in groups if group and group.has_min_max]
        if known:
            lowest, highest = min(group.min for group in known), max(group.max for group in known)
            ranges.append((lowest, highest, number))
    found: set[int] = set()
    last = None  # the highest id so far, and its table
    for lowest, highest, number in sorted(ranges):
        if last and lowest <= last[0]:
            found |= {last[1], number}
        if not last or highest > last[0]:
            last = (highest, number)
    return sorted(found)
