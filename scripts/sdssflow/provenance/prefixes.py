"""Jobs of a module with a prefix, which Snakemake puts before the paths of results and logs.

Such a job works in the folder of the prefix, as with ``--directory``, so that records, report and
crate use the same paths wherever the results are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

GIVEN = ("source_files", "configuration")  # parameters with paths of the user's files


def enter_prefix(snakemake: Any) -> str:
    """Change into the folder of a job's prefix, adapt the paths of its files, return the prefix.

    Log and record are ``logs/X.log`` and ``results/provenance/X.json``, so the prefix is their
    common beginning, ``""`` without one. OSError if there is no such folder.
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
        paths[:] = [seen(path) for path in paths]  # in place: `params` returns copies
    snakemake.scriptdir = os.path.abspath(snakemake.scriptdir)  # noqa: PTH100
    os.chdir(folder)
    return prefix
