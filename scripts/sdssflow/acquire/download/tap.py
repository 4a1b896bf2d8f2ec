"""A TAP service through pyvo: one question, one whole answer, within a time limit.

pyvo sends the query; the bytes of the answer are kept as they came and read from there, so that
what was verified can be read again without asking. Its own `run_sync` warns of a cut answer and
goes on, sends no MAXREC unless told to (services then cut at a number of their own, often 20,000)
and waits for ever.
"""

from __future__ import annotations

import re
from typing import Any

import requests

from sdssflow.acquire.download.errors import DownloadError, TooMuchError, TransientError
from sdssflow.acquire.download.skyserver import (
    BUSY,
    CONNECT_TIMEOUT_S,
    TOO_SLOW,
    Punctual,
    introduce,
    retry_after,
    unreachable,
)
from sdssflow.acquire.download.votable import refused
from sdssflow.configuration.run import Downloads

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
    """

    def __init__(self, url: str, most_rows: int, network: Downloads) -> None:
        from pyvo.dal import TAPService

        session = requests.Session()
        introduce(session, url, network, _Impatient(network))
        self.url = url
        self.network = network
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
        query = self._service.create_query(adql, maxrec=self._most_rows, responseformat="votable")
        try:
            response = query.submit()
        except requests.exceptions.RequestException as error:
            raise unreachable(self.url, self.network, error, "source.url") from error
        self._check_status(response)
        return response.content

    def _check_status(self, response: requests.Response) -> None:
        """Raise the error that an HTTP status, or the error in the body, stands for."""
        code, said = response.status_code, error_text(response)
        if code == 200 and said is None:
            return
        told = f"{self.url}: HTTP {code}: {said or response.reason}"
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
            raise DownloadError(told, "Correct source.url, or ask its operators.")
        raise TransientError(told, retry_after_s=retry_after(response))


class _Impatient(Punctual):
    """An adapter that also sets the time limits: pyvo sends its requests without."""

    def __init__(self, network: Downloads) -> None:
        super().__init__(network.deadline_s)
        self._timeout = (CONNECT_TIMEOUT_S, network.timeout_s)

    def send(self, request: Any, *, timeout: Any = None, **others: Any) -> requests.Response:
        return super().send(request, timeout=timeout or self._timeout, **others)


def error_text(response: requests.Response) -> str | None:
    """Return what a VOTable, or a page with an error status, says is wrong; None if nothing.

    TAP puts errors into a VOTable, with a status of 200, 400 or 500 as each service likes.
    """
    from pyvo.dal import DALFormatError, DALQueryError
    from pyvo.dal.tap import TAPResults

    from sdssflow.acquire.download.votable import document

    content = response.content
    if b"ERROR" in content[:4000]:
        try:
            TAPResults(document(content))
        except DALQueryError as error:
            return " ".join(str(error.reason).split())[:500]
        except (DALFormatError, TransientError):
            pass
    if response.status_code == 200 or is_votable(content):
        return None
    text = re.sub(r"<[^>]*>", " ", content[:2000].decode("utf-8", "replace"))
    return " ".join(text.split())[:300] or None


def is_votable(content: bytes) -> bool:
    """Tell whether a body begins as a VOTable does."""
    return b"VOTABLE" in content[:1000]
