"""Objects that stand twice in estimates, found by their objid in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

TWICE = "FROM read_parquet($1) WHERE objid IS NOT NULL GROUP BY objid HAVING count(*) > 1"


def repeats_within(table: str | Path, memory_mb: int = 200, threads: int = 1) -> str:
    """Say which objid of a table stands twice; '' if none does, or the table has no objid.

    Parameters
    ----------
    table : path-like
        Estimates of a partition.
    memory_mb, threads : int
        What DuckDB may take; what needs more memory it keeps on disk, beside the table.
    """
    if "objid" not in pq.read_schema(table).names:
        return ""
    with _connection(memory_mb, threads, Path(table).parent) as connection:
        number, least = connection.execute(
            f"SELECT count(*), min(objid) FROM (SELECT objid {TWICE})", [[str(table)]]
        ).fetchall()[0]
    if not number:
        return ""
    return (
        f"objid {least} stands twice ({number} objids do); give each object once, or take objid "
        "out of source.columns"
    )


def repeats_across(
    names: Sequence[str], tables: Sequence[str | Path], memory_mb: int, threads: int = 1
) -> dict[str, str]:
    """Say which partitions have an objid that an earlier one has too.

    Parameters
    ----------
    names, tables : sequence of str, of path-like
        Partitions and their estimates, in order; within each, ids are different.
    memory_mb, threads : int
        As for `repeats_within`.

    Returns
    -------
    dict of str to str
        What is repeated, by the name of the partition.
    """
    among = _overlapping(tables)
    if not among:
        return {}
    paths = [str(tables[place]) for place in among]
    with _connection(memory_mb, threads, Path(paths[0]).parent) as connection:
        connection.execute("CREATE TABLE files (filename VARCHAR, place INTEGER)")
        connection.executemany("INSERT INTO files VALUES (?, ?)", [*zip(paths, among, strict=True)])
        connection.execute(f"CREATE TABLE twice AS SELECT objid {TWICE}", [paths])
        found = connection.execute(
            "SELECT place, count(*), min(objid), min_by(first, objid) FROM ("
            " SELECT place, objid, min(place) OVER (PARTITION BY objid) AS first"
            " FROM read_parquet($1, filename = true) JOIN files USING (filename)"
            " SEMI JOIN twice USING (objid)"
            ") WHERE place > first GROUP BY place ORDER BY place",
            [paths],
        ).fetchall()
    return {
        names[place]: f"{number} of its objects stand in an earlier partition too (objid {least} "
        f"in {names[first]})"
        for place, number, least, first in found
    }


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
    """Return the places of tables whose range of objid meets that of another, by the footers."""
    ranges = []
    for place, path in enumerate(tables):
        about = pq.read_metadata(path)
        if "objid" not in about.schema.names:
            continue
        column = about.schema.names.index("objid")
        groups = (about.row_group(k).column(column) for k in range(about.num_row_groups))
        known = [its.statistics for its in groups if its.statistics and its.statistics.has_min_max]
        if known:
            ranges.append((min(its.min for its in known), max(its.max for its in known), place))
    found: set[int] = set()
    reached = None  # the highest id of the ranges so far, and whose it is
    for low, high, place in sorted(ranges):
        if reached and low <= reached[0]:
            found |= {reached[1], place}
        if not reached or high > reached[0]:
            reached = (high, place)
    return sorted(found)
