"""Called instead of Python: hand the script to the server of this folder, or become Python.

It starts with each job, so it imports almost nothing.
"""

import _signal  # type: ignore[import-not-found]  # the module signal without its enumerations
import _socket
import array
import json
import os
import sys


def hand_over(address: str) -> int | None:
    """Return the exit status of the job; None if there is no server for it."""
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    job = {"folder": os.getcwd(), "environment": {**os.environ}, "arguments": sys.argv[1:]}  # noqa: PTH109
    files = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    try:
        link.connect(address)
        # from here on Ctrl-C goes to the job, and this process waits for its exit status
        _signal.signal(_signal.SIGINT, lambda number, frame: link.send(b"interrupt"))
        link.sendmsg([json.dumps(job).encode()], [files])
    except OSError:
        return None  # the server is still loading or gone, or the environment is too long
    try:
        status = link.recv(16)
    except OSError:
        status = b""
    # without an answer the server and the job are gone; the job must not be started twice
    return None if status == b"refused" else int(status or 1)


if __name__ == "__main__":
    status = hand_over(f"{os.path.dirname(__file__)}/socket")  # noqa: PTH120
    if status is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    os._exit(status)
