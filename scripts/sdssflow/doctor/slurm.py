"""SLURM as seen from here: its programs, controller and accounting, and whether it accepts jobs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, ask, listed
from sdssflow.doctor.profiles import Demand, Profile

PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo", "scontrol")
STATUS = "slurm-status-command"
INITIAL = "slurm-init-seconds-before-status-checks"
INITIAL_DEFAULT = 40


def check_programs() -> Finding:
    """Check that SLURM's commands are on the PATH."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        advice = (
            "start on a login node of the cluster (perhaps after loading a module), or use "
            "profiles/default on this machine"
        )
        return Finding("slurm programs", FAULT, f"no {', '.join(missing)} on PATH", advice)
    version = ask(["sbatch", "--version"]).out.strip() or "version unknown"
    return Finding("slurm programs", OK, f"{version}: {', '.join(PROGRAMS)}")


def check_controller() -> Finding:
    """Check that the controller answers."""
    check, advice = "slurm controller", "ask the cluster's operators"
    ping = ask(["scontrol", "ping"])
    state = " ".join(ping.out.split())
    if not ping.good or not re.search(r"\bUP\b", state):
        advice += "; on your own node, start munged and slurmctld, or set SLURM_CONF"
        return Finding(check, FAULT, ping.trouble or state, advice)
    nodes = ask(["sinfo", "--noheader", "--format=%D"])
    if not nodes.good:
        return Finding(check, FAULT, nodes.trouble, advice)
    return Finding(check, OK, state)


def check_jobs(demands: Sequence[Demand], profile: Profile) -> Finding:
    """Check that SLURM would accept the jobs, by ``sbatch --test-only``: nothing is submitted.

    Jobs with equal resources are tried once. A refused first attempt is a fault; a refused last one
    (memory and time grow with `retries`) a warning. Resources that depend on the size of the input
    are those of an empty one, and group jobs are not tried.
    """
    check = "slurm jobs"
    asking = listed(list(dict.fromkeys(demand.rule for demand in demands if demand.gpu)))
    if profile.section("resources").get("gpu") == 0 and asking:
        place = profile.place("resources", "gpu")
        found = f"{place}: SLURM gives no GPU, but jobs of {asking} still expect one"
        advice = "remove that line; write `gpu: 0` for these rules under set-resources"
        return Finding(check, FAULT, found, advice)
    tried: dict[tuple[str, ...], str] = {}
    refused: dict[tuple[int, str], list[str]] = {}
    for demand in demands:
        command = tuple(demand.sbatch)
        if command not in tried:
            tried[command] = ask([*command, "--test-only", "--wrap=true"]).trouble
        if tried[command]:  # shown with the options that decide where it fits
            pattern = r"(?:-[pAtC]|--(?:mem|gpus|qos|cpus-per-\w+))[ =]\S+"
            shown = f"{tried[command]} ({' '.join(re.findall(pattern, ' '.join(command)))})"
            refused.setdefault((demand.attempt, shown), []).append(demand.rule)
    if not refused:
        gpus = f"; with GPUs: {asking}" if asking else ""
        return Finding(check, OK, f"sbatch accepts those of all rules ({len(tried)} kinds{gpus})")
    first = min(attempt for attempt, _ in refused)
    problems = [
        f"{listed(rules)}{f', attempt {attempt}' if attempt > 1 else ''}: {why}"
        for (attempt, why), rules in refused.items()
        if attempt == first
    ]
    advice = (
        f"request less, or another slurm_partition, under default-resources or set-resources "
        f"in {profile.path} (sinfo lists partitions; `gpu: 0` trains on the CPU)"
    )
    return Finding(check, FAULT if first == 1 else WARNING, listed(problems, 2, "; "), advice)


def min_job_age() -> int | None:
    """Return for how many seconds SLURM remembers an ended job; None if unknown."""
    answer = ask(["scontrol", "show", "config"])
    match = re.search(r"^MinJobAge\s*=\s*(\d+)\s*(h|min)?", answer.out, re.MULTILINE)
    if not answer.good or not match:
        return None
    return int(match.group(1)) * {"h": 3600, "min": 60}.get(match.group(2), 1)


def check_accounting(profile: Profile) -> Finding:
    """Check that Snakemake can find out how its jobs end.

    The executor uses `sacct` if it is on the PATH, even on a cluster without accounting; with
    `squeue` in the profile, it still uses `sacct` if SLURM forgets ended jobs before three status
    checks. This repeats its choice, and then its query.
    """
    check = "slurm accounting"
    wanted = str(profile.content.get(STATUS, "")) or None
    if wanted not in (None, "sacct", "squeue"):
        found = f"{profile.place(STATUS)}: {STATUS} is {wanted!r}"
        return Finding(check, FAULT, found, "write squeue or sacct")
    initial = profile.number(INITIAL, INITIAL_DEFAULT)
    age = min_job_age()
    short = f"MinJobAge is {age} s, less than 3 x {INITIAL} ({initial})"
    if age is None:
        short = "MinJobAge is unknown"
        line = f"find out MinJobAge (scontrol show config): it must be at least 3 x {INITIAL}"
    elif age < 3:
        line = "ask the operators for a MinJobAge of 60 s or more, or for slurmdbd"
    else:
        line = f"write `{INITIAL}: {age // 3}` in {profile.place(INITIAL)}"
    remembers = age is not None and age >= 3 * initial
    sacct = shutil.which("sacct") is not None
    if not sacct or (wanted == "squeue" and remembers):
        if remembers:
            found = f"squeue is used; SLURM remembers ended jobs for {age} s"
            return Finding(check, OK, found)
        found = f"squeue is used, but {short}: SLURM may forget how a job ended"
        return Finding(check, WARNING, found, line)
    reason = {
        "squeue": f"sacct is used, since {short}",
        "sacct": "sacct is used",
        None: f"{profile.path} has no {STATUS}: sacct is used",
    }[wanted]
    period = ["--clusters", "all", "--starttime", "now-1minutes"]
    answer = ask(["sacct", "-X", "--noheader", *period])
    if answer.good:
        return Finding(check, OK, f"{reason}, and answers")
    lines = [f"write `{STATUS}: squeue` in {profile.place(STATUS)}"] * (wanted != "squeue")
    lines += [line] * (not remembers)
    found = f"{reason}, but fails ({answer.trouble})"
    return Finding(check, FAULT, found, " and ".join(lines))
