"""All checks, each on its own, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sdssflow.doctor import configuration, disks, gpus, locks, network, profiles, slurm
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, WARNING, Finding

Check = Callable[[], "Finding | Sequence[Finding]"]
WRITTEN = ("results", "logs", "benchmarks/runs", ".snakemake")


@dataclass(frozen=True)
class Place:
    """Where and how a run would start."""

    root: Path
    """The project: rules and profiles."""
    directory: Path
    """Working directory of the run."""
    profile: str
    """As for `snakemake --workflow-profile`."""
    configfiles: tuple[Path, ...]
    """Override the default one."""


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
    configured = configuration.load_configuration([default, *place.configfiles])
    checks = [
        lambda: configuration.check_configuration(configured),
        *_folder_checks(place.directory, profile, configured),
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:  # most of them wait for another program
        devices = pool.submit(gpus.find_devices)
        asked = pool.submit(
            profiles.ask_snakemake, place.root / "Snakefile", path, place.configfiles
        )
        others = [pool.submit(_guarded, check) for check in checks]
        first = _guarded(lambda: _profile_checks(profile, wrong, asked.result()))
        second = _guarded(lambda: _slurm_checks(profile, asked.result()))
        third = _guarded(lambda: _gpu_check(profile, asked.result(), devices.result()))
        groups = [first, second, third, *(other.result() for other in others)]
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
    return [
        started,
        profiles.check_keys(profile, answers),
        profiles.check_rule_names(profile, answers.rules),
        profiles.check_site(profile),
    ]


def _slurm_checks(profile: profiles.Profile, answers: profiles.Answers) -> list[Finding]:
    if profile.executor != "slurm":
        found = f"the executor of the profile is {profile.executor}"
        return [Finding("slurm", NOT_NEEDED, found)]
    found = [slurm.check_programs(), slurm.check_controller()]
    if found[-1].state == FAULT:
        return found  # what follows from it would only hide it
    found.append(slurm.check_accounting(profile))
    if answers.demands:
        return [*found, slurm.check_jobs(answers.demands, profile)]
    why = "not tried: Snakemake can't read the profile or the configuration"
    return [*found, Finding("slurm jobs", WARNING, why, "correct those first")]


def _gpu_check(
    profile: profiles.Profile, answers: profiles.Answers, devices: gpus.Devices
) -> Finding:
    asking = [demand for demand in answers.demands if demand.gpu]
    return gpus.check_gpus(devices, asking, profile.executor)


def _folder_checks(
    folder: Path, profile: profiles.Profile, configured: configuration.Configured
) -> list[Check]:
    store = configured.run.downloads.store if configured.run else "data/downloads"
    temporary = disks.temporary_folder()

    def of_locks() -> list[Finding]:
        runs = locks.snakemake_runs(folder)
        rerun = profile.content.get("rerun-incomplete") is True
        return [locks.check_locks(folder, runs), locks.check_incomplete(folder, runs, rerun)]

    return [
        of_locks,
        lambda: disks.check_writing([folder / name for name in (*WRITTEN, store)]),
        lambda: disks.check_flock(folder / "results"),
        lambda: disks.check_file_system(
            disks.file_system_type(folder), profile.number("latency-wait", 5), profile.executor
        ),
        lambda: disks.check_room("disk", folder),
        lambda: disks.check_temporary_folder(temporary),
        lambda: network.check_archives(configuration.archive_addresses(configured.samples)),
        lambda: network.check_loopback(configuration.simulated_samples(configured.samples)),
    ]
