"""Snakemake profiles: their keys with lines, and what Snakemake reports on them."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sdssflow.doctor.findings import FAULT, INSTALL, OK, WARNING, Finding, ask, listed
from sdssflow.project import LIBRARY

SECONDS = 300.0  # the slurm plugin may wait 2 x 10 s for scontrol, on a busy machine
PLACEHOLDER = re.compile(r"<[^<>\s][^<>]*>")
BY_RULE = ("set-resources", "set-threads", "set-resource-scopes", "groups")


class ProfileError(ValueError):
    """The profile can't be read; the message names the file and the line."""


@dataclass(frozen=True)
class Profile:
    """The keys of a profile.yaml and their lines."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)  # from 1; by path of keys
    repeated: tuple[str, ...] = ()  # keys given twice, with their lines: the last one is used
    placeholders: tuple[str, ...] = ()  # values like ``<your-partition>``, with their lines

    @property
    def executor(self) -> str:
        """What runs the jobs; Snakemake's default is this machine."""
        return str(self.content.get("executor", "local"))

    def number(self, key: str, default: int) -> int:
        """Return an integer of the profile; the default if it is not an integer."""
        try:
            return int(self.content.get(key, default))
        except (TypeError, ValueError):
            return default

    def section(self, key: str) -> dict[str, Any]:
        """Return a mapping of the profile, empty if there is none."""
        value = self.content.get(key)
        return value if isinstance(value, dict) else {}

    def place(self, *keys: str) -> str:
        """Return ``profile.yaml:12`` for a key, or the file alone."""
        line = self.lines.get(keys)
        return f"{self.path}:{line}" if line else str(self.path)

    def named(self, *keys: str) -> str:
        """Return ``set-resources.train (line 12)``."""
        return f"{'.'.join(keys)} (line {self.lines.get(keys, '?')})"


def find_profile(name: str, folders: Iterable[Path]) -> Path:
    """Return the file of a profile, given as a file, a folder or a name under profiles/.

    Raises ProfileError if there is none in these folders.
    """
    folders = list(folders)
    for folder in folders:
        for candidate in (folder / name, folder / "profiles" / name):
            for path in (candidate, candidate / "profile.yaml", candidate / "config.yaml"):
                if path.is_file():
                    return path
    known = sorted({path.parent.name for f in folders for path in f.glob("profiles/*/*.yaml")})
    raise ProfileError(f"{name}: no such profile; under profiles/: {listed(known) or 'none'}")


def load_profile(path: Path) -> Profile:
    """Read a profile; ProfileError if it can't be read, or is not a YAML mapping."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: {getattr(error, 'strerror', error)}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ProfileError(f"{place}: not valid YAML: {problem}") from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    lines: dict[tuple[str, ...], int] = {}
    repeated = []
    for keys, line in _keys(root):
        if keys in lines:
            repeated.append(f"{'.'.join(keys)} (lines {lines[keys]} and {line})")
        lines[keys] = line
    placeholders = tuple(
        f"line {token.start_mark.line + 1}: {found}"
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken)
        for found in PLACEHOLDER.findall(token.value)
    )
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())  # for people
    return Profile(path, content, lines, tuple(repeated), placeholders)


def _keys(node: yaml.Node, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*above, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _keys(value, inner)


@dataclass(frozen=True)
class Demand:
    """The resources of one attempt of a rule's jobs, by rule and profile."""

    rule: str
    attempt: int = 1
    gpu: int = 0
    without_gpu: str = ""  # what to do on a machine without GPU: stop or cpu
    sbatch: Sequence[str] = ()  # the command that submits it, if SLURM is the executor


@dataclass(frozen=True)
class Answers:
    """The installed Snakemake, and what it reports on a profile and the rules."""

    version: str = ""
    keys: Sequence[str] = ()  # that a profile may have, including those of plugins
    executors: Sequence[str] = ()  # its own and those of plugins
    imports_torch: bool = False  # whether a plugin does, which would delay every job
    complaint: str = ""  # its error message if it refuses the profile
    rules: Sequence[str] = ()  # all of them; empty if the Snakefile can't be read
    demands: Sequence[Demand] = ()  # first and last attempt of each rule that has jobs
    trouble: str = ""  # why Snakemake could not be queried


