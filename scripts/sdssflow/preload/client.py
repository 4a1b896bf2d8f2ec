"""In place of Python: hand the script to the server of this folder, or be Python.

It starts with each job, so it imports next to nothing.
"""

import _signal
import _socket
import array
import json
import os
import sys

link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
status = ""
try:
    link.connect(f"{os.path.dirname(__file__)}/socket")  # noqa: PTH120
    # from here on the job hears of Ctrl-C, and this waits for what becomes of it
    _signal.signal(_signal.SIGINT, lambda number, frame: link.send(b"interrupt"))
    job = {"folder": os.getcwd(), "environment": {**os.environ}, "arguments": sys.argv[1:]}  # noqa: PTH109
    files = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    link.sendmsg([json.dumps(job).encode()], [files])
    status = link.recv(16) or b"1"  # without an answer the server is gone, and the job with it
except OSError:
    pass  # the server still loads, or has gone, or the environment is too long
if status in ("", b"refused"):
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
os._exit(int(status))
