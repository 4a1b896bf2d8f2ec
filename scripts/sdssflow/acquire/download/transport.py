"""Send requests, and read answers within limits of time and size, and only from the given host.

The time-out of the requests library applies to each read, so that a slow server can block a job
indefinitely; and the library follows any redirect. Answers are therefore read through `Punctual`,
with one deadline per answer and restricted redirects.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from sdssflow import __version__
from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.configuration.downloads import Downloads

CONNECT_TIMEOUT_S = 20.0
READ_BYTES = 1 << 16
MOST_BYTES = 256 * 2**20  # 100,000 rows have 36 MB; anything far larger is not a table of ours
MOST_HEAD_BYTES = 1 << 20
MOST_REDIRECTS = 5
LOOK_S = 1e-3
LOCAL = ("127.0.0.1", "localhost")


class Clock:
    """Monotonic time of this machine."""

    tick_s = 1.0  # longest wait for a server between two looks at the clock

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


CLOCK = Clock()


class Limits:
    """Limits of one answer in seconds and bytes."""

    def __init__(
        self, server: str, network: Downloads, clock: Clock, most_bytes: int | None = None
    ) -> None:
        self._server = server
        self._network = network
        self._clock = clock
        self._most_bytes = most_bytes or MOST_BYTES
        self.tick_s = clock.tick_s
        self.begin()

    def begin(self) -> None:
        """Start the clock, when a query is sent."""
        self._heard = self._clock.monotonic()
        self._end = self._heard + self._network.deadline_s
        self._bytes, self.in_head = 0, False

    def rest_s(self) -> float:
        """Return the remaining seconds until the time-out; error after the deadline."""
        now = self._clock.monotonic()
        if now >= self._end:
            raise TransientError(
                f"{self._server} sent no complete answer within {self._network.deadline_s:g} s"
            )
        return min(self._heard + self._network.timeout_s, self._end) - now

    def silence(self) -> SilenceError:
        """Return the error for a time-out."""
        return SilenceError(f"{self._server} was silent for {self._network.timeout_s:g} s")

    def heard(self, size: int) -> None:
        """Count received bytes; error if headers or answer are too long."""
        self._heard = self._clock.monotonic()
        self._bytes += size
        if self.in_head and self._bytes > MOST_HEAD_BYTES:
            raise TransientError(
                f"{self._server} sent more than {MOST_HEAD_BYTES >> 20} MiB of headers"
            )
        self.check_size(self._bytes)

    def check_size(self, size: int) -> None:
        """Refuse an answer that is longer than any of our tables."""
        if size > self._most_bytes:
            raise TooMuchError(f"an answer of more than {self._most_bytes >> 20} MiB")


class _Reader(io.RawIOBase):
    """Reads from a connection within limits."""

    def __init__(self, connection: socket.socket, held: io.IOBase, limits: Limits) -> None:
        self._connection = connection
        self._held = held  # keeps the connection open after http.client has released it
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            rest = self._limits.rest_s()
            # poll at least once: data may have arrived while this process was suspended
            self._connection.settimeout(min(max(rest, LOOK_S), self._limits.tick_s))
            try:
                size = self._connection.recv_into(buffer)
            except TimeoutError:
                if rest <= 0:
                    raise self._limits.silence() from None
                continue
            self._limits.heard(size)
            return size

    def close(self) -> None:
        self._held.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response whose status line, headers and body are read within limits."""

    def __init__(self, connection: socket.socket, *, limits: Limits, **others: Any) -> None:
        super().__init__(connection, **others)
        self._limits = limits
        self.fp = io.BufferedReader(_Reader(connection, self.fp, limits))

    def begin(self) -> None:
        self._limits.in_head = True
        super().begin()
        self._limits.in_head = False


