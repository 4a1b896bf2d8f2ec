"""What a job of each rule asks for once the profile has had its say."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdssflow.doctor.profiles import Profile
from sdssflow.doctor.rules import Rule

READ = frozenset({"threads", "cpus_per_task", "mem_mb", "mem", "runtime", "gpu", "gpu_model",
                  "slurm_partition", "without_gpu"})  # fmt: skip
MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 10080}
MEGABYTES = {"b": 1e-6, "kb": 1e-3, "mb": 1, "gb": 1e3, "tb": 1e6,
             "kib": 2**10 / 1e6, "mib": 2**20 / 1e6, "gib": 2**30 / 1e6,
             "tib": 2**40 / 1e6}  # fmt: skip
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
              ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
              ast.Pow: operator.pow}  # fmt: skip
_FUNCTIONS = {"min": min, "max": max, "int": int, "round": round}


@dataclass(frozen=True)
class Demand:
    """One attempt of a job of one rule."""

    rule: str
    partition: str = ""
    """Empty: the cluster's default."""
    cpus: int = 1
    mem_mb: int = 0
    runtime: int = 0
    """Minutes."""
    gpus: int = 0
    gpu_model: str = ""
    without_gpu: str = ""
    """The rule's word for what to do on a machine without GPU."""
    attempt: int = 1
    unread: tuple[str, ...] = ()
    """Names of resources that could not be read: they count as 0."""


def demand(rule: Rule, profile: Profile, attempt: int = 1) -> Demand:
    """Return what a job of a rule asks for.

    The profile's `set-resources` and `set-threads` of the rule stand over the rule itself, and
    that over `default-resources`.
    """
    asked: dict[str, Any] = dict(profile.section("default-resources"))
    asked |= {name: amount.at(attempt) for name, amount in rule.resources.items()}
    own = profile.section("set-resources").get(rule.name)
    asked |= own if isinstance(own, dict) else {}
    threads = profile.section("set-threads").get(rule.name, rule.threads)
    unread = {*READ.intersection(rule.unread)} - set(own if isinstance(own, dict) else {})
    read: dict[str, int] = {}
    for name, value, units in (
        ("cpus_per_task", asked.get("cpus_per_task", threads), {}),
        ("mem_mb", _memory(asked), MEGABYTES),
        ("runtime", asked.get("runtime", 0), MINUTES),
        ("gpu", asked.get("gpu", 0), {}),
    ):
        number = quantity(value, units, attempt)
        read[name] = number or 0
        if number is None:
            unread.add(name)
    return Demand(
        rule.name,
        str(asked.get("slurm_partition") or ""),
        max(read["cpus_per_task"], 1),
        read["mem_mb"],
        read["runtime"],
        read["gpu"],
        str(asked.get("gpu_model") or ""),
        str(asked.get("without_gpu") or ""),
        attempt,
        tuple(sorted(unread)),
    )


def group_demands(rules: Sequence[Rule], profile: Profile) -> list[Demand]:
    """Return what a job of each group may ask for, as far as that is known without the samples.

    Parameters
    ----------
    rules : sequence of Rule
        Those that run on the cluster.
    profile : Profile
        With `groups`, `group-components` and `cores`.

    Returns
    -------
    list of Demand
        CPUs and memory are the most that it can be: `cores` rules at a time, one if the profile
        has no number of `cores`. The time is that of its longest rule, once for each turn that as
        many components as allowed need; rules that wait for each other add to it.
    """
    groups = profile.section("groups")
    cores = profile.number("cores", 1)
    limit = quantity(_memory(profile.section("resources")), MEGABYTES) or math.inf
    found = []
    for name in dict.fromkeys(map(str, groups.values())):
        members = [demand(rule, profile) for rule in rules
                   if str(groups.get(rule.name)) == name]  # fmt: skip
        if not members:
            continue
        components = profile.section("group-components").get(name, 1)
        turns = math.ceil(int(components) / cores) if str(components).isdigit() else 1
        largest = max(asked.mem_mb for asked in members)
        found.append(
            Demand(
                f"group {name}",
                members[0].partition,
                max(cores, *(asked.cpus for asked in members)),
                int(min(cores * largest, max(limit, largest))),
                turns * max(asked.runtime for asked in members),
                max(asked.gpus for asked in members),
            )
        )
    return found


def _memory(asked: Mapping[str, Any]) -> Any:
    return asked.get("mem_mb", asked.get("mem", 0))


def quantity(value: Any, units: Mapping[str, float], attempt: int = 1) -> int | None:
    """Return a resource as a number, rounded up; None if it can't be told.

    Parameters
    ----------
    value : int, float or str
        A number, a number with a unit, or arithmetic with `attempt`.
    units : mapping
        Unit -> how many of ours it is.
    attempt : int
        Counted from 1.

    Examples
    --------
    >>> quantity("2h", MINUTES), quantity("1000 * attempt**2", {}, attempt=2)
    (120, 4000)
    """
    text = str(value).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    if match and (not match.group(2) or match.group(2).lower() in units):
        unit = units[match.group(2).lower()] if match.group(2) else 1
        return math.ceil(float(match.group(1)) * unit)
    try:
        return math.ceil(_value(ast.parse(text, mode="eval").body, attempt))
    except (ValueError, SyntaxError, TypeError, ArithmeticError):
        return None


def _value(node: ast.expr, attempt: int) -> float:
    """Arithmetic of numbers and `attempt`, nothing else: a profile is no program to us."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="attempt"):
            return attempt
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, attempt), _value(right, attempt))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, attempt) for arg in args))
    raise ValueError(f"no arithmetic: {ast.dump(node)}")
