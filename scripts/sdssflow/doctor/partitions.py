"""Whether the partitions of a cluster can take the jobs that the profile makes of the rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sdssflow.doctor.demands import Demand, demand, group_demands
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, WARNING, Finding, listed
from sdssflow.doctor.nodes import Partition
from sdssflow.doctor.profiles import Profile
from sdssflow.doctor.rules import Rule


def check_partitions(
    rules: Mapping[str, Rule], profile: Profile, partitions: Mapping[str, Partition]
) -> Finding:
    """Check that each partition asked for is there, up, and large enough.

    The first attempt of each rule has to fit. Whether the last one does (memory and time grow with
    `retries`), and whether jobs that the profile groups do, is a warning: how many rules a group
    holds depends on the samples. A job of a group asks for at most `cores` CPUs, and so for as many
    times the memory of its largest rule.
    """
    check = "slurm partitions"
    attempts = profile.number("retries", 0) + 1
    remote = [rule for rule in rules.values() if not rule.local]
    first = [demand(rule, profile) for rule in remote]
    problems = _problems(first, partitions, profile)
    if problems:
        return Finding(check, FAULT, *_together(problems))
    later = [demand(rule, profile, attempts) for rule in remote] if attempts > 1 else []
    grouped = group_demands(remote, profile)
    problems = _problems([*grouped, *later], partitions, profile)
    if problems:
        return Finding(check, WARNING, *_together(problems))
    unread = sorted({f"{asked.rule} {name}" for asked in first for name in asked.unread})
    if unread:
        return Finding(check, WARNING, f"not read from the rules: {listed(unread)}",
                       "compare them with sinfo yourself")  # fmt: skip
    names = sorted({_partition(asked, partitions).name for asked in first})
    return Finding(
        check, OK, f"{', '.join(names)}: up; {_largest([*first, *later, *grouped])} fits"
    )


def _partition(asked: Demand, partitions: Mapping[str, Partition]) -> Partition | None:
    if asked.partition:
        return partitions.get(asked.partition)
    return next((partition for partition in partitions.values() if partition.default), None)


def _largest(demands: Sequence[Demand]) -> str:
    cpus = max(asked.cpus for asked in demands)
    memory = max(asked.mem_mb for asked in demands)
    minutes = max(asked.runtime for asked in demands)
    return f"the largest of all jobs ({cpus} CPUs, {memory} MB, {minutes} min)"


def _problems(
    demands: Iterable[Demand], partitions: Mapping[str, Partition], profile: Profile
) -> list[tuple[str, str]]:
    """Return what is wrong and what to do about it, for each job that can't run."""
    found = (_problem(asked, partitions, profile) for asked in demands)
    return list(dict.fromkeys(problem for problem in found if problem))


