"""Print how a result was made, job by job back to the source.

``sdssflow show results/mgs/regress/published/scores.csv``, in the folder of the run. Every file is
read again and compared with its record, and the packages of each job with the installed ones. With
``--quiet`` only differences are printed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sdssflow.provenance.lineage import LineageError, read_content, walk_back
from sdssflow.provenance.records import environment

SHOWN_DIGITS = 16


def describe(result: str | Path) -> tuple[list[str], list[str]]:
    """Return lines that describe how a result was made, and all differences from the records.

    Sources come first, then a paragraph per job; the job that made the result is last.
    """
    lineage = walk_back(result)
    troubles = list(lineage.disagreements)
    troubles += [f"{path}: no record says how it was made" for path in lineage.unrecorded]
    lines = ["sources"]
    for path, content in sorted(lineage.sources.items()):
        lines.append(_line("  ", path, content._asdict(), troubles))
    for path, record in lineage.records.items():
        lines += _job(path, record, troubles)
    troubles += _other_packages(lineage.records.values())
    return lines, troubles


def _other_packages(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each package whose version is not the one that jobs used."""
    here = {"python": environment()["python"], **environment()["packages"]}
    used = [{"python": job["environment"]["python"], **job["environment"]["packages"]}
            for job in records]  # fmt: skip
    for name, version in here.items():
        others = Counter(packages.get(name) for packages in used) - Counter({version: len(used)})
        for other, jobs in sorted(others.items(), key=str):
            yield (
                f"{name}: {jobs} jobs used {other}, {version} is installed; to make all results "
                "with it: snakemake --forceall"
            )


def _job(path: str, record: dict[str, Any], troubles: list[str]) -> Iterator[str]:
    wildcards = ", ".join(f"{name} {value}" for name, value in record["wildcards"].items())
    yield ""
    yield f"{record['rule']}{f' ({wildcards})' if wildcards else ''}"
    yield (
        f"  {record['started']}, {record['seconds']} s, {record['device']}, "
        f"threads {record['resources']['threads']}; parameters "
        f"{record['parameters_sha256'][:SHOWN_DIGITS]}, code {record['code']['modules']}"
    )
    yield f"  record {path}"
    for name, content in record["inputs"].items():
        yield f"  reads  {content['sha256'][:SHOWN_DIGITS]}  {name}"
    for name, content in record["outputs"].items():
        yield _line("  writes ", name, content, troubles)


def _line(mark: str, path: str, recorded: dict[str, Any], troubles: list[str]) -> str:
    """Return the line of a file; a difference from its record is added to `troubles`."""
    try:
        found = read_content(path).sha256
    except OSError:
        state = "missing"
    else:
        state = "" if found == recorded["sha256"] else f"CHANGED: now {found[:SHOWN_DIGITS]}"
    if state:
        troubles.append(f"{path}: {state}; the record has {recorded['sha256'][:SHOWN_DIGITS]}")
    return f"{mark}{recorded['sha256'][:SHOWN_DIGITS]}  {path}{f'  {state}' if state else ''}"


def main(arguments: list[str] | None = None) -> int:
    """Print how a result was made; 0 if all files match their records, 1 if not, 2 without one."""
    parser = argparse.ArgumentParser(prog="sdssflow show", description=__doc__.splitlines()[0])
    parser.add_argument("result", help="a file or folder that the workflow has made")
    parser.add_argument("--quiet", action="store_true", help="print only what differs")
    options = parser.parse_args(arguments)
    result = options.result.rstrip("/").removeprefix("./")
    try:
        lines, troubles = describe(result)
    except LineageError as error:
        print(error, file=sys.stderr)
        return 2
    if not options.quiet:
        print("\n".join(lines))
    elif not troubles:
        print(f"{result}: every file behind it matches its record")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
