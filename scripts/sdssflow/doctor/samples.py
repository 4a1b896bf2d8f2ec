"""What the configuration of a run and the sources of its samples need."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sdssflow.configuration.loading import (
    ConfigurationError,
    load_layers,
    load_samples,
    read_layers,
)
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, SECONDS, WARNING, Finding, ask, listed

ANSWER_SECONDS = 15  # where a firewall drops what is sent, they are waited for in full
# A process of its own: a name that does not resolve can't be waited for with a limit otherwise.
_HEAD = """
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


class Configured(NamedTuple):
    """A configuration, or why there is none."""

    run: RunConfiguration | None
    samples: dict[str, Sample]
    trouble: str = ""


def load_configuration(files: Iterable[Path]) -> Configured:
    """Read configuration files as Snakemake does: later ones over earlier ones."""
    try:
        layers = read_layers(files)
        run = load_layers(layers)
        return Configured(run, load_samples(run, layers))
    except ConfigurationError as error:
        return Configured(None, {}, str(error))


def check_configuration(configured: Configured) -> Finding:
    """Check that the configuration is valid, and that the files it names are there."""
    check = "configuration"
    if configured.trouble:
        return Finding(check, FAULT, configured.trouble, "correct these keys")
    missing = []
    for name, sample in configured.samples.items():
        source = sample.source
        paths = {"file": lambda s: [s.path], "bulk": lambda s: s.paths}.get(source.kind)
        for path in paths(source) if paths else []:
            if not Path(path).is_file():
                missing.append(f"{path} (sample {name})")
    if missing:
        advice = "put the files there, or correct `source` of the samples"
        return Finding(check, FAULT, f"no file {listed(missing)}", advice)
    return Finding(check, OK, f"samples {listed(list(configured.samples), most=8)}")


def archive_addresses(samples: Mapping[str, Sample]) -> dict[str, list[str]]:
    """Return the addresses that a run asks -> its samples; a simulated sky asks none."""
    found: dict[str, list[str]] = {}
    for name, sample in samples.items():
        source = sample.source
        if source.kind in ("skyserver", "tap", "url") and not sample.simulated:
            address = source.server if source.kind == "skyserver" else source.url
            found.setdefault(address, []).append(name)
    return found


def check_archives(
    addresses: Mapping[str, Sequence[str]], seconds: float = ANSWER_SECONDS
) -> Finding:
    """Check that each archive answers: one HEAD, no query. Its samples are named if it doesn't."""
    if not addresses:
        return Finding("network", NOT_NEEDED, "no sample is downloaded from an archive")
    silent = []
    for address, samples in addresses.items():
        answer = ask([sys.executable, "-c", _HEAD, address, str(seconds)], seconds + SECONDS)
        if not answer.good:
            silent.append(f"{address} (samples {listed(list(samples))}): {answer.trouble}")
    if silent:
        advice = (
            "run where the internet is reached (set https_proxy if there is one); embedded and "
            "simulated samples, and answers kept in data/downloads, need none"
        )
        return Finding("network", WARNING, listed(silent), advice)
    return Finding("network", OK, f"{listed(list(addresses))} answers")


def check_loopback(samples: Mapping[str, Sample], address: str = "127.0.0.1") -> Finding:
    """Check that the simulated skies among the samples can be served on this machine."""
    names = [name for name, sample in samples.items() if sample.simulated]
    if not names:
        return Finding("loopback", NOT_NEEDED, "no simulated sample")
    try:
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=SECONDS).close()
    except OSError as error:
        found = f"{address} can't be served: {error.strerror or error}"
        advice = f"leave the samples {listed(names)} out, or allow the loopback interface"
        return Finding("loopback", FAULT, found, advice)
    return Finding("loopback", OK, f"serves {listed(names)}")
