"""How requests go out and answers come in: in time, in bounds, and from nobody else.

The time-out of requests is for each read, so a server that drips, in the body or in a header, can
hold a job without end; and requests follows a server wherever it points. So answers are read
through `Punctual`, which knows one deadline for all of an answer, and the hosts it may come from.
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
MOST_BYTES = 256 * 2**20  # 100,000 rows are 36 MB; whatever is far beyond that is no table of ours
MOST_HEAD_BYTES = 1 << 20
MOST_REDIRECTS = 5
LOOK_S = 1e-3
LOCAL = ("127.0.0.1", "localhost")


class Clock:
    """Time as it passes on this machine: not the time of day, which jumps."""

    tick_s = 1.0  # who waits for a server looks at the clock at least this often

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


CLOCK = Clock()


class Limits:
    """What one answer of a server may take, in seconds and bytes."""

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
        """Start the clock: the question is sent now."""
        self._heard = self._clock.monotonic()
        self._end = self._heard + self._network.deadline_s
        self._bytes, self.in_head = 0, False

    def rest_s(self) -> float:
        """Return how much longer the server may be silent; sending for too long is an error."""
        now = self._clock.monotonic()
        if now >= self._end:
            raise TransientError(
                f"{self._server} sent no whole answer within {self._network.deadline_s:g} s"
            )
        return min(self._heard + self._network.timeout_s, self._end) - now

    def silence(self) -> SilenceError:
        """Return the error for a server that was silent for too long."""
        return SilenceError(f"{self._server} was silent for {self._network.timeout_s:g} s")

    def heard(self, size: int) -> None:
        """Note that bytes came; more than an answer, or its headers, may have are an error."""
        self._heard = self._clock.monotonic()
        self._bytes += size
        if self.in_head and self._bytes > MOST_HEAD_BYTES:
            raise TransientError(
                f"{self._server} sent {MOST_HEAD_BYTES >> 20} MiB of headers without end"
            )
        self.check_size(self._bytes)

    def check_size(self, size: int) -> None:
        """Refuse an answer of more bytes than what we ask for can have."""
        if size > self._most_bytes:
            raise TooMuchError(f"an answer of more than {self._most_bytes >> 20} MiB")


class _Reader(io.RawIOBase):
    """The bytes of a connection, within limits."""

    def __init__(self, connection: socket.socket, held: io.IOBase, limits: Limits) -> None:
        self._connection = connection
        self._held = held  # keeps the connection open after http.client has let go of it
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            rest = self._limits.rest_s()
            # at least a look: what came while we were held up is no silence
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
    """A response whose status line, headers and body are all read within limits."""

    def __init__(self, connection: socket.socket, *, limits: Limits, **others: Any) -> None:
        super().__init__(connection, **others)
        self._limits = limits
        self.fp = io.BufferedReader(_Reader(connection, self.fp, limits))

    def begin(self) -> None:
        self._limits.in_head = True
        super().begin()
        self._limits.in_head = False


class Punctual(HTTPAdapter):
    """An adapter that reads the whole answer itself, so that its limits cover all of it.

    `setting` is the key of the configuration that has the address of the server.
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

    def send(  # type: ignore[override]  # what the others are is up to requests
        self, request: Any, stream: bool = False, **others: Any
    ) -> requests.Response:
        """Send a request and read its answer; arguments and errors are those of requests.

        A limit that is passed, and an answer that points to another host, is a `DownloadError`.
        """
        # the second is for sending alone: reading has our limits
        others["timeout"] = (CONNECT_TIMEOUT_S, CONNECT_TIMEOUT_S)
        response = super().send(request, stream=True, **others)
        try:
            if response.is_redirect:
                self.check_redirect(request, response)
            response._content = self.body(response)
        except (requests.exceptions.RequestException, DownloadError):
            raise
        except Exception as error:
            # urllib3 and http.client each have their own family of errors for a broken body
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        finally:
            response.raw.close()
        response._content_consumed = True
        return response

    def body(self, response: requests.Response) -> bytes:
        """Return the body of an answer, unpacked if the server packed it on the way."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise TransientError(
                f"{self.server} sent an answer in the encoding {one_line(encoding, 40)!r}, which "
                "was not asked for"
            )
        parts, size = [], 0
        while part := response.raw.read1(READ_BYTES, decode_content=True):
            parts.append(part)
            size += len(part)
            self.limits.check_size(size)
        return b"".join(parts)

    def check_redirect(self, request: Any, response: requests.Response) -> None:
        """Refuse to be led to another host, or out of the encryption."""
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
            # into the encryption; but a question in the body would be lost on the way
            if (old.scheme, new.scheme) == ("http", "https") and not request.body:
                return
        raise DownloadError(
            f"{without_secrets(asked.split('?')[0])} sends us on to "
            f"{one_line(without_secrets(target.split('?')[0]), 200)}: another host, port or "
            "protocol, which is not followed",
            f"If that is the right server, write its address into {self.setting}.",
        )


def _port(parts: Any) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def prepare(session: requests.Session, url: str, adapter: Punctual, network: Downloads) -> None:
    """Let a session ask a server through an adapter, and say who asks."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    session.max_redirects = MOST_REDIRECTS
    # a proxy of the site does not know what 127.0.0.1 means to us
    session.trust_env = urlsplit(url).hostname not in LOCAL
    contact = f"; {network.contact}" if network.contact else ""
    session.headers["User-Agent"] = (
        f"sdssflow/{__version__} (verified bulk query{contact}) {session.headers['User-Agent']}"
    )


