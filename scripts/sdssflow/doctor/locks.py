"""Locks and half-made outputs that a run leaves, and whose they are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed
from sdssflow.running.runs import QueueError, available, jobs_of, last_run

UNLOCK = "then snakemake --unlock"


@dataclass(frozen=True)
class Runs:
    """Snakemake processes of this machine."""

    here: tuple[int, ...] = ()  # numbers of those that work in this folder
    orphans: tuple[int, ...] = ()  # of jobs that work in this folder, as a killed run leaves them
    unknown: int = 0  # how many are somebody else's, whose folder can't be seen


def snakemake_runs(folder: Path) -> Runs:
    """Find the Snakemake processes that work in `folder`, and jobs that outlived theirs."""
    here: list[int] = []
    jobs: list[int] = []
    unknown = 0
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command, place = process.info["cmdline"] or [], process.info["cwd"]
        program = [Path(word).name for word in command[:6]] or [""]
        is_job = any("/.snakemake/scripts/" in word for word in command[:6])
        is_run = program[0].startswith(("python", "snakemake")) and "snakemake" in program
        if not is_job and (not is_run or "--mode" in command):  # a Snakemake that runs one job
            continue
        if not place:
            unknown += not is_job
        elif Path(place) == folder.resolve():
            (jobs if is_job else here).append(process.info["pid"])
    return Runs(tuple(sorted(here)), () if here else tuple(sorted(jobs)), unknown)


def check_locks(folder: Path, runs: Runs, now: float | None = None) -> Finding:
    """Check whether Snakemake's lock lies on the working directory, and whether its owner lives."""
    locks = sorted((folder / ".snakemake/locks").glob("*.lock"))
    if not locks:
        return Finding("locks", OK, "none")
    oldest = min(locks, key=lambda path: path.stat().st_mtime)
    found = f"locked by {_owner(oldest)} {_age((now or time.time()) - oldest.stat().st_mtime)} ago"
    if runs.here:
        found += f"; a run is alive: process {listed(list(map(str, runs.here)))}"
        advice = "wait for it, or stop it with Ctrl-C; never unlock under a run"
        return Finding("locks", WARNING, found, advice)
    return Finding("locks", FAULT, *_left_behind(folder, runs, found))


def _left_behind(folder: Path, runs: Runs, found: str) -> tuple[str, str]:
    """Return what is known of a lock without a run (its jobs may live), and what to do."""
    if runs.orphans:
        numbers = [str(number) for number in runs.orphans]
        return (
            f"{found}; its run was killed, but its jobs still write: process {listed(numbers)}",
            f"wait for them, or kill {' '.join(numbers)}; {UNLOCK}",
        )
    run = last_run(folder)
    if run is not None and run.alive() is None:
        return (
            f"{found}; the last run began on {run.host} (process {run.pid}), which can't be seen "
            "from here",
            "look there whether it lives; if it doesn't: make cluster there adopts or cancels its "
            f"jobs, {UNLOCK}",
        )
    found += "; no Snakemake works here on this machine"
    if runs.unknown:
        found += f" ({runs.unknown} of other users: their folders can't be seen)"
    try:
        left = jobs_of(folder) if available() else []
    except QueueError as error:
        found += f"; whether SLURM still has jobs of it is not known ({error})"
        left = []
    if left:
        by_hand = " ".join(job.jobid for job in left)
        return (
            f"{found}; SLURM still has its jobs {listed([str(job) for job in left])}",
            f"make cluster adopts or cancels them (by hand: scancel {by_hand}), {UNLOCK}",
        )
    return (
        found,
        "if no run lives on another machine either: make cluster adopts or cancels what a killed "
        f"run left on a cluster; {UNLOCK}",
    )


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user number {path.stat().st_uid}"


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


def check_incomplete(folder: Path, runs: Runs, rerun_incomplete: bool) -> Finding:
    """Check for outputs of jobs that never ended, by the marks that Snakemake keeps.

    The profile may let Snakemake make them again; else it refuses to start.
    """
    check = "half-made outputs"
    marks = (folder / ".snakemake/incomplete").rglob("*")
    count = sum(path.is_file() and path.name != "migration_underway" for path in marks)
    if not count:
        return Finding(check, OK, "none")
    if runs.here:
        return Finding(check, OK, f"{count}; a run is making them")
    if rerun_incomplete:
        return Finding(check, OK, f"{count}; the next run makes them again")
    found = f"{count}; Snakemake names them and stops at those that are there"
    return Finding(check, WARNING, found, "write `rerun-incomplete: true` in the profile")
