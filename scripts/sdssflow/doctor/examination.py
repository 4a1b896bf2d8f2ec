"""All checks, each on its own, in the order of the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sdssflow.doctor import disks, gpus, locks, network, nodes, partitions, profiles, samples, slurm
from sdssflow.doctor import snakemake_options as snakemake
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, WARNING, Finding
from sdssflow.doctor.rules import Rule, read_rules

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
    """Laid over the shipped one."""
    environment: Mapping[str, str]


def examine(place: Place) -> list[Finding]:
    """Run all checks but those of Python and its packages; one that breaks becomes a row."""
    try:
        path = profiles.find_profile(place.profile, (Path.cwd(), place.root))
        profile, wrong = profiles.load_profile(path), None
    except profiles.ProfileError as error:
        path, profile = None, profiles.Profile(Path(place.profile))
        wrong = Finding("profile", FAULT, str(error), "choose or correct the profile")
    rules = read_rules(place.root / "rules")
    configured = samples.load_configuration(_configuration_files(place))
    unused = samples.unused_rules(configured)
    used = {name: rule for name, rule in rules.items() if name not in unused}
    checks = [
        *_profile_checks(place, path, profile, wrong, rules),
        *_slurm_checks(place, profile, used),
        *_machine_checks(place, profile, used),
        lambda: samples.check_configuration(configured),
        *_folder_checks(place, profile, configured),
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:  # most of them wait for another program
        found = list(pool.map(_guarded, checks))
    return [finding for group in found for finding in group]


def _guarded(check: Check) -> Sequence[Finding]:
    try:
        found = check()
    except Exception as error:
        name = type(error).__name__
        return [Finding("doctor", WARNING, f"a check broke: {name}: {error}", "tell its authors")]
    return [found] if isinstance(found, Finding) else found


def _configuration_files(place: Place) -> list[Path]:
    own = place.directory / "config/config.yaml"
    shipped = own if own.is_file() else place.root / "config/config.yaml"
    return [shipped, *place.configfiles]


def _profile_checks(
    place: Place,
    path: Path | None,
    profile: profiles.Profile,
    wrong: Finding | None,
    rules: Mapping[str, Rule],
) -> list[Check]:
    def snakemake_and_profile() -> list[Finding]:
        options = snakemake.ask_snakemake(place.environment, path)
        return [
            snakemake.check_snakemake(options, profile.executor),
            wrong or profiles.check_keys(profile, options),
        ]

    if wrong:
        return [snakemake_and_profile]
    return [
        snakemake_and_profile,
        lambda: profiles.check_rule_names(profile, rules),
        lambda: profiles.check_site(profile),
    ]


def _slurm_checks(
    place: Place, profile: profiles.Profile, rules: Mapping[str, Rule]
) -> list[Check]:
    if profile.executor != "slurm":
        return [
            lambda: Finding(
                "slurm", NOT_NEEDED, f"the executor of the profile is {profile.executor}"
            )
        ]
    environment = place.environment

    def of_slurm() -> list[Finding]:
        found = [slurm.check_programs(environment), slurm.check_controller(environment)]
        if found[-1].state == FAULT:
            return found  # what follows from it would only hide it
        found.append(slurm.check_accounting(profile, environment))
        known, trouble = nodes.read_partitions(environment)
        if trouble:
            return [*found, Finding("slurm partitions", FAULT, trouble, "ask the operators")]
        return [
            *found,
            partitions.check_partitions(rules, profile, known),
            partitions.check_gpu_partitions(rules, profile, known),
        ]

    return [of_slurm]


def _machine_checks(
    place: Place, profile: profiles.Profile, rules: Mapping[str, Rule]
) -> list[Check]:
    return [
        lambda: gpus.check_gpus(
            gpus.find_devices(place.environment, sys.executable),
            gpus.asking_for_gpus(rules, profile),
            profile.executor,
        ),
    ]


def _folder_checks(
    place: Place, profile: profiles.Profile, configured: samples.Configured
) -> list[Check]:
    folder = place.directory
    store = configured.run.downloads.store if configured.run else "data/downloads"
    temporary = disks.temporary_folder(place.environment)

    def of_locks() -> list[Finding]:
        runs = locks.snakemake_runs(folder)
        rerun = profile.content.get("rerun-incomplete") is True
        return [
            locks.check_locks(folder, runs, place.environment),
            locks.check_incomplete(locks.incomplete_outputs(folder), runs, rerun),
        ]

    def of_file_system() -> Finding:
        mounts = Path("/proc/mounts").read_text(errors="replace")
        kind = disks.file_system_type(folder, mounts)
        return disks.check_file_system(kind, profile.number("latency-wait", 5), profile.executor)

    return [
        of_locks,
        lambda: disks.check_writing([folder / name for name in (*WRITTEN, store)]),
        lambda: disks.check_flock(folder / "results", place.environment),
        of_file_system,
        lambda: disks.check_room("disk", folder, disks.room_of(folder)),
        lambda: (
            disks.check_temporary_folder(temporary)
            or disks.check_room("temporary disk", temporary, disks.room_of(temporary))
        ),
        lambda: network.check_archives(
            samples.archive_addresses(configured.samples), place.environment
        ),
        lambda: network.check_loopback(samples.simulated_samples(configured.samples)),
    ]


def environment_of_run() -> dict[str, str]:
    """Return the environment variables that a run started here would have."""
    return dict(os.environ)
