"""SkyServer through astroquery: one question, one whole answer, within a time limit.

astroquery sends the query and knows the addresses of the releases. Three of its habits are kept
away: its cache (it stores answers before anything has looked at them, and replays a broken one for
a week), its parser (it takes a cut table for a whole one) and its patience (a time-out of requests
is for each read, so a server that drips can hold a job for ever).
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from sdssflow import __version__
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.configuration.run import Downloads

CONNECT_TIMEOUT_S = 20.0
READ_BYTES = 1 << 16
MOST_BYTES = 256 * 2**20  # 100,000 rows are 36 MB; whatever is far beyond that is no table of ours
OUR_MISTAKE = re.compile(
    r"incorrect syntax|invalid (column|object) name|could not be bound|conversion failed|"
    r"is not a recognized|permission was denied|must be a select statement|limit is +top|"
    r"maxQueryStringLength|does not translate",
    re.IGNORECASE,
)
TOO_SLOW = re.compile(r"time-?out|timeout expired|execution timeout", re.IGNORECASE)
BUSY = re.compile(r"maximum.{0,40}quer|too many|throttl|per minute", re.IGNORECASE)


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
    """

    def __init__(self, server: str, release: int, network: Downloads) -> None:
        from astroquery.sdss import SDSSClass, conf

        self.server = server
        self.release = release
        self.network = network
        conf.skyserver_baseurl = server  # read at each call
        self._client = SDSSClass()
        session = self._client._session
        # astroquery writes each answer out, wrapped and indented, for a log level nobody has on
        session.hooks["response"].clear()
        introduce(session, server, network, Punctual(network.deadline_s))

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
        try:
            response = self._client.query_sql_async(
                sql,
                timeout=(CONNECT_TIMEOUT_S, self.network.timeout_s),
                data_release=self.release,
                cache=False,
            )
        except requests.exceptions.RequestException as error:
            # the chain of urllib3 below it is long, and says no more than the message
            raise unreachable(self.server, self.network, error, "source.server") from None
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
            raise TransientError(f"{where}: an answer of type {kind}, not a CSV")
        if code == 200 and said is None:
            return
        told = f"{where}: HTTP {code}: {said or response.reason}"
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
            raise DownloadError(told, "Correct source.server, or ask its operators.")
        raise TransientError(told, retry_after_s=wait)


def introduce(
    session: requests.Session, server: str, network: Downloads, adapter: HTTPAdapter
) -> None:
    """Let a session speak to a server through an adapter, and say who asks."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    # a proxy of the site does not know what 127.0.0.1 means to us
    session.trust_env = urlsplit(server).hostname not in ("127.0.0.1", "localhost")
    contact = f"; {network.contact}" if network.contact else ""
    session.headers["User-Agent"] = (
        f"sdssflow/{__version__} (verified bulk query{contact}) {session.headers['User-Agent']}"
    )


class Punctual(HTTPAdapter):
    """An adapter that reads the whole body itself, so that a deadline covers all of it.

    Parameters
    ----------
    deadline_s : float
        Most seconds between sending a request and its last byte.
    """

    def __init__(self, deadline_s: float) -> None:
        super().__init__()
        self.deadline_s = deadline_s

    def send(self, request: Any, stream: bool = False, **others: Any) -> requests.Response:
        """Send a request and read its body; arguments and errors are those of requests."""
        # not the time of day: that one jumps
        end = time.monotonic() + self.deadline_s
        response = super().send(request, stream=True, **others)
        parts, size = [], 0
        try:
            while part := response.raw.read1(READ_BYTES, decode_content=True):
                parts.append(part)
                size += len(part)
                if time.monotonic() > end:
                    raise requests.exceptions.ConnectionError(
                        f"no whole answer within {self.deadline_s:g} s", request=request
                    )
                if size > MOST_BYTES:
                    raise TooMuchError(f"an answer of more than {MOST_BYTES >> 20} MiB")
        except requests.exceptions.RequestException:
            raise
        except DownloadError:
            raise
        except Exception as error:
            # urllib3 and http.client each have their own family of errors for a broken body
            if "timed out" in str(error).lower():
                raise requests.exceptions.ReadTimeout(error, request=request) from error
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        finally:
            response.raw.close()
        response._content = b"".join(parts)
        response._content_consumed = True
        return response


def unreachable(
    server: str,
    network: Downloads,
    error: requests.exceptions.RequestException,
    setting: str,
) -> DownloadError:
    """Return the error for a request without an answer; `setting` names the server's address."""
    if isinstance(error, requests.exceptions.ReadTimeout):
        return SilenceError(f"{server} was silent for {network.timeout_s:g} s")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DownloadError(f"{server} is no address", f"Correct {setting}.")
    reason = re.sub(r"<[^>]*object at 0x[0-9a-f]+>|with url: \S+ ", "", str(error)).strip(" ,:")
    return TransientError(
        f"{server} can't be reached, or the connection broke ({reason[:300]})",
        f"Check {setting} and the network (compute nodes often have none: downloads are "
        "meant to run on the submit host), then run again; what is complete is kept.",
    )


def error_text(response: requests.Response) -> str | None:
    """Return what a server says is wrong; None if the answer looks like a table.

    SkyServer says it in three ways: JSON with ErrorMessage (status 400 or 500), a CSV whose only
    column is ``error_message`` (status 200), and HTML.
    """
    head = response.content[:4000].decode("utf-8", "replace").lstrip()
    if head.startswith("{"):
        try:
            content = json.loads(response.content)
            return str(content.get("ErrorMessage") or content)[:500]
        except (ValueError, AttributeError):
            return head[:300]
    lines = head.splitlines()
    body = lines[1:] if lines and lines[0].startswith("#") else lines
    if body and body[0].strip().lower() == "error_message":
        return " ".join(body[1:])[:500]
    if head.startswith("<"):
        return "HTML: " + " ".join(re.sub(r"<[^>]*>", " ", head).split())[:300]
    return None if response.status_code == 200 else head[:300] or None


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds that a Retry-After header asks to wait; None if there is none.

    The header holds seconds, or a date (RFC 9110, 10.2.3), which is compared with the server's own
    clock if it sends one: ours may be wrong.
    """
    from email.utils import parsedate_to_datetime

    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        asked = parsedate_to_datetime(value)
        now = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (asked - now).total_seconds())
    except (TypeError, ValueError):
        return None
