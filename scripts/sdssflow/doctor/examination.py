"""All checks, in the order of the table, and those of configuration and sources themselves."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sdssflow.configuration.applying import estimated, load_applications
from sdssflow.configuration.loading import (
    ConfigurationError,
    load_layers,
    load_samples,
    read_layers,
)
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target
from sdssflow.doctor import machine, profiles, slurm
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, SECONDS, WARNING, Finding, ask, listed
from sdssflow.estimate.partitions import partitions
from sdssflow.failures import absent

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
Check = Callable[[], "Finding | Sequence[Finding]"]
WRITTEN = ("results", "logs", "benchmarks/runs", ".snakemake")


class Configured(NamedTuple):
    """A configuration, or why there is none."""

    run: RunConfiguration | None
    samples: dict[str, Sample]
    targets: dict[str, Target]
    trouble: str = ""

    @property
    def sources(self) -> dict[str, Sample | Target]:
        """What has rows, by name."""
        return {**self.samples, **self.targets}


def load_configuration(files: Iterable[Path]) -> Configured:
    """Read configuration files as Snakemake does: later ones over earlier ones."""
    try:
        layers = read_layers(files)
        run = load_layers(layers)
        samples = load_samples(run, layers)
        applications = load_applications(run, samples, layers)
        estimated(applications)  # reads the bundles
        return Configured(run, samples, applications.targets)
    except ConfigurationError as error:
        return Configured(None, {}, {}, str(error))


def check_configuration(configured: Configured) -> Finding:
    """Check that the configuration is valid, and that the files it names are there."""
    check = "configuration"
    if configured.trouble:
        return Finding(check, FAULT, configured.trouble, "correct these keys")
    missing = [
        f"{key}: {path}: {why}" for key, path in _named_files(configured) if (why := absent(path))
    ]
    try:
        for name, target in configured.targets.items():
            partitions(name, target)
    except OSError as error:
        missing.append(str(error))
    if missing:
        return Finding(check, FAULT, listed(missing, between=" "), "correct the definitions")
    found = f"samples {listed(list(configured.samples), most=8)}"
    if configured.targets:
        found += f"; targets {listed(list(configured.targets), most=8)}"
    return Finding(check, OK, found)


def _named_files(configured: Configured) -> Iterator[tuple[str, str]]:
    """Yield the files that definitions name, each after the key that names it."""
    for name, its in configured.sources.items():
        what = "target" if name in configured.targets else "sample"
        if its.source.kind == "file":
            yield f"{what} {name}: source.path", its.source.path
        elif its.source.kind == "bulk":
            yield from ((f"{what} {name}: source.folder", path) for path in its.source.paths)
    for name, target in configured.targets.items():
        given = (applied.bundle for applied in target.models if applied.bundle)
        yield from ((f"target {name}: models: bundle", path) for path in given)


def archive_addresses(sources: Mapping[str, Sample | Target]) -> dict[str, list[str]]:
    """Return the addresses that a run asks -> who needs them; a simulated sky asks none."""
    found: dict[str, list[str]] = {}
    for name, its in sources.items():
        source = its.source
        if source.kind in ("skyserver", "tap", "url") and not its.simulated:
            address = source.server if source.kind == "skyserver" else source.url
            found.setdefault(address, []).append(name)
    return found


def check_archives(
    addresses: Mapping[str, Sequence[str]], seconds: float = ANSWER_SECONDS
) -> Finding:
    """Check that each archive answers: one HEAD, no query. Who needs it is named if it doesn't."""
    if not addresses:
        return Finding("network", NOT_NEEDED, "nothing is downloaded from an archive")
    silent = []
    for address, names in addresses.items():
        answer = ask([sys.executable, "-c", _HEAD, address, str(seconds)], seconds + SECONDS)
        if not answer.good:
            silent.append(f"{address} (for {listed(list(names))}): {answer.trouble}")
    if silent:
        advice = (
            "run where the internet is reached (set https_proxy if there is one); embedded and "
            "simulated samples, and answers kept in data/downloads, need none"
        )
        return Finding("network", WARNING, listed(silent), advice)
    return Finding("network", OK, f"{listed(list(addresses))} answers")


def check_loopback(sources: Mapping[str, Sample | Target], address: str = "127.0.0.1") -> Finding:
    """Check that the simulated skies among the sources can be served on this machine."""
    names = [name for name, its in sources.items() if its.simulated]
    if not names:
        return Finding("loopback", NOT_NEEDED, "no simulated sky")
    try:
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=SECONDS).close()
    except OSError as error:
        found = f"{address} can't be served: {error.strerror or error}"
        advice = f"leave {listed(names)} out, or allow the loopback interface"
        return Finding("loopback", FAULT, found, advice)
    return Finding("loopback", OK, f"serves {listed(names)}")


