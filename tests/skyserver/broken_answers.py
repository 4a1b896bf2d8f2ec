"""Answers that go wrong on the wire, for real: cut, reset, slow or silent."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from skyserver_standin.loopback import CSV, Answer, write_chunk
from tests.skyserver.clocks import OwnClock, RealClock

Send = Callable[[BaseHTTPRequestHandler, "WireAnswer", bytes], None]
PIECE = 4096


class BrokenOff(ConnectionError):
    """The fault ended the connection; the server closes it and notes status 0."""


class WireAnswer(Answer):
    """An answer with a body in memory, sent by a function of this module by some clock."""

    clock: RealClock | OwnClock = RealClock()

    def __init__(self, body: bytes, send: Send, status: int = 200, content_type: str = CSV) -> None:
        super().__init__(status, content_type, body)
        self._send = send

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        self._send(handler, self, self.content())


def close_delimited(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
    """End the body by closing the connection: no client can tell whether that is all."""
    handler.close_connection = True
    answer.start(handler, Connection="close")
    handler.wfile.write(body)


def chunked(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
    """Send proper chunks with a proper end."""
    answer.start(handler, Transfer_Encoding="chunked")
    for start in range(0, len(body), PIECE):
        write_chunk(handler, body[start : start + PIECE])
    write_chunk(handler, b"")


def chunked_without_end(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
    """Send a good chunk, promise another and close in the middle of it."""
    answer.start(handler, Transfer_Encoding="chunked")
    half = len(body) // 2
    write_chunk(handler, body[:half])
    handler.wfile.write(b"%x\r\n" % (len(body) + PIECE) + body[half:])
    handler.wfile.flush()
    raise BrokenOff


def declaring(part: float) -> Send:
    """Make a sender that declares so many times its bytes, sends all it has and closes."""

    def send(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
        handler.close_connection = True
        answer.start(handler, Content_Length=str(int(part * len(body))))
        handler.wfile.write(body)

    return send


def reset(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
    """Send TCP's RST in place of an answer."""
    _reset(handler)


def reset_after_body(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
    """Send `body` as the beginning of a chunked answer, then RST."""
    answer.start(handler, Transfer_Encoding="chunked")
    write_chunk(handler, body)
    handler.wfile.flush()
    time.sleep(0.1)  # an RST throws away what the client has not read yet
    _reset(handler)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    # detached, or the server would send a polite FIN first
    os.close(handler.connection.detach())
    raise BrokenOff


def silent(seconds: float) -> Send:
    """Make a sender that sends nothing for `seconds`, or until the client has gone."""

    def send(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
        answer.clock.hold(handler.connection, seconds)
        raise BrokenOff

    return send


def dripping(seconds: float, drops: int = 20) -> Send:
    """Make a sender that takes `seconds` for a whole, right answer."""

    def send(handler: BaseHTTPRequestHandler, answer: WireAnswer, body: bytes) -> None:
        answer.start(handler, Transfer_Encoding="chunked")
        size = len(body) // drops + 1
        for start in range(0, len(body), size):
            write_chunk(handler, body[start : start + size])
            handler.wfile.flush()
            answer.clock.sleep(seconds / drops)
        write_chunk(handler, b"")

    return send
