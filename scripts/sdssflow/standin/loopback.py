"""An HTTP server on 127.0.0.1: one thread a request, every exchange in a log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from sdssflow.standin.answers import Answer, Application, Middleware, Request, error_json

BROKEN_OFF = 0


@dataclass
class Exchange:
    """One request in the log.

    Attributes
    ----------
    time : float
        When it came, in seconds since the epoch.
    request : Request
        What was asked.
    status : int or None
        Status of the answer; None while it is under way, 0 if the client or a fault broke it off.
    seconds : float or None
        From the request to the last byte of the answer.
    """

    time: float
    request: Request
    status: int | None = None
    seconds: float | None = None

    @property
    def sql(self) -> str:
        """The query that was asked."""
        return self.request.sql


class LoopbackServer:
    """Serves an application on 127.0.0.1 while its `with` block lasts.

    Parameters
    ----------
    application : callable
        Makes an `Answer` of a `Request`.
    port : int
        0 takes a free one.
    middleware : callable, optional
        Called as ``middleware(request, application)`` in place of ``application(request)``.
    """

    def __init__(
        self, application: Application, port: int = 0, middleware: Middleware | None = None
    ) -> None:
        self.log: list[Exchange] = []
        self._application = application
        self._middleware = middleware
        self._server = _Server(("127.0.0.1", port), _handler_class(self))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if self._middleware is None:
            return self._application(request)
        return self._middleware(request, self._application)

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back; requests under way are left alone."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that went away is no news."""


def _handler_class(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            exchange = Exchange(time.time(), self._request(body))
            started = time.monotonic()
            server.log.append(exchange)
            status = BROKEN_OFF
            try:
                answer = self._try(exchange.request)
                answer.send(self)
                self.wfile.flush()
                status = answer.status
            except OSError:
                self.close_connection = True
            finally:
                exchange.status, exchange.seconds = status, time.monotonic() - started

        def _try(self, request: Request) -> Answer:
            try:
                return server.answer(request)
            except Exception as error:
                return error_json(f"The stand-in failed: {type(error).__name__}: {error}")

        def _request(self, body: bytes) -> Request:
            path, _, query = self.path.partition("?")
            form = "application/x-www-form-urlencoded" in self.headers.get("Content-Type", "")
            pairs = parse_qsl(query, keep_blank_values=True)
            pairs += parse_qsl(body.decode(), keep_blank_values=True) if form else []
            parameters = {name.lower(): value for name, value in pairs}
            client = self.client_address[0]
            return Request(self.command, path, query, client, parameters, body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: the log of the server knows."""

    return Handler