class Punctual(HTTPAdapter):
    """An adapter that reads complete answers itself, so that limits apply to all of each.

    `setting` is the configuration key with the address of the server.
    """

    def __init__(
        self,
        server: str,
        setting: str,
        network: Downloads,
        clock: Clock,
        most_bytes: int | None = None,
    ) -> None:
        super().__init__()
        self.server, self.setting = server, setting
        self.limits = Limits(server, network, clock, most_bytes)

    def get_connection_with_tls_context(self, *args: Any, **others: Any) -> Any:
        """Return a connection pool whose connections read within our limits."""
        pool = super().get_connection_with_tls_context(*args, **others)
        if not isinstance(getattr(pool.ConnectionCls, "response_class", None), partial):
            reading = {"response_class": partial(_Response, limits=self.limits)}
            pool.ConnectionCls = type("PunctualConnection", (pool.ConnectionCls,), reading)
        return pool

    def send(  # type: ignore[override]  # arguments of requests
        self, request: Any, stream: bool = False, **others: Any
    ) -> requests.Response:
        """Send a request and read its answer; arguments and errors are those of requests.

        DownloadError if a limit is exceeded, or for a redirect to another host.
        """
        # the second is for sending only: reading has our limits
        others["timeout"] = (CONNECT_TIMEOUT_S, CONNECT_TIMEOUT_S)
        response = super().send(request, stream=True, **others)
        try:
            if response.is_redirect:
                self.check_redirect(request, response)
            response._content = self.body(response)
        except (requests.exceptions.RequestException, DownloadError):
            raise
        except Exception as error:
            # urllib3 and http.client have their own errors for a broken body
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        finally:
            response.raw.close()
        response._content_consumed = True
        return response

    def body(self, response: requests.Response) -> bytes:
        """Return the decompressed body of an answer."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise TransientError(
                f"{self.server} sent an answer in the encoding {one_line(encoding, 40)!r}, which "
                "was not requested"
            )
        parts, size = [], 0
        while part := response.raw.read1(READ_BYTES, decode_content=True):
            parts.append(part)
            size += len(part)
            self.limits.check_size(size)
        return b"".join(parts)

    def check_redirect(self, request: Any, response: requests.Response) -> None:
        """Refuse redirects to another host or from https to http."""
        asked, target = request.url, response.headers["Location"]
        try:
            target = urljoin(asked, target)
            old, new = urlsplit(asked), urlsplit(target)
            port = _port(new)
        except ValueError:
            new = port = None
        if port and old.hostname == new.hostname:
            if (old.scheme, _port(old)) == (new.scheme, port):
                return
            # upgrade to https; but a query in the body would be lost
            if (old.scheme, new.scheme) == ("http", "https") and not request.body:
                return
        raise DownloadError(
            f"{without_secrets(asked.split('?')[0])} redirects to "
            f"{one_line(without_secrets(target.split('?')[0]), 200)}, which is not followed: it is "
            "another host, port or protocol",
            f"If that is the right server, set {self.setting} to its address.",
        )


def _port(parts: Any) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def prepare(session: requests.Session, url: str, adapter: Punctual, network: Downloads) -> None:
    """Attach an adapter to a session, and set its User-Agent."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    session.max_redirects = MOST_REDIRECTS
    # a proxy can't reach our 127.0.0.1
    session.trust_env = urlsplit(url).hostname not in LOCAL
    contact = f"; {network.contact}" if network.contact else ""
    session.headers["User-Agent"] = (
        f"sdssflow/{__version__} (verified bulk query{contact}) {session.headers['User-Agent']}"
    )


