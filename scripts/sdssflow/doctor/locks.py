"""Locks and half-made outputs that a run leaves, and whose they are."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdssflow.cluster.runs import last_run
from sdssflow.doctor.commands import ask
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed

UNLOCK = "then snakemake --unlock"


@dataclass(frozen=True)
class Runs:
    """Snakemake processes of this machine."""

    here: tuple[int, ...] = ()
    """Their numbers, where they work in this folder."""
    orphans: tuple[int, ...] = ()
    """Numbers of jobs that work in this folder, as a killed run leaves them."""
    unknown: int = 0
    """How many are somebody else's, whose folder can't be seen."""


def snakemake_runs(folder: Path, processes: Path = Path("/proc")) -> Runs:
    """Find the Snakemake processes that work in `folder`, and jobs that outlived theirs."""
    here, jobs, unknown = [], [], 0
    for entry in processes.glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        is_job = any("/.snakemake/scripts/" in word for word in command[:6])
        if not is_job and not _is_snakemake(command):
            continue
        try:
            place = (entry / "cwd").readlink()
        except PermissionError:
            unknown += not is_job
        except OSError:
            continue
        else:
            if place == folder.resolve():
                (jobs if is_job else here).append(int(entry.name))
    return Runs(tuple(sorted(here)), () if here else tuple(sorted(jobs)), unknown)


def _is_snakemake(command: list[str]) -> bool:
    """Whether this is a Snakemake that was started by hand, not one that runs a job."""
    program = [Path(word).name for word in command[:6]]
    started = program[0].startswith(("python", "snakemake")) and "snakemake" in program
    return started and "--mode" not in command


def check_locks(
    folder: Path, runs: Runs, environment: Mapping[str, str], now: float | None = None
) -> Finding:
    """Check whether Snakemake's lock lies on the folder, and whether its owner lives.

    Parameters
    ----------
    folder : pathlib.Path
        Working directory of the workflow.
    runs : Runs
        From `snakemake_runs`.
    environment : mapping
        With the PATH on which `squeue` may be.
    now : float, optional
        Seconds since 1970, for the age of the lock.
    """
    locks = sorted((folder / ".snakemake/locks").glob("*.lock"))
    if not locks:
        return Finding("locks", OK, "none")
    oldest = min(locks, key=lambda path: path.stat().st_mtime)
    age = _duration((now or time.time()) - oldest.stat().st_mtime)
    owner = _owner(oldest)
    found = f"locked by {owner} {age} ago"
    if runs.here:
        numbers = listed([str(number) for number in runs.here])
        return Finding(
            "locks",
            WARNING,
            f"{found}; a run is alive: process {numbers}",
            "wait for it, or stop it with Ctrl-C; never unlock under a run",
        )
    return _left_behind(folder, runs, environment, owner, found)


def _left_behind(
    folder: Path, runs: Runs, environment: Mapping[str, str], owner: str, found: str
) -> Finding:
    """Return what is known of a lock without a run: jobs still at work, another machine."""
    if runs.orphans:
        numbers = [str(number) for number in runs.orphans]
        return Finding(
            "locks",
            FAULT,
            f"{found}; its run was killed, but its jobs still write: process {listed(numbers)}",
            f"wait for them, or kill {' '.join(numbers)}; {UNLOCK}",
        )
    elsewhere = _host_of_last_run(folder)
    if elsewhere:
        return Finding(
            "locks",
            FAULT,
            f"{found}; the last run began on {elsewhere}, which can't be seen from here",
            "look there whether it lives; if it doesn't: make cluster there adopts or cancels its "
            f"jobs, {UNLOCK}",
        )
    found += "; no Snakemake works here on this machine"
    if runs.unknown:
        found += f" ({runs.unknown} of other users: their folders can't be seen)"
    left, trouble = _jobs_left(folder, owner, environment)
    if left:
        return Finding(
            "locks",
            FAULT,
            f"{found}; SLURM still has its jobs {listed(left)}",
            f"make cluster adopts or cancels them (by hand: scancel {' '.join(left)}), {UNLOCK}",
        )
    if trouble:
        found += f"; whether SLURM still has jobs of it is not known ({trouble})"
    return Finding(
        "locks",
        FAULT,
        found,
        "if no run lives on another machine either: make cluster adopts or cancels what a killed "
        f"run left on a cluster; {UNLOCK}",
    )


def _host_of_last_run(folder: Path) -> str:
    """Return the other machine on which the last run began; '' if it was this one, or unknown."""
    run = last_run(folder)
    if run is None or run.alive() is not None:
        return ""
    return f"{run.host} (process {run.pid})"


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user number {path.stat().st_uid}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


def _jobs_left(folder: Path, owner: str, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the SLURM jobs of this folder that have not ended, and why none could be asked for."""
    answer = ask(["squeue", "--noheader", f"--user={owner}", "--format=%i|%Z"], environment)
    if not answer.good:
        return [], "" if answer.trouble == "no squeue on PATH" else answer.trouble
    here = folder.resolve()
    jobs = [line.split("|", 1) for line in answer.out.splitlines() if "|" in line]
    return sorted(job for job, place in jobs if Path(place).resolve() == here), ""


def incomplete_outputs(folder: Path) -> dict[str, str]:
    """Return the outputs that Snakemake has marked as unfinished -> the cluster job, or ''."""
    found = {}
    root = folder / ".snakemake/incomplete"
    for path in sorted(root.rglob("*")):
        if path.name == "migration_underway" or not path.is_file():
            continue
        parts = path.relative_to(root).parts  # long names are cut into folders "@..."
        code = "".join(part.removeprefix("@") for part in parts)
        try:
            name = base64.urlsafe_b64decode(code).decode()
            job = json.loads(path.read_text()).get("external_jobid")
        except (binascii.Error, ValueError, OSError):
            name, job = "/".join(parts), None
        found[name] = job or ""
    return found


def check_incomplete(outputs: Mapping[str, str], runs: Runs, rerun_incomplete: bool) -> Finding:
    """Check for outputs of jobs that never ended.

    Parameters
    ----------
    outputs : mapping
        From `incomplete_outputs`.
    runs : Runs
        While a run lives they are its work.
    rerun_incomplete : bool
        Whether the profile lets Snakemake make them again; else it refuses to start.
    """
    if not outputs:
        return Finding("half-made outputs", OK, "none")
    jobs = sorted({job for job in outputs.values() if job})
    found = f"{len(outputs)}: {listed(sorted(outputs), most=3)}"
    if jobs:
        found += f"; cluster jobs {listed(jobs)}"
    if runs.here:
        return Finding("half-made outputs", OK, f"{found}; a run is making them")
    if rerun_incomplete:
        return Finding("half-made outputs", OK, f"{found}; the next run makes them again")
    return Finding(
        "half-made outputs",
        WARNING,
        f"{found}; Snakemake stops at those that are there",
        "write `rerun-incomplete: true` in the profile",
    )
