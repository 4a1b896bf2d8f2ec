"""Whether the archives that a run asks answer, and whether 127.0.0.1 can be served."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence

from sdssflow.doctor.commands import SECONDS, ask
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, WARNING, Finding, listed

ANSWER_SECONDS = 15  # where a firewall drops what is sent, they are waited for in full
# A process of its own: a name that does not resolve can't be waited for with a limit otherwise.
_PROGRAM = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], method="HEAD")
try:
    with urllib.request.urlopen(request, timeout=float(sys.argv[2])) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    sys.exit(str(getattr(error, "reason", error)))
"""


def check_archives(
    addresses: Mapping[str, Sequence[str]], seconds: float = ANSWER_SECONDS
) -> Finding:
    """Check that each archive answers: one HEAD, no query.

    Parameters
    ----------
    addresses : mapping
        Address -> the samples that need it.
    seconds : float
        Limit for each address, once the process that asks is at work.
    """
    if not addresses:
        return Finding("network", NOT_NEEDED, "no sample is downloaded from an archive")
    silent = []
    for address, samples in addresses.items():
        program = [sys.executable, "-c", _PROGRAM, address, str(seconds)]
        answer = ask(program, seconds + SECONDS)
        if not answer.good:
            silent.append(f"{address} (samples {listed(list(samples))}): {answer.trouble}")
    if silent:
        return Finding(
            "network",
            WARNING,
            listed(silent),
            "run where the internet is reached (set https_proxy if there is one); embedded and "
            "simulated samples, and answers kept in data/downloads, need none",
        )
    return Finding("network", OK, f"{listed(list(addresses))} answers")


def check_loopback(samples: Sequence[str], address: str = "127.0.0.1") -> Finding:
    """Check that a simulated sky can be served on this machine."""
    if not samples:
        return Finding("loopback", NOT_NEEDED, "no simulated sample")
    try:
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=SECONDS).close()
    except OSError as error:
        return Finding(
            "loopback",
            FAULT,
            f"{address} can't be served: {error.strerror or error}",
            f"leave the samples {listed(list(samples))} out, or allow the loopback interface",
        )
    return Finding("loopback", OK, f"serves {listed(list(samples))}")
