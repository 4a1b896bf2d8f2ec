"""The configuration of the run: whether it can be used, and what its samples need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdssflow.configuration.loading import (
    ConfigurationError,
    load_layers,
    load_samples,
    read_layers,
)
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.doctor.findings import FAULT, OK, Finding, listed


@dataclass(frozen=True)
class Configured:
    """A configuration, or why there is none."""

    run: RunConfiguration | None = None
    samples: dict[str, Sample] = field(default_factory=dict)
    trouble: str = ""


def load_configuration(files: Iterable[Path]) -> Configured:
    """Read configuration files as Snakemake does: later ones over earlier ones.

    Parameters
    ----------
    files : iterable of pathlib.Path
        The shipped one first, then those of --configfile. Paths in them are relative to the
        working directory.
    """
    try:
        layers = read_layers(files)
        run = load_layers(layers)
        return Configured(run, load_samples(run, layers))
    except ConfigurationError as error:
        return Configured(trouble=str(error))


def check_configuration(configured: Configured) -> Finding:
    """Check that the configuration is valid, and that the files it names are there."""
    if configured.trouble:
        return Finding("configuration", FAULT, configured.trouble, "correct these keys")
    missing = [
        f"{path} (sample {name})"
        for name, sample in configured.samples.items()
        for path in source_files(sample)
        if not Path(path).is_file()
    ]
    if missing:
        return Finding(
            "configuration",
            FAULT,
            f"no file {listed(missing)}",
            "put the files there, or correct `source` of the samples",
        )
    return Finding("configuration", OK, f"samples {listed(list(configured.samples), most=8)}")


def source_files(sample: Sample) -> Sequence[str]:
    """Return the files of your own that a sample is read from."""
    source = sample.source
    if source.kind == "file":
        return [source.path]
    return list(source.paths) if source.kind == "bulk" else []


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


def unused_rules(configured: Configured) -> set[str]:
    """Return rules that this run starts no job of; none if the configuration is not known."""
    if configured.run is None:
        return set()
    samples = list(configured.samples.values())
    kinds = {sample.source.kind for sample in samples}
    chosen = [
        list(configured.run.regressors) if sample.regressors is None else sample.regressors
        for sample in samples
        if "regress" in sample.tasks
    ]
    regressors = [configured.run.regressors[name] for names in chosen for name in names]
    used = {
        "simulate_sky": bool(simulated_samples(configured.samples)),
        "assemble_catalogue": bool(kinds & {"skyserver", "tap"}),
        "import_bulk": "bulk" in kinds,
        "import_catalogue": bool(kinds - {"skyserver", "tap", "bulk"}),
        "train_network": any(settings.needs_torch for settings in regressors),
        "search_settings": any(getattr(settings, "search", None) for settings in regressors),
    }
    return {rule for rule, is_used in used.items() if not is_used}
