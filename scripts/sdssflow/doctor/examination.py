"""All checks, each on its own, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sdssflow.doctor import machine, profiles, samples, slurm
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, WARNING, Finding

Check = Callable[[], "Finding | Sequence[Finding]"]
WRITTEN = ("results", "logs", "benchmarks/runs", ".snakemake")


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
    configured = samples.load_configuration([default, *place.configfiles])
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


def _folder_checks(
    folder: Path, profile: profiles.Profile, configured: samples.Configured
) -> list[Check]:
    store = configured.run.downloads.store if configured.run else "data/downloads"

    def of_locks() -> list[Finding]:
        runs = machine.snakemake_runs(folder)
        rerun = profile.content.get("rerun-incomplete") is True
        return [machine.check_locks(folder, runs), machine.check_incomplete(folder, runs, rerun)]

    return [
        lambda: samples.check_configuration(configured),
        of_locks,
        lambda: machine.check_writing([folder / name for name in (*WRITTEN, store)]),
        lambda: machine.check_flock(folder / "results"),
        lambda: machine.check_file_system(
            machine.file_system_type(folder), profile.number("latency-wait", 5), profile.executor
        ),
        lambda: machine.check_room("disk", folder),
        machine.check_temporary_folder,
        lambda: samples.check_archives(samples.archive_addresses(configured.samples)),
        lambda: samples.check_loopback(configured.samples),
    ]
