"""Estimate the objects of one table with one or more bundles: `make estimate`.

    sdssflow estimate TABLE BUNDLE [BUNDLE] [--columns MAP.yaml]
        [--extinction corrected|raw] [--output FILE.parquet]

Columns are recognised by their usual names and listed before anything is read. If something can't
be decided, one line says what to specify, and nothing is written. MAP.yaml maps catalogue names to
columns, and may have other keys of a target's source under `source`, as `source: {table: 2}`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

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

KEYS = " Keys of source: --columns map.yaml (make: COLUMNS=map.yaml), in it source: {KEY: VALUE}"
# keys of the source that a map may have
STATED = ("table", "format", "header", "units", "confirmed", "sentinels", "sha256")


def main(arguments: Sequence[str]) -> None:
    """Estimate the objects of a table and print a summary; one line and status 1 for an error.

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
        of_source = re.search(r"source\.(?!columns|path)", str(error))
        raise SystemExit(f"{error}{KEYS if of_source else ''}") from None
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, ["source", *found["loc"]]))
        of = asked.table if place == "source.path" else asked.columns
        raise SystemExit(f"{of}: {place}: {found['msg']}") from None


def _estimate(asked: argparse.Namespace) -> None:
    if Path(asked.table).is_dir():
        raise UnclearError(
            f"{asked.table} is a folder: give one of its files, or make it a target "
            "(docs/estimates.md)"
        )
    models = [bundle.load(path) for path in asked.bundles]
    manifests = [model.manifest for model in tasks(models).values()]
    mapped, stated = _map(asked.columns)
    found = decided(asked, manifests, mapped, stated)
    state = "corrected" if found.extinction_applied else "not corrected"
    print(
        f"{asked.table}: magnitudes are {state} for Galactic extinction ({found.because}), and "
        f"assumed to be {manifests[0].magnitude_system} magnitudes, as for the model. Columns:"
    )
    for name, column in found.columns.items():
        print(f"  {name:18} {column}")
    source = FileSource(
        kind="file",
        **stated,
        path=asked.table,
        columns=found.columns,
        declared={name: entry for one in manifests for name, entry in one.declared.items()},
        extinction_applied=found.extinction_applied,
        magnitude_system=manifests[0].magnitude_system,
    )
    target = Target(title="-", source=source, models=[AppliedModel(bundle="-")])
    output = asked.output or f"{Path(asked.table).stem}_estimates.parquet"
    if Path(output).resolve() == Path(asked.table).resolve():
        raise bundle.BundleError(f"{output} is the input table; choose another: --output FILE")
    if Path(output).suffix not in (".parquet", ".pq"):
        raise bundle.BundleError(f"{output}: the output is Parquet; name it FILE.parquet")
    partition = Partition(asked.table, 0, 1)
    made = estimate_partition(target, Path(asked.table).stem, partition, models, output)
    content = made.counts.content() | {"refused": ""}
    print(f"\n{output}:")
    for row in flow_of([content]).iloc[2:].itertuples():
        print(f"  {row.what:38} {row.objects:>12,}")
    for row in made.defects.frame().itertuples():
        what = f"{row.column}: {row.defect}"
        print(f"  {what:38} {row.count:>12,}  {row.action}, e.g. in row {row.example_row}")


def _map(path: str | None) -> tuple[dict[str, str], dict[str, Any]]:
    """Return columns of the file by catalogue names, and keys of the source, from a map."""
    content = dict(read_document(path).content) if path else {}
    stated = content.pop("source", {})
    if not isinstance(stated, dict):
        raise UnclearError(f"{path}: source: expected keys and values, as source: {{table: 2}}")
    if unknown := sorted({*stated} - set(STATED)):
        raise UnclearError(f"{path}: source: no key {unknown[0]!r}; there are {', '.join(STATED)}")
    return {str(name): str(column) for name, column in content.items()}, stated


def decided(
    asked: argparse.Namespace,
    manifests: Sequence[bundle.Manifest],
    mapped: Mapping[str, str],
    stated: Mapping[str, Any],
) -> Guess:
    """Return the columns of a table, from the user's map or by their names."""
    corrected = {"corrected": True, "raw": False, None: None}[asked.extinction]
    layout = {key: stated[key] for key in ("table", "format", "header") if key in stated}
    present = columns_in(asked.table, **layout)
    renamed = [name for name in mapped if name not in present]
    others = [column for column in present if column not in mapped.values()]
    found = guess([*renamed, *others], manifests, corrected)
    if unused := [name for name in mapped if name not in found.columns]:
        raise UnclearError(
            f"{asked.columns}: column {unused[0]} is not needed here; needed are "
            f"{', '.join(found.columns)}"
        )
    return Guess(
        {name: mapped.get(name, column) for name, column in found.columns.items()},
        found.extinction_applied,
        found.because,
    )
