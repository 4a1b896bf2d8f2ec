"""The jobs of a module with a prefix, which Snakemake puts before the paths of results and logs.

To such a job the folder of the prefix is the folder of the run, as with ``--directory``: so
records, report and crate know results by the same names wherever they are made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

GIVEN = ("source_files", "configuration")  # parameters that are paths of the user's files


def enter_prefix(snakemake: Any) -> str:
    """Change into the folder of a job's prefix, name its files from there, return the prefix.

    Log and record are ``logs/X.log`` and ``results/provenance/X.json``: what both begin with is the
    prefix, ``""`` without one. OSError if there is no such folder.
    """
    record = str(snakemake.output.get("record", ""))
    prefix = os.path.commonprefix([*map(str, snakemake.log), record])  # noqa: RUF071
    if not prefix or prefix == record:
        return ""
    folder = os.path.realpath(prefix)

    def seen(path: str) -> str:
        if path.startswith(prefix):
            return path.removeprefix(prefix)
        return path if Path(path).is_absolute() else os.path.relpath(path, folder)

    for name in ("input", "output", "log"):
        files = getattr(snakemake, name)
        setattr(snakemake, name, type(files)(toclone=files, custom_map=seen))
    for name in GIVEN:
        paths = snakemake.params.get(name, [])
        paths[:] = [seen(path) for path in paths]  # Snakemake hands out copies of `params`
    snakemake.scriptdir = os.path.abspath(snakemake.scriptdir)  # noqa: PTH100
    os.chdir(folder)
    return prefix
