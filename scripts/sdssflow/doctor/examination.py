"""All checks, in the order of the table, and the checks of configuration and sources."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sdssflow.configuration import loading
from sdssflow.configuration.applying import BUNDLES, estimated, load_applications
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target
from sdssflow.doctor import machine, profiles, slurm
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, SECONDS, WARNING, Finding, ask, listed
from sdssflow.failures import absent
from sdssflow.project import PROJECT

ANSWER_SECONDS = 15  # waited for in full where a firewall drops packets
# in a separate process, because name resolution has no time-out otherwise
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
    """A configuration with its samples and targets, or why there is none."""

    run: RunConfiguration | None
    samples: dict[str, Sample]
    targets: dict[str, Target]
    bundles: dict[str, list[str]]  # on disk, by target
    trouble: str = ""

    @property
    def sources(self) -> dict[str, Sample | Target]:
        """Everything that has a source."""
        return {**self.samples, **self.targets}


def load_configuration(files: Iterable[Path]) -> Configured:
    """Read the default configuration and files that override it, as the Snakefile does."""
    try:
        layers = loading.read_layers([loading.configured(loading.DEFAULT), *files])
        run = loading.load_layers(layers)
        samples = loading.load_samples(run, layers)
        applications = load_applications(run, samples, layers)
        estimated(applications)
        own = {f"{BUNDLES}/{name}" for name in applications.bundles}
        on_disk = {
            name: [path for path in paths if path not in own]
            for name, paths in applications.models.items()
        }
        return Configured(run, samples, applications.targets, on_disk)
    except loading.ConfigurationError as error:
        return Configured(None, {}, {}, {}, str(error))


def check_configuration(configured: Configured) -> Finding:
    """Check that the configuration is valid, and that the files it names exist."""
    check = "configuration"
    if configured.trouble:
        return Finding(check, FAULT, configured.trouble, "correct these keys")
    missing = [
        f"{key}: {path}: {why}" for key, path in _named_files(configured) if (why := absent(path))
    ]
    if missing:
        return Finding(check, FAULT, listed(missing, between=" "), "correct the definitions")
    found = f"samples {listed(list(configured.samples), most=8)}"
    if configured.targets:
        found += f"; targets {listed(list(configured.targets), most=8)}"
    return Finding(check, OK, found)


def _named_files(configured: Configured) -> Iterator[tuple[str, str]]:
    """Yield each key of a definition that names a file or folder, and its path."""
    for name, its in configured.sources.items():
        what = "target" if name in configured.targets else "sample"
        if its.source.kind == "file":
            yield f"{what} {name}: source.path", its.source.path
        elif its.source.kind == "bulk":
            yield from ((f"{what} {name}: source.folder", path) for path in its.source.paths)
    for name, paths in configured.bundles.items():
        yield from ((f"target {name}: models: bundle", path) for path in paths)


def archive_addresses(sources: Mapping[str, Sample | Target]) -> dict[str, list[str]]:
    """Return the samples and targets of each server that a run queries."""
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
    """Check that each archive answers one HEAD request; no query is sent."""
    if not addresses:
        return Finding("network", NOT_NEEDED, "nothing is downloaded from an archive")
    silent = []
    for address, names in addresses.items():
        answer = ask([sys.executable, "-c", _HEAD, address, str(seconds)], seconds + SECONDS)
        if not answer.good:
            silent.append(f"{address} (for {listed(list(names))}): {answer.trouble}")
    if silent:
        advice = (
            "run on a machine with internet access (set https_proxy if needed); embedded and "
            "simulated samples, and answers kept in data/downloads, need none"
        )
        return Finding("network", WARNING, listed(silent), advice)
    return Finding("network", OK, f"{listed(list(addresses))} answers")


def check_loopback(sources: Mapping[str, Sample | Target], address: str = "127.0.0.1") -> Finding:
    """Check that simulated skies can be served on this machine."""
    names = [name for name, its in sources.items() if its.simulated]
    if not names:
        return Finding("loopback", NOT_NEEDED, "nothing is simulated")
    try:
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=SECONDS).close()
    except OSError as error:
        found = f"{address} can't be served: {error.strerror or error}"
        advice = f"leave out {listed(names)}, or allow the loopback interface"
        return Finding("loopback", FAULT, found, advice)
    return Finding("loopback", OK, f"serves {listed(names)}")


def examine(directory: Path, profile_name: str, configfiles: tuple[Path, ...]) -> list[Finding]:
    """Run all checks except those of Python and its packages; one that fails becomes a row.

    `directory` is the working directory of the run, `profile_name` as for Snakemake's
    ``--workflow-profile``; `configfiles` override the default configuration.
    """
    try:
        path = profiles.find_profile(profile_name, (Path.cwd(), PROJECT))
        profile, wrong = profiles.load_profile(path), None
    except profiles.ProfileError as error:
        path, profile = None, profiles.Profile(Path(profile_name))
        wrong = Finding("profile", FAULT, str(error), "choose or correct the profile")
    configured = load_configuration(configfiles)
    with ThreadPoolExecutor(max_workers=4) as pool:  # most of them wait for another program
        devices = pool.submit(machine.find_devices)
        asked = pool.submit(profiles.ask_snakemake, PROJECT / "Snakefile", path, configfiles)
        checks = _folder_checks(directory, profile, configured)
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
        problem = f"a check failed: {type(error).__name__}: {error}"
        return [Finding("doctor", WARNING, problem, "please report this")]
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
        return found  # the other checks would only repeat it
    found.append(slurm.check_accounting(profile))
    if answers.demands:
        return [*found, slurm.check_jobs(answers.demands, profile)]
    why = "not checked: Snakemake can't read the profile or the configuration"
    return [*found, Finding("slurm jobs", WARNING, why, "correct those first")]


def _gpu_check(
    profile: profiles.Profile, answers: profiles.Answers, devices: machine.Devices
) -> Finding:
    asking = [demand for demand in answers.demands if demand.gpu]
    return machine.check_gpus(devices, asking, profile.executor)


def _folder_checks(folder: Path, profile: profiles.Profile, configured: Configured) -> list[Check]:
    store = configured.run.downloads.store if configured.run else "data/downloads"

    def check_locks() -> list[Finding]:
        runs = machine.snakemake_runs(folder)
        rerun = profile.content.get("rerun-incomplete") is True
        return [machine.check_locks(folder, runs), machine.check_incomplete(folder, runs, rerun)]

    return [
        lambda: check_configuration(configured),
        check_locks,
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
