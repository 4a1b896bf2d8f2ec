"""SkyServer through astroquery: one question, one whole answer, within a time limit.

astroquery sends the query and knows the addresses of the releases. Three of its habits are kept
away: its cache (it stores answers before anything has looked at them, and replays a broken one for
a week), its parser (it takes a cut table for a whole one) and its time limits (see
`sdssflow.acquire.download.transport`).
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import requests

from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.acquire.download.ranges import PLATE_SHIFT, Range
from sdssflow.acquire.download.sql import MOST_ROWS, Queries
from sdssflow.acquire.download.transport import (
    CLOCK,
    Clock,
    Punctual,
    introduce,
    not_allowed,
    retry_after,
    unreachable,
)
from sdssflow.acquire.download.verify import Tally, check_keys
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource

OUR_MISTAKE = re.compile(
    r"incorrect syntax|invalid (column|object) name|could not be bound|conversion failed|"
    r"is not a recognized|permission was denied|must be a select statement|limit is +top|"
    r"maxQueryStringLength|does not translate",
    re.IGNORECASE,
)
TABLE_MARK = b"#Table1"


class SkyServer:
    """A SkyServer of one release.

    Parameters
    ----------
    server : str
        Address without the part of the release.
    release : int
        Data release.
    network : Downloads
        Time limits and contact address.
    clock : Clock, optional
        By which time limits go.
    """

    def __init__(self, server: str, release: int, network: Downloads, clock: Clock = CLOCK) -> None:
        from astroquery.sdss import SDSSClass, conf

        self.server = server
        self.release = release
        conf.skyserver_baseurl = server  # read at each call
        self._client = SDSSClass()
        session = self._client._session
        # astroquery writes each answer out, wrapped and indented, for a log level nobody has on
        session.hooks["response"].clear()
        self._adapter = Punctual(server, "source.server", network, clock)
        introduce(session, self._adapter, network)

    def ask(self, sql: str) -> bytes:
        """Send one query, once, and return the body of a CSV answer, unread.

        Parameters
        ----------
        sql : str
            One line.

        Raises
        ------
        TransientError
            If it may go better next time.
        TooMuchError
            If the server ran out of time, or the answer is too large.
        DownloadError
            If asking again can't help: a mistake in the query, an unknown release.
        """
        self._adapter.limits.begin()
        try:
            response = self._client.query_sql_async(sql, data_release=self.release, cache=False)
        except requests.exceptions.RequestException as error:
            # the chain of urllib3 below it is long, and says no more than the message
            raise unreachable(self.server, error, "source.server") from None
        self._check_status(response)
        return response.content

    def _check_status(self, response: requests.Response) -> None:
        """Raise the error that an HTTP status, or an error in the body, stands for."""
        code = response.status_code
        said = error_text(response)
        where = f"{self.server}, release {self.release}"
        if code == 404:
            raise DownloadError(
                f"{where}: HTTP 404, there is no such page",
                "Correct source.release or source.server: has SkyServer this release?",
            )
        kind = response.headers.get("Content-Type", "")
        if code == 200 and said is None and re.search("html|json|xml", kind):
            raise TransientError(f"{where}: an answer of type {one_line(kind, 60)}, not a CSV")
        if code == 200 and said is None:
            return
        message = f"{where}: HTTP {code}: {said or one_line(response.reason, 100)}"
        if said and TOO_SLOW.search(said):
            raise TooMuchError(message, slow=True)
        wait = retry_after(response)
        if code == 504:  # a gateway gave up on a query that still ran
            raise TooMuchError(message, slow=True)
        if code in (429, 503) or (said and BUSY.search(said)):
            raise TransientError(message, retry_after_s=wait)
        if said and OUR_MISTAKE.search(said):
            raise DownloadError(
                message,
                "The server refuses the query: correct source.selection, source.columns or "
                "source.unchecked_sql, or take a release that has these columns.",
            )
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(message, not_allowed("source.server"))
        raise TransientError(message, retry_after_s=wait)


def error_text(response: requests.Response) -> str | None:
    """Return what a server says is wrong; None if the answer looks like a table.

    SkyServer says it in three ways: JSON with ErrorMessage (status 400 or 500), a CSV whose only
    column is ``error_message`` (status 200), and HTML.
    """
    head = response.content[:4000].decode("utf-8", "replace").lstrip()
    if head.startswith("{"):
        try:
            content = json.loads(response.content)
            return one_line(content.get("ErrorMessage") or content)
        except (ValueError, RecursionError):
            return one_line(head, 300)
    lines = head.splitlines()
    body = lines[1:] if lines and lines[0].startswith("#") else lines
    if body and body[0].strip().lower() == "error_message":
        return one_line(" ".join(body[1:]))
    if head.startswith("<"):
        return "HTML: " + one_line(re.sub(r"<[^>]*>", " ", head), 300)
    return None if response.status_code == 200 else one_line(head, 300) or None


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


class SkyServerLanguage:
    """SkyServer: T-SQL and CSV.

    Parameters
    ----------
    source : SkyServerSource
        The sample's source.
    """

    key, key_name, by_plate, narrow_shift = "specobjid", "specObjID", True, PLATE_SHIFT
    most_rows = MOST_ROWS
    count_types = {
        "n": pa.int64(),
        # specObjID is numeric(20) on the server: beyond 2^63 for plates from 8192 on
        "lo": pa.uint64(),
        "hi": pa.uint64(),
        "h1": pa.int64(),
        "h2": pa.int64(),
    }

    def __init__(self, source: SkyServerSource) -> None:
        self.queries = Queries(source)
        self.names = source.columns

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        check_bytes(body, list(types))
        return parse(body, list(types), types)

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """See `Language`."""
        check_keys(table, within)

    def tally(self, table: pa.Table) -> Tally:
        """See `Language`."""
        return Tally.of(table)

    def in_order(self, table: pa.Table) -> pa.Table:
        """See `Language`: the answer came in order, or it would not have passed."""
        return table