@dataclass(frozen=True)
class Place:
    """Where and how a run would start."""

    root: Path  # the project: rules and profiles
    directory: Path  # working directory of the run
    profile: str  # as for `snakemake --workflow-profile`
    configfiles: tuple[Path, ...]  # override the default one


def examine(place: Place) -> list[Finding]:
    """Run all checks but those of Python and its packages; one that breaks becomes a row."""
    try:
        path = profiles.find_profile(place.profile, (Path.cwd(), place.root))
        profile, wrong = profiles.load_profile(path), None
    except profiles.ProfileError as error:
        path, profile = None, profiles.Profile(Path(place.profile))
        wrong = Finding("profile", FAULT, str(error), "choose or correct the profile")
    own = place.directory / "config/config.yaml"
    default = own if own.is_file() else place.root / "config/config.yaml"
    configured = load_configuration([default, *place.configfiles])
    with ThreadPoolExecutor(max_workers=4) as pool:  # most of them wait for another program
        devices = pool.submit(machine.find_devices)
        asked = pool.submit(
            profiles.ask_snakemake, place.root / "Snakefile", path, place.configfiles
        )
        checks = _folder_checks(place.directory, profile, configured)
        others = [pool.submit(_guarded, check) for check in checks]
        groups = [
            _guarded(lambda: _profile_checks(profile, wrong, asked.result())),
            _guarded(lambda: _slurm_checks(profile, asked.result())),
            _guarded(lambda: _gpu_check(profile, asked.result(), devices.result())),
            *(other.result() for other in others),
        ]
    return [finding for group in groups for finding in group]


def _guarded(check: Check) -> Sequence[Finding]:
    try:
        found = check()
    except Exception as error:
        name = type(error).__name__
        return [Finding("doctor", WARNING, f"a check broke: {name}: {error}", "tell its authors")]
    return [found] if isinstance(found, Finding) else found


def _profile_checks(
    profile: profiles.Profile, wrong: Finding | None, answers: profiles.Answers
) -> list[Finding]:
    started = profiles.check_snakemake(answers, profile.executor)
    if wrong:
        return [started, wrong]
    keys = profiles.check_keys(profile, answers)
    names = profiles.check_rule_names(profile, answers.rules)
    return [started, keys, names, profiles.check_site(profile)]


def _slurm_checks(profile: profiles.Profile, answers: profiles.Answers) -> list[Finding]:
    if profile.executor != "slurm":
        other = f"the executor of the profile is {profile.executor}"
        return [Finding("slurm", NOT_NEEDED, other)]
    found = [slurm.check_programs(), slurm.check_controller()]
    if found[-1].state == FAULT:
        return found  # what follows from it would only hide it
    found.append(slurm.check_accounting(profile))
    if answers.demands:
        return [*found, slurm.check_jobs(answers.demands, profile)]
    why = "not tried: Snakemake can't read the profile or the configuration"
    return [*found, Finding("slurm jobs", WARNING, why, "correct those first")]


def _gpu_check(
    profile: profiles.Profile, answers: profiles.Answers, devices: machine.Devices
) -> Finding:
    asking = [demand for demand in answers.demands if demand.gpu]
    return machine.check_gpus(devices, asking, profile.executor)


def _folder_checks(folder: Path, profile: profiles.Profile, configured: Configured) -> list[Check]:
    store = configured.run.downloads.store if configured.run else "data/downloads"

    def of_locks() -> list[Finding]:
        runs = machine.snakemake_runs(folder)
        rerun = profile.content.get("rerun-incomplete") is True
        return [machine.check_locks(folder, runs), machine.check_incomplete(folder, runs, rerun)]

    return [
        lambda: check_configuration(configured),
        of_locks,
        lambda: machine.check_writing([folder / name for name in (*WRITTEN, store)]),
        lambda: machine.check_flock(folder / "results"),
        lambda: machine.check_file_system(
            machine.file_system_type(folder), profile.number("latency-wait", 5), profile.executor
        ),
        lambda: machine.check_room("disk", folder),
        machine.check_temporary_folder,
        lambda: check_archives(archive_addresses(configured.sources)),
        lambda: check_loopback(configured.sources),
    ]
