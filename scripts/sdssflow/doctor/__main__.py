"""Say why a run does not start: ``python -m sdssflow.doctor``.

Prints a table of checks: what was looked at, its state, what was found, what to do. Exit status 1
if anything is a fault, so that a run would not start or not end; warnings don't count.

Python and its packages are looked at first, with the standard library alone: without PyYAML the
doctor still says that PyYAML is missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Sequence  # noqa: UP035 - an old Python has to get as far as its fault

from sdssflow.doctor.findings import FAULT, Finding, as_json, as_table
from sdssflow.doctor.python_environment import check_packages, check_python, installed_packages
from sdssflow.project import PROJECT


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
        from sdssflow.doctor.examination import Place, examine
    except ImportError as error:
        advice = "make installs what is missing; then ask again for the other checks"
        return [Finding("doctor", FAULT, f"can't go on: {error}", advice)]
    directory = options.directory.resolve()
    if not directory.is_dir():
        return [
            Finding("directory", FAULT, f"{directory} is no folder", "make it, or name another")
        ]
    profile = options.profile
    if Path(profile).exists():
        profile = str(Path(profile).resolve())
    os.chdir(directory)  # as Snakemake does: paths of the configuration are relative to it
    return examine(Place(PROJECT, directory, profile, configfiles))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sdssflow doctor", description="Say why a run does not start."
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
