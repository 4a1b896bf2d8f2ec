"""A profile of Snakemake, with the line of each key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed
from sdssflow.doctor.snakemake_options import Options

PLACEHOLDER = re.compile(r"<[^<>\s][^<>]*>")
BY_RULE = ("set-resources", "set-threads", "set-resource-scopes", "groups", "set-scatter")


class ProfileError(ValueError):
    """The profile can't be read; the message names the file and the line."""


@dataclass(frozen=True)
class Profile:
    """The keys of a profile.yaml and where they stand."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Line of each key, counted from 1; inner keys by the way to them."""
    repeated: tuple[str, ...] = ()
    """Keys that stand twice, with their lines: YAML takes the last one."""
    placeholders: tuple[str, ...] = ()
    """Values like ``<your-partition>``, with their lines."""

    @property
    def executor(self) -> str:
        """Who runs the jobs; Snakemake's default is this machine."""
        return str(self.content.get("executor", "local"))

    def number(self, key: str, default: int) -> int:
        """Return a whole number of the profile; the default if it is none."""
        try:
            return int(self.content.get(key, default))
        except (TypeError, ValueError):
            return default

    def section(self, key: str) -> dict[str, Any]:
        """Return a mapping of the profile, empty if there is none."""
        value = self.content.get(key)
        return value if isinstance(value, dict) else {}

    def place(self, *keys: str) -> str:
        """Return ``profile.yaml:12`` of a key, or the file alone."""
        line = self.lines.get(keys)
        return f"{self.path}:{line}" if line else str(self.path)


def find_profile(name: str, folders: Iterable[Path]) -> Path:
    """Return the file of a profile, given as a file, a folder or a name under profiles/.

    Parameters
    ----------
    name : str
        As for `snakemake --workflow-profile`.
    folders : iterable of pathlib.Path
        Where to look, in this order.

    Raises
    ------
    ProfileError
        If there is none.
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
    """Read a profile.

    Raises
    ------
    ProfileError
        If it is not readable, not YAML or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ProfileError(f"{place}: not valid YAML: {problem}") from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    keys = list(_keys(root))
    lines: dict[tuple[str, ...], int] = {}
    repeated = []
    for way, line in keys:
        if way in lines:
            repeated.append(f"{'.'.join(way)} (lines {lines[way]} and {line})")
        lines[way] = line
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())  # for people
    return Profile(path, content, lines, tuple(repeated), tuple(_placeholders(text)))


def _keys(node: yaml.Node, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*way, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _keys(value, inner)


def _placeholders(text: str) -> Iterator[str]:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            for found in PLACEHOLDER.findall(token.value):
                yield f"line {token.start_mark.line + 1}: {found}"


def check_keys(profile: Profile, options: Options) -> Finding:
    """Check that Snakemake knows each key of the profile and takes the values."""
    if options.trouble:
        return Finding("profile", WARNING, f"{profile.path}: Snakemake can't be asked about it")
    unknown = [key for key in profile.content if not _is_known(str(key), options.keys)]
    if unknown:
        return Finding(
            "profile",
            FAULT,
            f"{profile.path}: unknown {listed([_with_line(profile, key) for key in unknown])}",
            "; ".join(_instead(str(key), options.keys) for key in unknown),
        )
    if options.complaint:
        return Finding(
            "profile",
            FAULT,
            f"{profile.path}: Snakemake refuses it: {options.complaint}",
            "correct that value",
        )
    if profile.repeated:
        return Finding(
            "profile",
            WARNING,
            f"{profile.path}: twice: {listed(profile.repeated)}; the last one holds",
            "leave one of them",
        )
    found = f"{profile.path}: {len(profile.content)} keys, executor {profile.executor}"
    return Finding("profile", OK, found)


def _is_known(key: str, known: Iterable[str]) -> bool:
    return key.lstrip("-") in known or key.startswith("__")  # __use_yte__ and its kind


def _with_line(profile: Profile, key: str) -> str:
    return f"{key} (line {profile.lines.get((str(key),), '?')})"


def _instead(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"{near[0]} instead of {key}?" if near else f"remove {key}"


def check_rule_names(profile: Profile, rules: Iterable[str]) -> Finding:
    """Check that each rule the profile names is one: Snakemake passes over the others."""
    known = sorted(rules)
    unknown = []
    named = {(key, rule) for key in BY_RULE[:4] for rule in profile.section(key)}
    arrays = str(profile.content.get("slurm-array-jobs", ""))
    array_rules = {word.strip() for word in arrays.split(",") if word.strip()} - {"all"}
    for key, rule in sorted(named, key=lambda pair: profile.lines.get(pair, 0)):
        if rule not in known:
            unknown.append((rule, f"{key}.{rule} (line {profile.lines.get((key, rule), '?')})"))
    for rule in sorted(array_rules - set(known)):
        unknown.append((rule, f"{rule} in {_with_line(profile, 'slurm-array-jobs')}"))
    if unknown:
        return Finding(
            "rules of the profile",
            FAULT,
            f"{profile.path}: no such rule: {listed([shown for _, shown in unknown])}",
            "; ".join(_instead(rule, known) for rule, _ in unknown),
        )
    groups = set(map(str, profile.section("groups").values()))
    lost = sorted(set(profile.section("group-components")) - groups)
    if lost:
        shown = [f"{name} (line {profile.lines[('group-components', name)]})" for name in lost]
        return Finding(
            "rules of the profile",
            FAULT,
            f"{profile.path}: group-components of no group: {listed(shown)}",
            "; ".join(_instead(name, groups) for name in lost),
        )
    count = len({rule for _, rule in named} | array_rules)
    found = f"{count} named, all in rules/*.smk" if count else "none named"
    return Finding("rules of the profile", OK, found)


def check_site(profile: Profile) -> Finding:
    """Check that the values that only the site can know are filled in."""
    if profile.placeholders:
        return Finding(
            "site",
            FAULT,
            f"{profile.path}: not filled in: {listed(profile.placeholders)}",
            "write what your cluster calls it (sinfo lists partitions), or remove the line",
        )
    return Finding("site", OK, "nothing left to fill in")
