"""Whether the bytes of an answer are a whole CSV table of SkyServer, and which one.

Everything here is a reason not to believe an answer: a lost last line, a line too many, a word
among numbers, a page where a table should be. Each is a TransientError, since asking again may heal
it. What can't be seen in the bytes (rows that are missing) is for `verification`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sdssflow.acquire.download.errors import TransientError

TABLE_MARK = b"#Table1"


def check_bytes(body: bytes, headers: list[str]) -> None:
    """Refuse a body that is not one whole table with the expected columns.

    Parameters
    ----------
    body : bytes
        As the server sent it.
    headers : list of str
        Expected names of the columns, in order. Upper and lower case count as equal: whether
        SkyServer repeats a name as typed or as the table has it says nothing about the rows.

    Raises
    ------
    TransientError
        If the mark of the table, the header or the last line's end is missing.
    """
    if not body:
        raise TransientError("an empty answer")
    # an answer of 100,000 rows has 36 MB: nothing here copies it
    mark, header = [*body[:100_000].split(b"\n", 2), b"", b""][:2]
    if mark.rstrip(b"\r") != TABLE_MARK:
        raise TransientError(
            f"the answer begins with {_shown(mark)}, not with {_shown(TABLE_MARK)}"
        )
    found = header.rstrip(b"\r").decode("utf-8", "replace").split(",")
    if [name.lower() for name in found] != [name.lower() for name in headers]:
        raise TransientError(
            f"the columns of the answer are {_shown(header)}, expected {','.join(headers)}"
        )
    end = len(mark) + 1 + len(header)  # of the header, without its line end
    if len(body) == end or not body.endswith(b"\n"):
        raise TransientError(f"the answer breaks off in its last line: {_shown(body[-80:])}")
    if (at := body.find(b"\0")) >= 0:
        raise TransientError(f"a byte of value 0 among the rows: {_shown(body[max(0, at - 40) :])}")


def parse(body: bytes, headers: list[str], types: dict[str, pa.DataType]) -> pa.Table:
    """Read a checked body with types that don't depend on what stands in it.

    Parameters
    ----------
    body : bytes
        One that `check_bytes` let through.
    headers : list of str
        Names of the columns, which the table will have.
    types : dict of str to pyarrow.DataType
        Type of each column. Only an empty cell is null: not ``null``, not ``NaN``.

    Raises
    ------
    TransientError
        At a cell that does not fit its type, or a row of another length.
    """
    start = body.index(b"\n") + 1
    start = body.index(b"\n", start) + 1
    if not pa.types.is_integer(types[headers[0]]):
        _check_lines(body, start)  # else such a line is no number, and refused for that
    if start == len(body):
        return pa.table({name: pa.array([], types[name]) for name in headers})
    try:
        table = pacsv.read_csv(
            pa.BufferReader(pa.py_buffer(body).slice(start)),
            read_options=pacsv.ReadOptions(
                column_names=headers, block_size=1 << 20, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=False, double_quote=False),
            convert_options=pacsv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError) as error:
        _check_lines(body, start)
        raise TransientError(f"a row that can't be read: {str(error)[:300]}") from error
    for name, column in zip(headers, table.columns, strict=True):
        # SQL Server has neither, but a parser of CSV takes the words for numbers
        if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
            raise TransientError(f"a value in {name} that is no finite number")
    return table


def _check_lines(body: bytes, start: int) -> None:
    """Refuse lines that begin as no row does."""
    for sign, what in ((b"#", "a comment or a second table"), (b"<", "a piece of HTML or XML")):
        at = body.find(b"\n" + sign, start - 1)
        if at >= 0:
            raise TransientError(f"{what} among the rows: {_shown(body[at : at + 100].strip())}")


def _shown(text: bytes) -> str:
    return repr(text[:100].decode("utf-8", "replace"))