def ask_snakemake(
    snakefile: Path, profile: Path | None = None, configfiles: Iterable[Path] = ()
) -> Answers:
    """Query the Snakemake of this interpreter, in a separate process."""
    words = [snakefile, profile or "", *configfiles]
    program = [sys.executable, "-m", "sdssflow.doctor.snakemake_side", *map(str, words)]
    paths = [str(LIBRARY), *filter(None, [os.environ.get("PYTHONPATH")])]
    answer = ask(program, SECONDS, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    if not answer.good:
        return Answers(trouble=answer.trouble)
    content = json.loads(answer.out.splitlines()[-1])
    content["demands"] = [Demand(**demand) for demand in content.get("demands", [])]
    return Answers(**content)


def check_snakemake(answers: Answers, executor: str) -> Finding:
    """Check that Snakemake starts and knows the executor of the profile."""
    check = "snakemake"
    if answers.trouble:
        return Finding(check, FAULT, f"can't be imported: {answers.trouble}", INSTALL)
    found = f"Snakemake {answers.version}; executors: {listed(answers.executors, most=8)}"
    if executor not in answers.executors:
        found += f"; the profile needs {executor!r}"
        plugin = f"snakemake-executor-plugin-{executor}"
        advice = f"pip install {plugin} (slurm: make .venv/.cluster), or set another executor"
        return Finding(check, FAULT, found, advice)
    if answers.imports_torch:
        found += "; a plugin imports torch, which delays each job"
        advice = "uninstall the plugin of Snakemake that is not in requirements.lock"
        return Finding(check, WARNING, found, advice)
    return Finding(check, OK, found)


def check_keys(profile: Profile, answers: Answers) -> Finding:
    """Check that Snakemake knows each key of the profile and accepts the values."""
    path = profile.path
    if answers.trouble:
        return Finding("profile", WARNING, f"{path}: not checked, Snakemake can't be imported")
    known = {*answers.keys}
    unknown = [key for key in map(str, profile.content)
               if key.lstrip("-") not in known and not key.startswith("__")]  # fmt: skip
    if unknown:
        shown = listed([profile.named(key) for key in unknown])
        advice = "; ".join(_instead(key, known) for key in unknown)
        return Finding("profile", FAULT, f"{path}: unknown {shown}", advice)
    if answers.complaint:
        found = f"{path}: Snakemake refuses it: {answers.complaint}"
        return Finding("profile", FAULT, found, "correct that value")
    if profile.repeated:
        found = f"{path}: given twice: {listed(profile.repeated)}; the last one is used"
        return Finding("profile", WARNING, found, "keep one of them")
    found = f"{path}: {len(profile.content)} keys, executor {profile.executor}"
    return Finding("profile", OK, found)


def _instead(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"{near[0]} instead of {key}?" if near else f"remove {key}"


def check_rule_names(profile: Profile, rules: Sequence[str]) -> Finding:
    """Check that each rule in the profile exists: Snakemake ignores unknown ones."""
    check = "rules of the profile"
    if not rules:
        return Finding(check, WARNING, "Snakemake can't read the rules", "see snakemake --lint")
    named = [(key, rule) for key in BY_RULE for rule in profile.section(key)]
    arrays = {word.strip() for word in str(profile.content.get("slurm-array-jobs", "")).split(",")}
    unknown = {rule: profile.named(key, rule) for key, rule in named if rule not in rules}
    for rule in sorted(arrays - {"", "all", *rules}):
        unknown[rule] = f"{rule} in {profile.named('slurm-array-jobs')}"
    if unknown:
        found = f"{profile.path}: no such rule: {listed(list(unknown.values()))}"
        return Finding(check, FAULT, found, "; ".join(_instead(rule, rules) for rule in unknown))
    groups = set(map(str, profile.section("groups").values()))
    lost = sorted(set(profile.section("group-components")) - groups)
    if lost:
        shown = listed([profile.named("group-components", name) for name in lost])
        advice = "; ".join(_instead(name, groups) for name in lost)
        return Finding(check, FAULT, f"{profile.path}: no such group: {shown}", advice)
    count = len({rule for _, rule in named} | arrays - {"", "all"})
    return Finding(check, OK, f"{count} named, all of them rules" if count else "none named")


def check_site(profile: Profile) -> Finding:
    """Check that the values that depend on the site are filled in."""
    if not profile.placeholders:
        return Finding("site", OK, "nothing left to fill in")
    found = f"{profile.path}: not filled in: {listed(profile.placeholders)}"
    advice = "write the name on your cluster (sinfo lists partitions), or remove the line"
    return Finding("site", FAULT, found, advice)
