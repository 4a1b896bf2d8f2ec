"""A TAP service through pyvo: one question, one whole answer, within a time limit.

pyvo sends the query; the bytes of the answer are kept as they came and read from there, so that
what was verified can be read again without asking. Its own `run_sync` warns of a cut answer and
goes on, sends no MAXREC unless asked to (services then cut at a number of their own, often 20,000)
and waits without end.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import requests

from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.acquire.download.ranges import FIBER_SHIFT, PLATE_SHIFT, Range
from sdssflow.acquire.download.sql import HASH_PRIME, AdqlQueries
from sdssflow.acquire.download.tap_answers import look_through, parse_votable, refused
from sdssflow.acquire.download.transport import (
    CLOCK,
    Clock,
    Punctual,
    introduce,
    not_allowed,
    retry_after,
    unreachable,
)
from sdssflow.acquire.download.verify import Tally, refuse
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import TapSource

# what a service says of a query that can't go better next time, whatever status it says it with
OUR_MISTAKE = re.compile(
    r"does not exist|not found|unknown|undefined|no such|unresolved|syntax|parse|incorrect|invalid|"
    r"encountered|ambiguous|permission denied|not allowed|is not supported",
    re.IGNORECASE,
)


class TapServer:
    """A TAP service.

    Parameters
    ----------
    url : str
        Its address, without ``/sync``.
    most_rows : int
        MAXREC: most rows of an answer.
    network : Downloads
        Time limits and contact address.
    clock : Clock, optional
        By which time limits go.
    """

    def __init__(self, url: str, most_rows: int, network: Downloads, clock: Clock = CLOCK) -> None:
        from pyvo.dal import TAPService

        session = requests.Session()
        self._adapter = Punctual(url, "source.url", network, clock)
        introduce(session, self._adapter, network)
        self.url = url
        self._most_rows = most_rows
        self._service = TAPService(url, session=session)

    def ask(self, adql: str) -> bytes:
        """Send one query, once, and return the VOTable as it came, unread.

        Raises
        ------
        TransientError
            If asking again may help: the connection broke, the service is busy.
        TooMuchError
            If the query takes the service too long.
        DownloadError
            If nothing but a change can help: a mistake in the query, no such service.
        """
        self._adapter.limits.begin()
        query = self._service.create_query(adql, maxrec=self._most_rows, responseformat="votable")
        try:
            response = query.submit()
        except requests.exceptions.RequestException as error:
            raise unreachable(self.url, error, "source.url") from None
        self._check_status(response)
        return response.content

    def _check_status(self, response: requests.Response) -> None:
        """Raise the error that an HTTP status, or the error in the body, stands for."""
        code, said = response.status_code, error_text(response)
        if code == 200 and said is None:
            return
        message = f"{self.url}: HTTP {code}: {said or one_line(response.reason, 100)}"
        if code == 504 or (said and TOO_SLOW.search(said)):
            raise TooMuchError(message, slow=True)
        if code in (429, 503) or (said and BUSY.search(said)):
            raise TransientError(message, retry_after_s=retry_after(response))
        if code == 404 and not is_votable(response.content):
            raise DownloadError(
                f"{self.url}: HTTP 404, there is no TAP service",
                "Correct source.url: it ends before /sync.",
            )
        if said and (code in (200, 400) or OUR_MISTAKE.search(said)):
            raise refused(f"{said} ({self.url}, HTTP {code})")
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(message, not_allowed("source.url"))
        raise TransientError(message, retry_after_s=retry_after(response))


def error_text(response: requests.Response) -> str | None:
    """Return what a VOTable, or a page with an error status, says is wrong; None if nothing.

    TAP puts errors into a VOTable, with a status of 200, 400 or 500 as each service likes.
    """
    content = response.content
    # an error behind the rows of a good answer is seen when they are read
    if is_votable(content) and (response.status_code != 200 or b"ERROR" in content[:4000]):
        try:
            return look_through(content).error()
        except DownloadError:
            return None  # an error of who reads the rows
    if response.status_code == 200 or is_votable(content):
        return None
    text = re.sub(r"<[^>]*>", " ", content[:2000].decode("utf-8", "replace"))
    return one_line(text, 300) or None


def is_votable(content: bytes) -> bool:
    """Tell whether a body begins as a VOTable does."""
    return b"VOTABLE" in content[:1000]


class TapLanguage:
    """A TAP service: ADQL and VOTable.

    Parameters
    ----------
    source : TapSource
        The sample's source.
    """

    def __init__(self, source: TapSource) -> None:
        self.queries = AdqlQueries(source)
        self.names = self.queries.names
        self.key = self.queries.key
        self.key_name = source.columns[self.key]
        self.by_plate = self.queries.by_plate
        # of other keys nothing is known
        self.narrow_shift = PLATE_SHIFT if self.key == "specobjid" else 10
        # ranges with more rows are not asked for
        self.most_rows = source.rows_per_query + 1
        self._signed = source.signed_key
        ends = pa.int64() if self._signed else pa.uint64()
        sums = {"h1": pa.int64(), "h2": pa.int64()}
        self.count_types = {"n": pa.int64(), "lo": ends, "hi": ends, **sums}

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        return parse_votable(body, types, self.most_rows)

    def check_keys(self, table: pa.Table, within: Range) -> None:
        """See `Language`; plate and fibre are checked where the mapping has them."""
        column = table[self.key]
        refuse(table, column.is_null().to_numpy(), "it has no key", self.key)
        if table.num_rows == 0:
            return
        ids = self._unsigned(table)
        order = np.argsort(ids, kind="stable")
        again = np.zeros(len(ids), dtype=bool)
        again[order[1:]] = ids[order[1:]] == ids[order[:-1]]
        refuse(table, again, "this key stands there twice", self.key)
        low, last = np.uint64(within.low), np.uint64(within.high - 1)
        refuse(table, (ids < low) | (ids > last), "outside the range asked for", self.key)
        if self.key != "specobjid":
            return
        for name, shift, mask in (("plate", PLATE_SHIFT, -1), ("fiberid", FIBER_SHIFT, 0xFFF)):
            if name in table.column_names:
                inside = (ids >> np.uint64(shift)).astype(np.int64) & mask
                said = table[name].fill_null(-1).to_numpy()
                refuse(table, inside != said, f"its {name} is not that of its specobjid", self.key)

    def tally(self, table: pa.Table) -> Tally:
        """See `Language`; signed as in the service's database, where remainders can be negative."""
        if table.num_rows == 0:
            return Tally(0, None, None, None, None)
        keys = self._unsigned(table).view(np.int64 if self._signed else np.uint64)
        other = table[self.queries.other]
        objects = other.drop_null().to_numpy() if self.queries.other != self.key else keys
        return Tally(
            table.num_rows,
            int(keys.min()),
            int(keys.max()),
            _remainders(keys),
            _remainders(objects) if len(objects) else None,
        )

    def in_order(self, table: pa.Table) -> pa.Table:
        """See `Language`; signed keys would come in another order, so none is asked for."""
        order = pa.array(np.argsort(self._unsigned(table), kind="stable"))
        return pc.take(table, order).combine_chunks()

    def _unsigned(self, table: pa.Table) -> np.ndarray:
        keys = table[self.key].to_numpy()
        return keys if keys.dtype == np.uint64 else keys.astype(np.int64).view(np.uint64)


def _remainders(values: np.ndarray) -> int:
    """Return the sum of remainders with the sign of the number divided, as SQL has them."""
    # wide first: a plate number is kept in 32 bits, which can't hold the sum
    wide = values if values.dtype.itemsize == 8 else values.astype(np.int64)
    return int(np.fmod(wide, wide.dtype.type(HASH_PRIME)).astype(np.int64).sum())
