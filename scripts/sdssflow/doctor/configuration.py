"""The configuration of the run: whether it can be used, and what its samples need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from sdssflow.doctor.findings import FAULT, OK, Finding, listed


class Configured(NamedTuple):
    """A configuration, or why there is none."""

    run: RunConfiguration | None
    samples: dict[str, Sample]
    trouble: str = ""


def load_configuration(files: Iterable[Path]) -> Configured:
    """Read configuration files as Snakemake does: later ones over earlier ones.

    Parameters
    ----------
    files : iterable of pathlib.Path
        The default one first, then those of --configfile. Paths in them are relative to the
        working directory.
    """
    try:
        layers = read_layers(files)
        run = load_layers(layers)
        return Configured(run, load_samples(run, layers))
    except ConfigurationError as error:
        return Configured(None, {}, str(error))


def check_configuration(configured: Configured) -> Finding:
    """Check that the configuration is valid, and that the files it names are there."""
    if configured.trouble:
        return Finding("configuration", FAULT, configured.trouble, "correct these keys")
    missing = []
    for name, sample in configured.samples.items():
        source = sample.source
        paths = {"file": lambda s: [s.path], "bulk": lambda s: s.paths}.get(source.kind)
        for path in paths(source) if paths else []:
            if not Path(path).is_file():
                missing.append(f"{path} (sample {name})")
    if missing:
        return Finding(
            "configuration",
            FAULT,
            f"no file {listed(missing)}",
            "put the files there, or correct `source` of the samples",
        )
    return Finding("configuration", OK, f"samples {listed(list(configured.samples), most=8)}")


def archive_addresses(samples: Mapping[str, Sample]) -> dict[str, list[str]]:
    """Return the addresses that a run asks -> its samples; a simulated sky asks none."""
    found: dict[str, list[str]] = {}
    for name, sample in samples.items():
        source = sample.source
        if source.kind in ("skyserver", "tap") and not source.simulated:
            address = source.server if source.kind == "skyserver" else source.url
            found.setdefault(address, []).append(name)
    return found


def simulated_samples(samples: Mapping[str, Sample]) -> list[str]:
    """Return the samples that are downloaded from a stand-in on this machine."""
    return [name for name, sample in samples.items() if getattr(sample.source, "simulated", None)]
