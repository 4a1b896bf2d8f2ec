"""The partitions of a SLURM cluster and their nodes, as sinfo lists them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sdssflow.doctor.commands import ask
from sdssflow.doctor.demands import Demand

FORMAT = "%P|%a|%l|%c|%m|%G|%T"
DEAD = ("down", "drain", "fail", "inval", "unk", "maint", "power", "reboot")


@dataclass(frozen=True)
class Partition:
    """The nodes of a partition."""

    name: str
    default: bool
    up: bool
    minutes: float
    """Longest time of a job; infinity if there is no limit."""
    nodes: tuple[Node, ...]

    def fitting(self, asked: Demand) -> list[Node]:
        """Return the nodes, working or not, that are large enough for a job."""
        return [node for node in self.nodes if node.fits(asked)]


@dataclass(frozen=True)
class Node:
    """What one node has."""

    cpus: int
    mem_mb: int
    gpus: dict[str, int]
    """Number of GPUs by model; the model is '' where the cluster doesn't say it."""
    works: bool = True

    def fits(self, asked: Demand) -> bool:
        """Whether a job fits on this node when it is empty."""
        model = asked.gpu_model
        gpus = self.gpus.get(model, 0) if model else sum(self.gpus.values())
        return self.cpus >= asked.cpus and self.mem_mb >= asked.mem_mb and gpus >= asked.gpus


def read_partitions(environment: Mapping[str, str]) -> tuple[dict[str, Partition], str]:
    """Return the partitions by name, and why they could not be read."""
    answer = ask(["sinfo", "--noheader", "--Node", f"--format={FORMAT}"], environment)
    if not answer.good:
        return {}, answer.trouble
    found: dict[str, Partition] = {}
    for line in answer.out.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != FORMAT.count("|") + 1:
            continue
        label, state, limit, cpus, memory, gres, node_state = cells
        name = label.rstrip("*")
        works = not any(node_state.lower().startswith(word) for word in DEAD)
        node = Node(_number(cpus), _number(memory), gpus_of(gres),
                    works and not node_state.endswith("*"))  # fmt: skip
        known = found.get(name)
        nodes = (*known.nodes, node) if known else (node,)
        up = state == "up"
        found[name] = Partition(name, label.endswith("*"), up, minutes_of(limit), nodes)
    return found, ""


def _number(text: str) -> int:
    match = re.match(r"\d+", text)  # "4000+": of several kinds of nodes the smallest
    return int(match.group()) if match else 0


def minutes_of(limit: str) -> float:
    """Return a time limit as SLURM writes it, in minutes.

    Examples
    --------
    >>> minutes_of("1-02:30:00"), minutes_of("30:00"), minutes_of("infinite")
    (1590.0, 30.0, inf)
    """
    days, _, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return math.inf
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return 1440 * int(days or 0) + seconds / 60


def gpus_of(gres: str) -> dict[str, int]:
    """Return the GPUs of a node by model.

    Examples
    --------
    >>> gpus_of("gpu:a100:4(S:0-1),gpu:2,shard:8")
    {'a100': 4, '': 2}
    """
    found: dict[str, int] = {}
    for item in re.sub(r"\([^)]*\)", "", gres).split(","):
        kind, *rest = item.split(":")
        if kind == "gpu":
            count = int(rest[-1]) if rest and rest[-1].isdigit() else 1
            model = rest[0] if rest and not rest[0].isdigit() else ""
            found[model] = found.get(model, 0) + count
    return found
