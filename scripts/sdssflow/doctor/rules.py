"""What the rules ask of a machine, read from rules/*.smk without Snakemake.

A dry run is no substitute: it stops in just the cases that the doctor is for, says nothing of a
finished run, and prints no resources of a rule that has a message. The rules write their resources
in one way only, ``by_attempt(1000)`` or a plain value; what is written otherwise is counted as
unread, and a test compares what is read here with what a dry run says of rules without messages.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

_RULE = re.compile(r"^(?:rule|checkpoint) (\w+):(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^    resources:\n((?:(?: {8}.*)?\n)*)", re.MULTILINE)
_ITEM = re.compile(r"^ {8}(\w+)=(.*?),?\s*(?:#.*)?$", re.MULTILINE)
_GROWING = re.compile(r"by_attempt\((\d+)\)$")


@dataclass(frozen=True)
class Amount:
    """A resource: the same in each attempt, or that many times the attempt."""

    value: int | str
    grows: bool = False

    def at(self, attempt: int) -> int | str:
        """Return it for an attempt, counted from 1."""
        return self.value * attempt if self.grows else self.value  # type: ignore[operator]


@dataclass(frozen=True)
class Rule:
    """A rule's demands."""

    name: str
    local: bool = False
    """Whether it runs where Snakemake runs, not on the cluster."""
    threads: int = 1
    resources: dict[str, Amount] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    """Names of what was written in a way that is not read here."""


def read_rules(folder: Path) -> dict[str, Rule]:
    """Return the rules of all files of a folder by name."""
    rules = {}
    for path in sorted(folder.glob("*.smk")):
        for name, body in _RULE.findall(path.read_text(encoding="utf-8")):
            rules[name] = _rule(name, body)
    return rules


def _rule(name: str, body: str) -> Rule:
    resources: dict[str, Amount] = {}
    unread = []
    block = _BLOCK.search(body + "\n")
    for key, text in _ITEM.findall(block.group(1)) if block else []:
        amount = _amount(text.strip())
        if amount is None:
            unread.append(key)
        else:
            resources[key] = amount
    threads = re.search(r"^    threads: (.*)$", body, re.MULTILINE)
    if threads and not threads.group(1).strip().isdigit():
        unread.append("threads")
        threads = None
    return Rule(
        name,
        local=bool(re.search(r"^    localrule: True$", body, re.MULTILINE)),
        threads=int(threads.group(1)) if threads else 1,
        resources=resources,
        unread=tuple(unread),
    )


def _amount(text: str) -> Amount | None:
    growing = _GROWING.match(text)
    if growing:
        return Amount(int(growing.group(1)), grows=True)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return Amount(value) if isinstance(value, (int, str)) else None
