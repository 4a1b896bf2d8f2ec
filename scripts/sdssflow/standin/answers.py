"""Requests, answers and how an answer goes over the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

CSV = "text/csv"
HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """What a client asked.

    Attributes
    ----------
    method, path, client : str
        GET or POST; the path without the query string; the client's address.
    query : str
        The query string as it came.
    parameters : dict of str to str
        The decoded parameters of query string and form, names in lower case, last one wins.
    body : bytes
        The body of a POST.
    """

    method: str
    path: str
    query: str
    client: str
    parameters: dict[str, str]
    body: bytes = b""

    @property
    def sql(self) -> str:
        """The query in it, if there is one: SkyServer's `cmd` or TAP's `QUERY`."""
        return self.parameters.get("cmd") or self.parameters.get("query") or ""


@dataclass
class Answer:
    """What a client gets: sent with its length if `body` is bytes, else in chunks.

    A subclass may send in another way by overriding `send`.
    """

    status: int
    content_type: str
    body: bytes | Iterable[bytes | memoryview]
    headers: dict[str, str] = field(default_factory=dict)

    def pieces(self) -> Iterable[bytes | memoryview]:
        """Return the body in pieces."""
        return [self.body] if isinstance(self.body, bytes) else self.body

    def content(self) -> bytes:
        """Return the whole body, which can be read only once if it is made piece by piece."""
        return b"".join(self.pieces())

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
        if handler.request_version == "HTTP/1.0":  # knows no chunks
            handler.close_connection = True
            self.start(handler, Connection="close")
            for piece in self.pieces():
                handler.wfile.write(piece)
            return
        self.start(handler, Transfer_Encoding="chunked")
        for piece in self.pieces():
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
    """Return an error of the web server in front."""
    page = f"<html><head><title>{title}</title></head><body><h2>{message}</h2></body></html>"
    return Answer(status, HTML, page.encode())
