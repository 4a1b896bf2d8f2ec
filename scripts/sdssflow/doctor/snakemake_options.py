"""What Snakemake itself says of its options and of a profile.

Snakemake is asked in a process of its own: a plugin that can't be imported, or one that waits for
SLURM while its help is put together, then costs a row of the table and not the doctor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdssflow.doctor.commands import ask
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed

SECONDS = 300.0  # the slurm plugin may wait 2 x 10 s for scontrol, and the machine be busy
_PROGRAM = """
import contextlib, io, json, sys
import snakemake
from snakemake.cli import get_argument_parser

parser = get_argument_parser()
keys = {key for action in parser._actions for key in parser.get_possible_config_keys(action)}
executors = next(action.choices for action in parser._actions if action.dest == "executor")
complaint = io.StringIO()
if len(sys.argv) > 1:
    with contextlib.redirect_stderr(complaint), contextlib.suppress(SystemExit):
        try:
            get_argument_parser([sys.argv[1]]).parse_args([])
        except Exception as error:
            print(error, file=sys.stderr)
print(json.dumps({
    "version": snakemake.__version__,
    "keys": sorted(key.lstrip("-") for key in keys),
    "executors": sorted(executors),
    "complaint": complaint.getvalue(),
    "imports_torch": "torch" in sys.modules,
}))
"""


@dataclass(frozen=True)
class Options:
    """Snakemake as it is installed."""

    version: str = ""
    keys: frozenset[str] = frozenset()
    """Keys that a profile may have, those of the plugins included."""
    executors: tuple[str, ...] = ()
    """Names of the executors: its own and those of plugins."""
    complaint: str = ""
    """What it says when it reads the profile; empty if it takes it."""
    imports_torch: bool = False
    """Whether a plugin imports torch, which would slow the start of every job."""
    trouble: str = ""
    """Why Snakemake can't be asked; empty if it could."""


def ask_snakemake(environment: Mapping[str, str], profile: Path | None = None) -> Options:
    """Ask the Snakemake of this interpreter for its options and its opinion of a profile.

    Parameters
    ----------
    environment : mapping
        Environment variables of the process that asks.
    profile : pathlib.Path, optional
        The file.
    """
    arguments = [sys.executable, "-c", _PROGRAM, *([str(profile)] if profile else [])]
    answer = ask(arguments, environment, SECONDS)
    if not answer.good:
        return Options(trouble=answer.trouble.removeprefix(f"{sys.executable}: "))
    content = json.loads(answer.out.splitlines()[-1])
    return Options(
        version=content["version"],
        keys=frozenset(content["keys"]),
        executors=tuple(content["executors"]),
        complaint=_last_line(content["complaint"]),
        imports_torch=content["imports_torch"],
    )


def _last_line(text: str) -> str:
    """Return what argparse says after the usage."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].split("error: ", 1)[-1] if lines else ""


def check_snakemake(options: Options, executor: str) -> Finding:
    """Check that Snakemake starts and knows the executor of the profile."""
    if options.trouble:
        return Finding(
            "snakemake",
            FAULT,
            f"can't be imported: {options.trouble}",
            "make installs it (or: pip install --requirement requirements.lock)",
        )
    found = f"Snakemake {options.version}; executors: {listed(options.executors, most=8)}"
    if executor not in options.executors:
        return Finding(
            "snakemake",
            FAULT,
            f"{found}; the profile asks for {executor!r}",
            f"pip install snakemake-executor-plugin-{executor}, or another executor in the profile",
        )
    if options.imports_torch:
        return Finding(
            "snakemake",
            WARNING,
            f"{found}; a plugin imports torch, so each job starts late",
            "uninstall the plugin of Snakemake that is not in requirements.lock",
        )
    return Finding("snakemake", OK, found)