class Server(ABC):
    """A server that is asked one question at a time, and answers it as a whole or not at all.

    Its `session` is made to read within the limits of `network` and to say who asks; `setting` is
    the key of the configuration that has the address, for advice.
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
        """Return what an answer says is wrong; None if it looks like a table."""

    @abstractmethod
    def mistake(self, response: requests.Response, said: str, message: str) -> DownloadError | None:
        """Return the error of an answer that says that asking again can't help."""

    def ask(self, query: str) -> bytes:
        """Send one query, once, and return the body of the answer, unread.

        Raises
        ------
        TransientError
            If it may go better next time.
        TooMuchError
            If the server ran out of time, or the answer is too large.
        DownloadError
            If asking again can't help: a mistake in the query, no such server.
        """
        self._adapter.limits.begin()
        try:
            response = self.send(query)
        except requests.exceptions.RequestException as error:
            # the chain of urllib3 below it is long, and says no more than the message
            raise unreachable(self.url, error, self._setting) from None
        code, said = response.status_code, self.said(response)
        if code == 200 and said is None:
            return response.content
        said = said or ""
        message = f"{self.place}: HTTP {code}: {said or one_line(response.reason, 100)}"
        # 504: a gateway gave up on a query that still ran
        if code == 504 or TOO_SLOW.search(said):
            raise TooMuchError(message, slow=True)
        if code in (429, 503) or BUSY.search(said):
            raise TransientError(message, retry_after_s=retry_after(response))
        if mistake := self.mistake(response, said, message):
            raise mistake
        if code in (400, 401, 403, 405, 414):
            raise DownloadError(
                message,
                f"Correct {self._setting}, or ask its operators. Name and password, if it wants "
                "them, belong into ~/.netrc: machine HOST login NAME password PASSWORD.",
            )
        raise TransientError(message, retry_after_s=retry_after(response))


def unreachable(
    server: str, error: requests.exceptions.RequestException, setting: str
) -> DownloadError:
    """Return the error for a request without an answer; `setting` names the server's address."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return DownloadError(
            f"{server} sends us on more than {MOST_REDIRECTS} times", f"Correct {setting}."
        )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DownloadError(f"{server} is no address", f"Correct {setting}.")
    reason = re.sub(r"<[^>]*object at 0x[0-9a-f]+>|with url: \S+ ", "", str(error)).strip(" ,:")
    reason = one_line(without_secrets(reason), 300)
    if failed := re.search(r"certificate verify failed: ([^('\"]*)", str(error)):
        return DownloadError(
            f"{server} can't prove who it is ({one_line(failed[1], 200)}); nothing was asked",
            f"Check {setting} and the clock of this machine. If your site has a certificate "
            "authority of its own, name its file in the environment variable REQUESTS_CA_BUNDLE.",
        )
    return TransientError(
        f"{server} can't be reached, or the connection broke ({reason})",
        f"Check {setting} and the network (compute nodes often have none: downloads are "
        "meant to run on the submit host), then run again; what is complete is kept.",
    )


def without_secrets(text: str) -> str:
    """Remove names and passwords from addresses in a text."""
    return re.sub(r"//[^/\s'\"]*@", "//", text)


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds that a Retry-After header asks to wait; None if there is none.

    The header holds seconds, or a date (RFC 9110, 10.2.3), which is compared with the server's own
    clock if it sends one: ours may be wrong. Of several numbers the largest counts, a date that is
    over asks for no wait, and what is neither is as good as none.
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
