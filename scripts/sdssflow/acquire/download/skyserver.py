"""SkyServer through astroquery: one question, one whole answer, within a time limit.

astroquery sends the query and knows the addresses of the releases. Three of its habits are kept
away: its cache (it stores answers before anything has looked at them, and replays a broken one for
a week), its parser (it takes a cut table for a whole one) and its patience (see
`sdssflow.acquire.download.wire`).
"""

from __future__ import annotations

import json
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
from sdssflow.acquire.download.wire import (
    Punctual,
    introduce,
    not_allowed,
    retry_after,
    unreachable,
)
from sdssflow.configuration.downloads import Downloads

OUR_MISTAKE = re.compile(
    r"incorrect syntax|invalid (column|object) name|could not be bound|conversion failed|"
    r"is not a recognized|permission was denied|must be a select statement|limit is +top|"
    r"maxQueryStringLength|does not translate",
    re.IGNORECASE,
)


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
        told = f"{where}: HTTP {code}: {said or one_line(response.reason, 100)}"
        if said and TOO_SLOW.search(said):
            raise TooMuchError(told, slow=True)
        wait = retry_after(response)
        if code == 504:  # a gateway gave up on a query that still ran
            raise TooMuchError(told, slow=True)
        if code in (429, 503) or (said and BUSY.search(said)):
            raise TransientError(told, retry_after_s=wait)
        if said and OUR_MISTAKE.search(said):
            raise DownloadError(
                told,
                "The server refuses the query: correct source.selection, source.columns or "
                "source.unchecked_sql, or take a release that has these columns.",
            )
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(told, not_allowed("source.server"))
        raise TransientError(told, retry_after_s=wait)


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
