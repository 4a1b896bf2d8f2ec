"""SLURM as seen from here: its programs, its controller, its accounting."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sdssflow.doctor.commands import ask, find
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding
from sdssflow.doctor.profiles import Profile

PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo", "scontrol")
STATUS = "slurm-status-command"
INITIAL = "slurm-init-seconds-before-status-checks"
INITIAL_DEFAULT = 40


def check_programs(environment: Mapping[str, str]) -> Finding:
    """Check that SLURM's commands are on the PATH."""
    missing = [program for program in PROGRAMS if find(program, environment) is None]
    if missing:
        return Finding(
            "slurm programs",
            FAULT,
            f"no {', '.join(missing)} on PATH",
            "start on a login node of the cluster (there may be a module to load), or use "
            "profiles/default on this machine",
        )
    answer = ask(["sbatch", "--version"], environment)
    version = answer.out.strip() or "version unknown"  # without a configuration it says none
    return Finding("slurm programs", OK, f"{version}: {', '.join(PROGRAMS)}")


def check_controller(environment: Mapping[str, str]) -> Finding:
    """Check that the controller answers, not only that its programs are there."""
    ping = ask(["scontrol", "ping"], environment)
    if not ping.good or not re.search(r"\bUP\b", ping.out):
        said = ping.trouble or " ".join(ping.out.split())
        return Finding(
            "slurm controller",
            FAULT,
            said,
            "ask the cluster's operators; on a node of your own, start munged and slurmctld, or "
            "set SLURM_CONF",
        )
    nodes = ask(["sinfo", "--noheader", "--format=%D"], environment)
    if not nodes.good:
        return Finding("slurm controller", FAULT, nodes.trouble, "ask the cluster's operators")
    return Finding("slurm controller", OK, " ".join(ping.out.split()))


def min_job_age(environment: Mapping[str, str]) -> int | None:
    """Return for how many seconds SLURM remembers an ended job; None if it doesn't say."""
    answer = ask(["scontrol", "show", "config"], environment)
    match = re.search(r"^MinJobAge\s*=\s*(\d+)\s*(h|min)?", answer.out, re.MULTILINE)
    if not answer.good or not match:
        return None
    return int(match.group(1)) * {"h": 3600, "min": 60}.get(match.group(2), 1)


def check_accounting(profile: Profile, environment: Mapping[str, str]) -> Finding:
    """Check that Snakemake can learn how its jobs end.

    The executor asks `sacct` where that is on the PATH, even on a cluster that keeps no accounts;
    told to ask `squeue`, it still takes `sacct` if SLURM forgets ended jobs before it has asked
    three times. So this repeats its choice, and then asks as it would.
    """
    wanted = str(profile.content.get(STATUS, "")) or None
    if wanted not in (None, "sacct", "squeue"):
        return Finding(
            "slurm accounting",
            FAULT,
            f"{profile.place(STATUS)}: {STATUS} is {wanted!r}",
            "write squeue or sacct",
        )
    sacct = find("sacct", environment) is not None
    initial = profile.number(INITIAL, INITIAL_DEFAULT)
    age = min_job_age(environment)
    remembers = age is not None and age >= 3 * initial
    if (wanted or "sacct") == "squeue" or not sacct:
        if remembers or not sacct:
            return _by_squeue(profile, age, initial, remembers)
        reason = f"sacct is used, since {_too_short(age, initial)}"
    else:
        reason = "sacct is used" if wanted else f"{profile.path} has no {STATUS}: sacct is used"
    answer = ask(
        ["sacct", "-X", "--noheader", "--clusters", "all", "--starttime", "now-1minutes"],
        environment,
    )
    if answer.good:
        return Finding("slurm accounting", OK, f"{reason}, and answers")
    return Finding(
        "slurm accounting",
        FAULT,
        f"{reason}, but fails ({answer.trouble})",
        _remedy(profile, wanted, age, initial),
    )


def _by_squeue(profile: Profile, age: int | None, initial: int, remembers: bool) -> Finding:
    if remembers:
        found = f"squeue is used; SLURM remembers ended jobs for {age} s"
        return Finding("slurm accounting", OK, found)
    return Finding(
        "slurm accounting",
        WARNING,
        f"squeue is used, but {_too_short(age, initial)}: SLURM may forget how a job ended",
        _initial_line(profile, age),
    )


def _remedy(profile: Profile, wanted: str | None, age: int | None, initial: int) -> str:
    lines = []
    if wanted != "squeue":
        lines.append(f"write `{STATUS}: squeue` in {profile.place(STATUS)}")
    if age is None or age < 3 * initial:
        lines.append(_initial_line(profile, age))
    return " and ".join(lines)


def _initial_line(profile: Profile, age: int | None) -> str:
    if age is None:
        return "find out MinJobAge (scontrol show config): it has to be 3 x the seconds of the " \
               f"line {INITIAL} at least"  # fmt: skip
    if age < 3:
        return "ask the operators for a MinJobAge of 60 s or more, or for slurmdbd"
    return f"write `{INITIAL}: {age // 3}` in {profile.place(INITIAL)}"


def _too_short(age: int | None, initial: int) -> str:
    if age is None:
        return "MinJobAge is unknown"
    return f"MinJobAge is {age} s, less than 3 x {INITIAL} ({initial})"
