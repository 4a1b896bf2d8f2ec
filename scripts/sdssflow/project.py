"""Where the workflow lies: Snakefile, rules, scripts, configuration and data that come with it.

In a checkout that is the folder above ``scripts``; an installed package has a copy inside of it.
"""

from __future__ import annotations

from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]  # what has to be on Python's path
PACKAGES = ("sdssflow", "skyserver_standin")
PROJECT = LIBRARY.parent
if not (PROJECT / "Snakefile").is_file():
    PROJECT = Path(__file__).resolve().parent / "workflow"


def shipped(path: str | Path) -> Path:
    """Return where a file of the configuration is: in the folder of the run, else in the project.

    A path that is in neither is returned as it is.
    """
    ours = PROJECT / path
    return ours if not _there(Path(path)) and _there(ours) else Path(path)


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
