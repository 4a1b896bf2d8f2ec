"""An HTTP server on 127.0.0.1 with one thread per request and a log."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

CSV = "text/csv"
HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"
BROKEN_OFF = 0


@dataclass(frozen=True)
class Request:
    """A request; parameter names are in lower case, and the last value of a name is used."""

    method: str
    path: str
    query: str
    parameters: dict[str, str]
    body: bytes = b""

    @property
    def sql(self) -> str:
        """Its query, if any: SkyServer's `cmd` or TAP's `QUERY`."""
        return self.parameters.get("cmd") or self.parameters.get("query") or ""


@dataclass
class Answer:
    """An answer, sent with its length if `body` is bytes, else in chunks.

    A subclass may override `send`.
    """

    status: int
    content_type: str
    body: bytes | Iterable[bytes | memoryview]
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the whole body; an iterable body can be read only once."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)

    def start(self, handler: BaseHTTPRequestHandler, **headers: str) -> None:
        """Send status and headers; `headers` come last, with '_' for '-'."""
        handler.send_response(self.status)
        if self.content_type:
            handler.send_header("Content-Type", self.content_type)
        for name, value in {**self.headers, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        """Send everything."""
        if isinstance(self.body, bytes):
            self.start(handler, Content_Length=str(len(self.body)))
            handler.wfile.write(self.body)
            return
        self.start(handler, Transfer_Encoding="chunked")
        for piece in self.body:
            write_chunk(handler, piece)
        write_chunk(handler, b"")


def write_chunk(handler: BaseHTTPRequestHandler, piece: bytes | memoryview) -> None:
    """Send one chunk of a chunked body; an empty one ends it."""
    handler.wfile.write(b"%x\r\n" % len(piece))
    handler.wfile.write(piece)
    handler.wfile.write(b"\r\n")


Application = Callable[[Request], Answer]
Middleware = Callable[[Request, Application], Answer]


def error_json(message: str, status: int = 500) -> Answer:
    """Return an error as the web service writes it."""
    body = {
        "ErrorCode": status,
        "ErrorType": "InternalServerError" if status == 500 else "BadRequest",
        "ErrorMessage": message,
        "LogMessageID": str(uuid.uuid4()),
        "LogTime": datetime.now(UTC).isoformat(),
    }
    return Answer(status, JSON, json.dumps(body).encode())


def error_csv(message: str) -> Answer:
    """Return a refusal of the stored procedure: status 200 and a column error_message."""
    text = f'"{message}"' if "," in message and not message.startswith('"') else message
    return Answer(200, CSV, iter([f"#Table1\nerror_message\n{text}\n".encode()]))


def error_page(status: int, title: str, message: str) -> Answer:
    """Return an error of the web server itself."""
    page = f"<html><head><title>{title}</title></head><body><h2>{message}</h2></body></html>"
    return Answer(status, HTML, page.encode())


@dataclass
class Exchange:
    """One request in the log: time of arrival (seconds since the epoch) and duration.

    The status is None while the answer is being sent, 0 if the client or a fault aborted it.
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
    """Serves an application on 127.0.0.1 during its `with` block; port 0 means any free one.

    A middleware is called as ``middleware(request, application)`` instead of the application.
    """

    def __init__(
        self, application: Application, port: int = 0, middleware: Middleware | None = None
    ) -> None:
        self.log: list[Exchange] = []
        self._application = application
        self._middleware = middleware
        self._server = _Server(("127.0.0.1", port), _handler_class(self))
        # stops within 50 ms; a daemon thread, so that it never outlives its program
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, daemon=True)

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """Answer one request; an exception becomes an answer too."""
        try:
            if self._middleware is None:
                return self._application(request)
            return self._middleware(request, self._application)
        except Exception as error:
            return error_json(f"The stand-in failed: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Stop answering and free the port; requests in progress continue."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


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
                answer = server.answer(exchange.request)
                answer.send(self)
                self.wfile.flush()
                status = answer.status
            except OSError:
                self.close_connection = True
            finally:
                exchange.status, exchange.seconds = status, time.monotonic() - started

        def _request(self, body: bytes) -> Request:
            path, _, query = self.path.partition("?")
            form = "application/x-www-form-urlencoded" in self.headers.get("Content-Type", "")
            pairs = parse_qsl(query, keep_blank_values=True)
            pairs += parse_qsl(body.decode(), keep_blank_values=True) if form else []
            parameters = {name.lower(): value for name, value in pairs}
            return Request(self.command, path, query, parameters, body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing; requests are in the log of the server."""

    return Handler
