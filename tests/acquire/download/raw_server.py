"""A server that sends, to each connection, exactly the bytes it is told to: no HTTP of its own."""

from __future__ import annotations

import re
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

Pieces = Callable[[bytes], Iterable[bytes]]


@contextmanager
def serving(pieces: Pieces, certificate: Path | None = None) -> Iterator[str]:
    """Serve on 127.0.0.1 for the time of the block, and give the address.

    `pieces` gets the head of a request and gives the pieces of all that is sent; then the
    connection closes. With a `certificate` (PEM with its key) the server speaks TLS.
    """
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head and (part := self.request.recv(4096)):
                head += part
            try:
                for piece in pieces(head):
                    if ended.is_set():
                        return  # else an answer without end would keep a core busy for good
                    if select.select([self.request], [], [], 0)[0] and not self.request.recv(4096):
                        return  # the client has seen enough
                    self.request.sendall(piece)
                self.request.shutdown(socket.SHUT_WR)
                # a body of the request: an RST would undo our answer
                while self.request.recv(4096):
                    pass
            except OSError:
                pass  # or broken off

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that likes no certificate is no news

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                connection = context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            return connection, address

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def head(size=None, code=200, *lines):
    stated = [] if size is None else [f"Content-Length: {size}"]
    lines = [f"HTTP/1.1 {code} X", "Connection: close", *stated, *lines]
    return "\r\n".join([*lines, "", ""]).encode()


def honest(content):
    """Return a server of some content, which knows Range."""

    def answer(asked):
        if not (found := re.search(rb"Range: bytes=(\d+)-", asked)):
            return [head(len(content)), content]
        start = int(found[1])
        if start >= len(content):
            return [head(0, 416)]
        of = f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}"
        return [head(len(content) - start, 206, of), content[start:]]

    return answer
