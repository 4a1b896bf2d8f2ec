"""Locate the workflow: Snakefile, rules, scripts, and its configuration and data.

In a checkout that is the folder above ``scripts``; an installed package contains a copy.
"""

from __future__ import annotations

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]  # has to be on Python's path
PACKAGES = ("sdssflow", "skyserver_standin")
PROJECT = LIBRARY.parent
if not (PROJECT / "Snakefile").is_file():
    PROJECT = Path(__file__).resolve().parent / "workflow"


def shipped(path: str | Path) -> Path:
    """Return the path of a configuration file in the run's folder, else in the project.

    A path that exists in neither is returned unchanged.
    """
    ours = PROJECT / path
    return ours if not os.path.lexists(path) and os.path.lexists(ours) else Path(path)
