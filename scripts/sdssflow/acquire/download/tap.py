"""A TAP service through pyvo: one question, one whole answer, within a time limit.

pyvo sends the query; the bytes of the answer are kept as they came and read from there, so that
what was verified can be read again without asking. Its own `run_sync` warns of a cut answer and
goes on, sends no MAXREC unless told to (services then cut at a number of their own, often 20,000)
and waits for ever.
"""

from __future__ import annotations

import re

import requests

from sdssflow.acquire.download.clock import CLOCK, Clock
from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.acquire.download.votable import look_through, refused
from sdssflow.acquire.download.wire import (
    Punctual,
    introduce,
    not_allowed,
    retry_after,
    unreachable,
)
from sdssflow.configuration.downloads import Downloads

# what a service says of a query that no repetition heals, whatever status it says it with
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
        told = f"{self.url}: HTTP {code}: {said or one_line(response.reason, 100)}"
        if code == 504 or (said and TOO_SLOW.search(said)):
            raise TooMuchError(told, slow=True)
        if code in (429, 503) or (said and BUSY.search(said)):
            raise TransientError(told, retry_after_s=retry_after(response))
        if code == 404 and not is_votable(response.content):
            raise DownloadError(
                f"{self.url}: HTTP 404, there is no TAP service",
                "Correct source.url: it ends before /sync.",
            )
        if said and (code in (200, 400) or OUR_MISTAKE.search(said)):
            raise refused(f"{said} ({self.url}, HTTP {code})")
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(told, not_allowed("source.url"))
        raise TransientError(told, retry_after_s=retry_after(response))


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
            return None  # told by who reads the rows
    if response.status_code == 200 or is_votable(content):
        return None
    text = re.sub(r"<[^>]*>", " ", content[:2000].decode("utf-8", "replace"))
    return one_line(text, 300) or None


def is_votable(content: bytes) -> bool:
    """Tell whether a body begins as a VOTable does."""
    return b"VOTABLE" in content[:1000]