class Server(ABC):
    """A server that answers one query at a time, completely or not at all.

    Its `session` is set up to read within the limits of `network`; `setting` is the configuration
    key with the address, for messages.
    """

    def __init__(
        self, url: str, setting: str, session: requests.Session, network: Downloads, clock: Clock
    ) -> None:
        self.url, self._setting = url, setting
        self.place = url  # for messages
        self._adapter = Punctual(url, setting, network, clock)
        prepare(session, url, self._adapter, network)
        session.headers["Accept-Encoding"] = "gzip, deflate"

    @abstractmethod
    def send(self, query: str) -> requests.Response:
        """Send a query; errors are those of requests."""

    @abstractmethod
    def said(self, response: requests.Response) -> str | None:
        """Return the error message in an answer; None if it looks like a table."""

    @abstractmethod
    def mistake(self, response: requests.Response, said: str, message: str) -> DownloadError | None:
        """Return the error for an answer for which a retry is useless, or None."""

    def ask(self, query: str) -> bytes:
        """Send one query, once, and return the unparsed body of the answer.

        Raises
        ------
        TransientError
            If a retry may succeed.
        TooMuchError
            If the server ran out of time, or the answer is too large.
        DownloadError
            If a retry is useless: an invalid query, no such server.
        """
        self._adapter.limits.begin()
        try:
            response = self.send(query)
        except requests.exceptions.RequestException as error:
            # the long chain of urllib3 adds nothing to the message
            raise unreachable(self.url, error, self._setting) from None
        code, said = response.status_code, self.said(response)
        if code == 200 and said is None:
            return response.content
        said = said or ""
        message = f"{self.place}: HTTP {code}: {said or one_line(response.reason, 100)}"
        # 504: a gateway timed out on a running query
        if code == 504 or TOO_SLOW.search(said):
            raise TooMuchError(message, slow=True)
        if code in (429, 503) or BUSY.search(said):
            raise TransientError(message, retry_after_s=retry_after(response))
        if mistake := self.mistake(response, said, message):
            raise mistake
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(
                message,
                f"Correct {self._setting}, or ask its operators. Name and password, if required, "
                "belong in ~/.netrc: machine HOST login NAME password PASSWORD.",
            )
        raise TransientError(message, retry_after_s=retry_after(response))


def unreachable(
    server: str, error: requests.exceptions.RequestException, setting: str
) -> DownloadError:
    """Return the error for a request without an answer; `setting` is the address's key."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return DownloadError(
            f"{server} redirects more than {MOST_REDIRECTS} times", f"Correct {setting}."
        )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DownloadError(f"{server} is not a valid URL", f"Correct {setting}.")
    reason = re.sub(r"<[^>]*object at 0x[0-9a-f]+>|with url: \S+ ", "", str(error)).strip(" ,:")
    reason = one_line(without_secrets(reason), 300)
    if failed := re.search(r"certificate verify failed: ([^('\"]*)", str(error)):
        return DownloadError(
            f"{server} has no valid certificate ({one_line(failed[1], 200)}); nothing was sent",
            f"Check {setting} and the clock of this machine. If your site has its own certificate "
            "authority, set the environment variable REQUESTS_CA_BUNDLE to its file.",
        )
    return TransientError(
        f"{server} can't be reached, or the connection broke ({reason})",
        f"Check {setting} and the network (compute nodes often have none: downloads are "
        "meant to run on the submit host), then run again; what is complete is kept.",
    )


def without_secrets(text: str) -> str:
    """Remove user names and passwords from URLs in a text."""
    return re.sub(r"//[^/\s'\"]*@", "//", text)


def retry_after(response: requests.Response) -> float | None:
    """Return the wait in a Retry-After header in seconds; None if there is no valid one.

    The header has seconds, or a date (RFC 9110, 10.2.3), which is compared with the server's clock
    if stated, since ours may be wrong. The largest of several numbers counts; dates in the past are
    a wait of zero.
    """
    from email.utils import parsedate_to_datetime

    value = response.headers.get("Retry-After", "")[:100]
    numbers = [word.strip() for word in value.split(",")]
    if all(re.fullmatch(r"[0-9]+(\.[0-9]*)?", number) for number in numbers):
        return max(map(float, numbers))
    try:
        asked = parsedate_to_datetime(value)
        date = response.headers.get("Date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (asked - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