def _together(problems: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return some problems as one, and what to do about the first."""
    return listed([problem for problem, _ in problems], 2, "; "), problems[0][1]


def _problem(
    asked: Demand, partitions: Mapping[str, Partition], profile: Profile
) -> tuple[str, str] | None:
    partition = _partition(asked, partitions)
    place = _place(profile, asked.rule, "slurm_partition")
    if partition is None and asked.partition:
        near = difflib.get_close_matches(asked.partition, list(partitions), n=1, cutoff=0.4)
        hint = f"{near[0]}?" if near else f"one of {listed(sorted(partitions))}"
        return (f"{place}: there is no partition {asked.partition!r}", hint)
    if partition is None:
        return (
            "the cluster has no default partition, and the profile names none",
            f"write `slurm_partition:` under default-resources in {profile.path}: "
            f"one of {listed(sorted(partitions))}",
        )
    if not partition.up:
        return (f"{partition.name} is not up", "wait, or take another partition (sinfo)")
    if asked.runtime > partition.minutes:
        return (
            f"{_who(asked)} for {asked.runtime} min, {partition.name} gives "
            f"{partition.minutes:.0f}",
            _smaller(profile, asked, "runtime"),
        )
    without_gpus = replace(asked, gpus=0, gpu_model="")
    if not partition.fitting(without_gpus):
        cpus = max(node.cpus for node in partition.nodes)
        memory = max(node.mem_mb for node in partition.nodes)
        return (
            f"{_who(asked)} for {asked.cpus} CPUs and {asked.mem_mb} MB; no node of "
            f"{partition.name} has both (at most {cpus} CPUs, {memory} MB)",
            _smaller(profile, asked, "cores" if asked.cpus > cpus else "mem_mb"),
        )
    if not any(node.works for node in partition.fitting(without_gpus)):
        return (f"no node of {partition.name} that is large enough for {asked.rule} is working",
                "wait, or take another partition (sinfo -R says why)")  # fmt: skip
    return None


def _who(asked: Demand) -> str:
    if asked.rule.startswith("group "):
        return f"a job of {asked.rule} may ask"
    again = f", attempt {asked.attempt}," if asked.attempt > 1 else ""
    return f"{asked.rule}{again} asks"


def _place(profile: Profile, rule: str, key: str) -> str:
    """Return the line where the profile says something of a rule, or of all."""
    for way in (("set-resources", rule, key), ("default-resources", key)):
        if way in profile.lines:
            return profile.place(*way)
    return str(profile.path)


def _smaller(profile: Profile, asked: Demand, key: str) -> str:
    group = asked.rule.removeprefix("group ")
    if group != asked.rule:
        if key == "runtime" and group in profile.section("group-components"):
            return f"a smaller number in {profile.place('group-components', group)}"
        if key == "runtime":
            return f"a smaller runtime under set-resources, or leave group {group} out"
        return f"a smaller number in {profile.place('cores')}"
    if key == "cores":
        key = "cpus_per_task"
    return f"a partition with more, or a smaller `{key}` of {asked.rule} under set-resources"


def check_gpu_partitions(
    rules: Mapping[str, Rule], profile: Profile, partitions: Mapping[str, Partition]
) -> Finding:
    """Check that the cluster has the GPUs that rules ask for."""
    check = "slurm gpus"
    asking = [asked for rule in rules.values() if not rule.local
              if (asked := demand(rule, profile)).gpus]  # fmt: skip
    if not asking:
        return Finding(check, NOT_NEEDED, "no rule asks for a GPU under this profile")
    cap = profile.section("resources").get("gpu")
    if cap == 0:
        return Finding(
            check,
            FAULT,
            f"{profile.place('resources', 'gpu')}: no GPU is asked of SLURM, but the jobs of "
            f"{listed([asked.rule for asked in asking])} still expect one",
            "remove that line; write `gpu: 0` for these rules under set-resources",
        )
    shown = []
    for asked in asking:
        partition = _partition(asked, partitions)
        if partition is None:
            return Finding(check, WARNING, f"{asked.rule} has no partition", "see slurm partitions")
        if not partition.fitting(asked):
            return _no_gpu(asked, partition, partitions, profile)
        shown.append(f"{asked.rule}: {asked.gpus} of {partition.name}")
    return Finding(check, OK, listed(shown))


def _no_gpu(
    asked: Demand, partition: Partition, partitions: Mapping[str, Partition], profile: Profile
) -> Finding:
    wanted = f"{asked.gpus} GPU{'s' * (asked.gpus != 1)}"
    wanted += f" of model {asked.gpu_model}" * bool(asked.gpu_model)
    elsewhere = sorted(other.name for other in partitions.values() if other.fitting(asked))
    models = sorted({model for node in partition.nodes for model in node.gpus if model})
    place = _place(profile, asked.rule, "gpu")
    if elsewhere:
        advice = f"`slurm_partition: {elsewhere[0]}` for {asked.rule} under set-resources"
    elif asked.gpu_model and models:
        advice = f"`gpu_model:` one of {listed(models)}, or none"
    else:
        advice = f"`gpu: 0` for {asked.rule} ({place}): it trains on the CPU"
    return Finding(
        "slurm gpus",
        FAULT,
        f"{asked.rule} asks for {wanted} with {asked.cpus} CPUs and {asked.mem_mb} MB; no node of "
        f"{partition.name} has them",
        advice,
    )
