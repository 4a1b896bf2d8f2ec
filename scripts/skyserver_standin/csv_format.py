"""Rows as .NET writes them: the text of SkyServer's CSV answers.

`real` has 7 and `float` 15 significant digits (`ToString()` of .NET Framework), NULL is empty, and
a text is quoted only for a comma; quotes inside stay as they are. Numbers are formatted by DuckDB,
vectorised. Its printf rounds exact halves to even where .NET rounds them away from zero, so those
are found and moved by one bit first.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa

ROWS_PER_PIECE = 8192
SIGNIFICANT_DIGITS = {"FLOAT": 7, "DOUBLE": 15}
# a half of the last digit is a multiple of 2^-bits: 5^k has to divide a number of so many digits
_HALF_BITS = {"FLOAT": 11, "DOUBLE": 22}


def csv_pieces(
    table: pa.Table, names: list[str], connection: duckdb.DuckDBPyConnection
) -> Iterator[bytes]:
    """Yield the CSV answer for a finished result.

    Parameters
    ----------
    table : pyarrow.Table
        The rows.
    names : list of str
        The header, as it is to be written.
    connection : duckdb.DuckDBPyConnection
        Formats the rows; nobody else may use it meanwhile.

    Yields
    ------
    bytes
        `#Table1`, the header, then some thousand rows at a time.
    """
    yield ("#Table1\n" + ",".join(names) + "\n").encode()
    if table.num_rows == 0:
        return
    connection.register("answer", table)
    kinds = [str(kind) for kind in connection.table("answer").types]
    fields = (
        text_of(f'"{name}"', kind) for name, kind in zip(table.column_names, kinds, strict=True)
    )
    line = ", ',', ".join(fields)
    rows = connection.sql(f"SELECT concat({line}, chr(10)) AS line FROM answer")
    for batch in rows.to_arrow_reader(ROWS_PER_PIECE):
        yield text_bytes(batch.column(0))
    connection.unregister("answer")


def text_of(column: str, kind: str) -> str:
    """DuckDB SQL of the text of a column of type `kind`; NULL stays NULL.

    Examples
    --------
    >>> text_of('"c0"', "INTEGER")
    'CAST("c0" AS VARCHAR)'
    """
    if kind in SIGNIFICANT_DIGITS:
        return _text_of_number(column, kind)
    if kind == "VARCHAR":
        quoted = f"contains({column}, ',') AND NOT starts_with({column}, '\"')"
        return f"CASE WHEN {quoted} THEN concat('\"', {column}, '\"') ELSE {column} END"
    return f"CAST({column} AS VARCHAR)"


def _text_of_number(column: str, kind: str) -> str:
    digits, bits = SIGNIFICANT_DIGITS[kind], _HALF_BITS[kind]
    x = f"CAST({column} AS DOUBLE)"
    # cheap test first: hardly any measured number has so few binary places
    maybe_half = f"{x} * {2**bits} = trunc({x} * {2**bits})"
    place = f"({digits - 1} - floor(log10(abs({x}))))"  # 10^-place is the last digit
    half = (
        f"CASE WHEN {place} >= 0 THEN fmod(abs({x}) * pow(2, {place} + 1), 2) = 1 "
        f"ELSE fmod(abs({x}), pow(10, -{place})) = pow(10, -{place}) / 2 END"
    )
    return (
        f"CASE WHEN NOT ({maybe_half}) THEN printf('%.{digits}G', {x}) "
        f"WHEN {x} = 0 THEN '0' WHEN isnan({x}) THEN 'NaN' "
        f"WHEN isinf({x}) THEN replace(CAST({x} AS VARCHAR), 'inf', 'Infinity') "
        f"WHEN {half} THEN printf('%.{digits}G', nextafter({x}, {x} * 2)) "
        f"ELSE printf('%.{digits}G', {x}) END"
    )


def text_bytes(column: pa.Array) -> memoryview:
    """Return the characters of a text column without NULLs, one after the other."""
    large = pa.types.is_large_string(column.type)
    offsets = memoryview(column.buffers()[1]).cast("q" if large else "i")
    first, last = offsets[column.offset], offsets[column.offset + len(column)]
    return memoryview(column.buffers()[2])[first:last]
