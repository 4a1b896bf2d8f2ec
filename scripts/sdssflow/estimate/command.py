"""Estimate the objects of one table with one or more bundles, in one line: `make estimate`.

    sdssflow estimate TABLE BUNDLE [BUNDLE] [--columns MAP.yaml]
        [--extinction corrected|raw] [--output FILE.parquet]

Columns are recognised by their usual names; which were taken is printed before anything is read.
What can't be decided is asked for in one line, and nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdssflow import bundle
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.usual_names import UnclearError, columns_in
from sdssflow.configuration.file_sources import FileSource
from sdssflow.configuration.reading import read_document
from sdssflow.configuration.targets import AppliedModel, Target
from sdssflow.estimate.gathering import flow_of
from sdssflow.estimate.guessing import Guess, guess
from sdssflow.estimate.partitions import Partition
from sdssflow.estimate.streaming import estimate_partition, tasks
from sdssflow.prepare.columns import MissingColumnError


def main(arguments: Sequence[str]) -> None:
    """Estimate the objects of a table and say what was done; one line and status 1 if it can't.

    Raises ConfigurationError if the map of columns can't be read.
    """
    parser = argparse.ArgumentParser(prog="sdssflow estimate", description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("bundles", nargs="+")
    parser.add_argument("--columns")
    parser.add_argument("--extinction", choices=("corrected", "raw"))
    parser.add_argument("--output")
    asked = parser.parse_args(arguments)
    try:
        _estimate(asked)
    except (
        CatalogueError, MissingColumnError, OSError, UnclearError, bundle.BundleError,
    ) as error:  # fmt: skip
        raise SystemExit(f"{error}") from None


def _estimate(asked: argparse.Namespace) -> None:
    models = [bundle.load(path) for path in asked.bundles]
    manifests = [model.manifest for model in tasks(models).values()]
    found = decided(asked, manifests)
    state = "corrected" if found.extinction_applied else "not corrected"
    print(
        f"{asked.table}: magnitudes are {state} for Galactic extinction ({found.because}). Columns:"
    )
    for name, column in found.columns.items():
        print(f"  {name:18} {column}")
    source = FileSource(
        kind="file",
        path=asked.table,
        columns=found.columns,
        declared={name: its for one in manifests for name, its in one.declared.items()},
        extinction_applied=found.extinction_applied,
        magnitude_system=manifests[0].magnitude_system,
    )
    target = Target(title="-", source=source, models=[AppliedModel(bundle="-")])
    output = asked.output or f"{Path(asked.table).stem}_estimates.parquet"
    if Path(output).resolve() == Path(asked.table).resolve():
        raise bundle.BundleError(f"{output} is the table itself; write elsewhere: --output FILE")
    partition = Partition(asked.table, 0, 1)
    made = estimate_partition(target, Path(asked.table).stem, partition, models, output)
    content = made.counts.content() | {"refused": ""}
    print(f"\n{output}:")
    for row in flow_of([content]).iloc[2:].itertuples():
        print(f"  {row.what:38} {row.objects:>12,}")


def decided(asked: argparse.Namespace, manifests: list[bundle.Manifest]) -> Guess:
    """Return the columns of a table: those of the user's map, the others by their names."""
    stated = {"corrected": True, "raw": False, None: None}[asked.extinction]
    mapped = {}
    if asked.columns:
        document = read_document(asked.columns)
        mapped = {str(name): str(column) for name, column in document.content.items()}
    present = columns_in(asked.table)
    renamed = [name for name in mapped if name not in present]
    others = [column for column in present if column not in mapped.values()]
    found = guess([*renamed, *others], manifests, stated)
    return Guess(
        {name: mapped.get(name, column) for name, column in found.columns.items()},
        found.extinction_applied,
        found.because,
    )
