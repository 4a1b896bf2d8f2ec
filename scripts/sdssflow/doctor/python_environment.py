"""The interpreter and its packages. Standard library only: see `__main__`."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Mapping, Sequence  # noqa: UP035 - an old Python has to get as far as its fault

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed

INSTALL = "make installs them (or: pip install --constraint requirements.lock --editable .)"


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
    """Look into pyproject.toml, which an old Python can't parse."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return None
    return re.search(pattern, text, re.MULTILINE | re.DOTALL)


def installed_packages() -> dict[str, str]:
    """Return the version of each installed package by its plain name."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():  # first on the path wins, as in an import
        name = distribution.metadata["Name"]
        if name:  # a half-removed package has none
            found.setdefault(plain(name), distribution.version)
    return found


def plain(name: str) -> str:
    """Return a package's name as indices compare it: ``Astropy_Healpix`` is ``astropy-healpix``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_packages(root: Path, installed: Mapping[str, str]) -> Finding:
    """Check that what is installed is what requirements.lock pins.

    The local part of a version (torch's ``+cpu``, ``+cu128``) may be any. Missing is what
    pyproject.toml names as a dependency of the run; the lock has those of the extras besides.
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
