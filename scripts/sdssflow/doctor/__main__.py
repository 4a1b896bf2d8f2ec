"""Find out why a run does not start: ``python -m sdssflow.doctor``.

Prints a table of checks: subject, state, finding, what to do. The exit status is 1 if there is a
fault, so that a run would not start or not finish; warnings don't count.

Python and its packages are checked first, with the standard library alone, so that a missing
PyYAML is reported too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Mapping, Sequence  # noqa: UP035 - an old Python has to get as far as the check

from sdssflow.doctor.findings import FAULT, INSTALL, OK, WARNING, Finding, as_json, as_table, listed
from sdssflow.project import PROJECT


def check_python(root: Path, version: Sequence[int], prefix: Path) -> Finding:
    """Check an interpreter against `requires-python` and the project's own environment."""
    shown = ".".join(map(str, version[:3]))
    found = f"Python {shown} of {prefix}"
    required = _project(root, r'^requires-python\s*=\s*">=\s*(\d+)\.(\d+)')
    needed = tuple(map(int, required.groups())) if required else ()
    if tuple(version[:2]) < needed:
        return Finding(
            "python",
            FAULT,
            found,
            f"Python {'.'.join(map(str, needed))} or newer is needed: "
            "rm -r .venv, then make PYTHON=python3.11",
        )
    own = root / ".venv"
    if own.is_dir() and own.resolve() != prefix.resolve():
        return Finding(
            "python",
            WARNING,
            f"{found}, not of the project's .venv",
            "make doctor, or .venv/bin/python -m sdssflow.doctor",
        )
    return Finding("python", OK, found)


def _project(root: Path, pattern: str) -> re.Match[str] | None:
    """Search pyproject.toml, which an old Python can't parse."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return None
    return re.search(pattern, text, re.MULTILINE | re.DOTALL)


def installed_packages() -> dict[str, str]:
    """Return the version of each installed package by its normalised name."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():  # first on the path wins, as in an import
        name = distribution.metadata["Name"]
        if name:  # a partly removed package has none
            found.setdefault(plain(name), distribution.version)
    return found


def plain(name: str) -> str:
    """Return a normalised package name: ``astropy-healpix`` for ``Astropy_Healpix``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_packages(root: Path, installed: Mapping[str, str]) -> Finding:
    """Check that the installed packages are those that requirements.lock pins.

    The local part of a version (torch's ``+cpu``, ``+cu128``) is ignored. Only dependencies in
    pyproject.toml count as missing; the lock also has those of the extras.
    """
    try:
        lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Finding("packages", WARNING, f"no requirements.lock in {root}: nothing to compare")
    pins = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    here = {name: installed[plain(name)] for name, _ in pins if plain(name) in installed}
    other = [
        f"{name} {here[name]} (lock: {version.strip()})"
        for name, version in pins
        if name in here and here[name].split("+")[0] != version.strip()
    ]
    listing = _project(root, r"^dependencies\s*=\s*\[(.*?)^\]")
    direct = re.findall(r'"([\w.-]+)', listing.group(1)) if listing else []
    missing = [name for name in direct if plain(name) not in installed]
    if not missing and not other:
        return Finding("packages", OK, f"{len(here)} as requirements.lock has them")
    found = [f"missing: {listed(missing)}"] * bool(missing)
    found += [f"other versions: {listed(other)}"] * bool(other)
    return Finding("packages", FAULT if missing else WARNING, "; ".join(found), INSTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if it holds a fault, else 0."""
    options = _parser().parse_args(arguments)
    configfiles = tuple(path.resolve() for path in options.configfile)
    findings = [
        check_python(PROJECT, sys.version_info[:3], Path(sys.prefix)),
        check_packages(PROJECT, installed_packages()),
    ]
    if sys.version_info >= (3, 11):  # noqa: UP036
        findings += _examine(options, configfiles)
    if options.json:
        print(as_json(findings))
    else:
        print(as_table(findings, shutil.get_terminal_size((120, 24)).columns))
    return int(any(finding.state == FAULT for finding in findings))


def _examine(options: argparse.Namespace, configfiles: tuple[Path, ...]) -> list[Finding]:
    try:
        from sdssflow.doctor.examination import examine
    except ImportError as error:
        advice = "make installs what is missing; then run the doctor again for the other checks"
        return [Finding("doctor", FAULT, f"can't continue: {error}", advice)]
    directory = options.directory.resolve()
    if not directory.is_dir():
        found = f"{directory} is not a folder"
        return [Finding("directory", FAULT, found, "create it, or name another")]
    profile = options.profile
    if Path(profile).exists():
        profile = str(Path(profile).resolve())
    os.chdir(directory)  # as in Snakemake, paths in the configuration are relative to it
    return examine(directory, profile, configfiles)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sdssflow doctor", description="Find out why a run does not start."
    )
    add = parser.add_argument
    add("--profile", default="profiles/default", metavar="NAME",
        help="as for snakemake --workflow-profile (default: %(default)s)")  # fmt: skip
    add("--configfile", type=Path, nargs="+", default=[], metavar="FILE",
        help="override config/config.yaml, as for snakemake")  # fmt: skip
    add("--directory", type=Path, default=Path(), metavar="FOLDER",
        help="working directory of the run (default: this one)")  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
