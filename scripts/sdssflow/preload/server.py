"""Import packages, then fork for each job that a client hands over. Run by `sdssflow.preload`.

A job has the arguments, folder, environment, standard input and outputs of its client. It dies with
its client or with this server. The server has a single thread, because a fork copies only one.
"""

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

READ = selectors.EVENT_READ
DIE_WITH_PARENT = 1  # of prctl
TIMEOUT_S = 60  # a client sends its job as soon as it has connected
VARIES = {"TMPDIR", "TMP", "TEMP", "TEMPDIR", "SHLVL", "PWD", "OLDPWD", "_"}  # from job to job


def load(name: str) -> ModuleType | None:
    """Import a module, or the module of a name; an error is left to the job."""
    while name:
        try:
            return importlib.import_module(name)
        except Exception:
            name = name.rpartition(".")[0]
    return None


def alike(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that packages may have read when they were loaded."""
    return {name: value for name, value in environment.items() if name not in VARIES}


def work(job: Mapping[str, Any], files: Iterable[int]) -> int:
    """Run the job in this process; return its exit status."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, file in enumerate(files):
        os.dup2(file, target)
    os.chdir(job["folder"])
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = job["arguments"]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        print(end.code if isinstance(end.code, str) else "", end="", file=sys.stderr)
    except BaseException:  # as in Python itself
        status = 1
        sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def begin(connection: socket.socket, loaded_with: Mapping[str, str]) -> int | None:
    """Fork for the job of a client; return its process id, None if it is refused."""
    connection.settimeout(TIMEOUT_S)
    text, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(12))
    if not text:
        return None  # the client was killed before it sent its job
    files = array.array("i", ancillary[0][2])
    job = json.loads(text)
    process = None
    if alike(job["environment"]) != loaded_with:
        connection.send(b"refused")
    else:
        process = os.fork()
        if process == 0:
            os._exit(work(job, files))
    for file in files:
        os.close(file)
    return process


def serve(address: str, loaded_with: Mapping[str, str]) -> None:
    """Fork for jobs until standard input closes, which ends the run, and the last job is done."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(64)
    events = selectors.DefaultSelector()
    events.register(listener, READ)
    events.register(0, READ)
    clients: dict[int, socket.socket] = {}
    while clients or 0 in events.get_map():
        for key, _ in events.select():
            source, process = key.fileobj, key.data
            if source is listener:
                connection = listener.accept()[0]
                process = None
                with contextlib.suppress(OSError):  # the client is gone
                    process = begin(connection, loaded_with)
                if process:
                    clients[process] = connection
                    events.register(connection, READ, process)
                    events.register(os.pidfd_open(process), READ, process)
            elif source == 0:
                events.unregister(0)
                events.unregister(listener)
                listener.close()
            elif isinstance(source, int):  # the job is done
                connection = clients.pop(process)
                status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                events.unregister(source)
                os.close(source)
                with contextlib.suppress(OSError, KeyError):  # the client is gone
                    events.unregister(connection)
                    connection.send(b"%d" % (status if status >= 0 else 128 - status))
            elif process in clients:
                message = b""
                with contextlib.suppress(OSError):
                    message = clients[process].recv(16)
                os.kill(process, signal.SIGINT if message else signal.SIGKILL)
                if not message:
                    events.unregister(source)
    shutil.rmtree(Path(address).parent, ignore_errors=True)


if __name__ == "__main__":
    loaded_with = alike(os.environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in json.loads(sys.argv[2]):
        load(name)
    gc.freeze()
    serve(sys.argv[1], loaded_with)
