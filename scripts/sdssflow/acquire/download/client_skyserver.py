"""Query SkyServer through astroquery: one query, one complete answer, within a time limit.

astroquery sends the query and knows the addresses of the releases. Three of its features are
avoided: its cache (it stores answers unchecked, and returns a damaged one for a week), its parser
(it accepts truncated tables) and its time-outs (see `sdssflow.acquire.download.transport`).
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import requests

from sdssflow.acquire.download.errors import DownloadError, TransientError, one_line
from sdssflow.acquire.download.keys import KEYS
from sdssflow.acquire.download.sql import MOST_ROWS, Queries
from sdssflow.acquire.download.transport import CLOCK, Clock, Server
from sdssflow.acquire.download.verify import Language
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource

OUR_MISTAKE = re.compile(
    r"incorrect syntax|invalid (column|object) name|could not be bound|conversion failed|"
    r"is not a recognized|permission was denied|must be a select statement|limit is +top|"
    r"maxQueryStringLength|does not translate",
    re.IGNORECASE,
)
TABLE_MARK = b"#Table1"


class SkyServer(Server):
    """One release of a SkyServer; `server` is its address without the release."""

    def __init__(self, server: str, release: int, network: Downloads, clock: Clock = CLOCK) -> None:
        from astroquery.sdss import SDSSClass, conf

        self.release = release
        conf.skyserver_baseurl = server  # read at each call
        self._client = SDSSClass()
        session = self._client._session
        # astroquery formats each answer for a log level that is off
        session.hooks["response"].clear()
        super().__init__(server, "source.server", session, network, clock)
        self.place = f"{server}, release {release}"

    def send(self, query: str) -> requests.Response:
        """See `Server`."""
        return self._client.query_sql_async(query, data_release=self.release, cache=False)

    def said(self, response: requests.Response) -> str | None:
        """See `Server`.

        SkyServer reports errors in three ways: JSON with ErrorMessage (status 400 or 500), a CSV
        whose only column is ``error_message`` (status 200), and HTML.
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
        if response.status_code != 200:
            return one_line(head, 300) or None
        kind = response.headers.get("Content-Type", "")
        if re.search("html|json|xml", kind):
            raise TransientError(f"{self.place}: an answer of type {one_line(kind, 60)}, not CSV")
        return None

    def mistake(self, response: requests.Response, said: str, message: str) -> DownloadError | None:
        """See `Server`."""
        if response.status_code == 404:
            return DownloadError(
                f"{self.place}: HTTP 404, there is no such page",
                "Correct source.release or source.server: has SkyServer this release?",
            )
        if OUR_MISTAKE.search(said):
            return DownloadError(
                message,
                "The server refuses the query: correct source.selection, source.columns or "
                "source.unchecked_sql, or use a release that has these columns.",
            )
        return None


def check_bytes(body: bytes, headers: list[str]) -> None:
    """Refuse a body that is not one complete table with the expected columns in order.

    Case is ignored: SkyServer may repeat a column name as in the query or as in the table.
    """
    if not body:
        raise TransientError("an empty answer")
    # avoid copies: an answer of 100,000 rows has 36 MB
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
    end = len(mark) + 1 + len(header)  # of the header, without line end
    if len(body) == end or not body.endswith(b"\n"):
        raise TransientError(f"the answer is truncated in its last line: {_shown(body[-80:])}")
    if (at := body.find(b"\0")) >= 0:
        raise TransientError(f"a NUL byte among the rows: {_shown(body[max(0, at - 40) :])}")


def parse(body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    """Parse a body that passed `check_bytes`, with the given column types.

    Only empty cells are null, not ``null`` or ``NaN``. TransientError for a cell that does not fit
    its type, and a row of a different length.
    """
    headers = list(types)
    start = body.index(b"\n") + 1
    start = body.index(b"\n", start) + 1
    if not pa.types.is_integer(types[headers[0]]):
        _check_lines(body, start)  # integer columns refuse such lines anyway
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
        # SQL Server has no NaN and infinity, but the CSV parser accepts the words
        if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
            raise TransientError(f"a value in {name} is not finite")
    return table


def _check_lines(body: bytes, start: int) -> None:
    """Refuse lines that begin unlike any row."""
    for sign, what in ((b"#", "a comment or a second table"), (b"<", "a piece of HTML or XML")):
        at = body.find(b"\n" + sign, start - 1)
        if at >= 0:
            raise TransientError(f"{what} among the rows: {_shown(body[at : at + 100].strip())}")


def _shown(text: bytes) -> str:
    return repr(text[:100].decode("utf-8", "replace"))


class SkyServerLanguage(Language):
    """SkyServer: T-SQL and CSV, with specObjID as unsigned 64-bit integer."""

    most_rows = MOST_ROWS

    def __init__(self, source: SkyServerSource) -> None:
        self.queries = Queries(source)
        self.names = source.names
        key = KEYS[source.rows]
        self.key, self.key_name, self.complete = key.column, key.name, key.complete
        self.groups, self.whole, self.usual = key.groups, key.whole, key.usual
        self.shifts, self.narrow_shift = key.shifts, key.narrow

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        check_bytes(body, list(types))
        return parse(body, types)
