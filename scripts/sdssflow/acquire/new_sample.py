"""Draft the definition of a sample from a table: ``sdssflow new sample NAME TABLE``.

Columns are recognised by their usual names, and the mapping is printed. If the names are ambiguous,
one message says what to specify, and nothing is written. The draft is a starting point: title, cuts
and features are the user's choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import readable
from sdssflow.acquire.schema import BANDS, MAGNITUDES
from sdssflow.acquire.usual_names import (
    UnclearError,
    called,
    column_of,
    columns_in,
    dust,
    extinction_state,
    identifiers,
)
from sdssflow.configuration.file_sources import FileContent
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.section import SampleName
from sdssflow.files import write_text

FOLDER = "config/samples"
TRUTH = {
    "zspec": ("zspec", "specz", "redshift", "zspectroscopic", "zsp"),
    "spec_class": ("specclass", "class", "spectype", "objectclass"),
}
# rows with the same spectrum are one object; redshifts with a warning are unreliable
SPECTRUM = {"plate": "plate", "mjd": "mjd", "fiberid": "fiberid", "z_warning": "zwarning"}
ZSPEC_ERR = ("zspecerr", "redshifterr", "redshifterror")
TASKS = {"zspec": "regress", "spec_class": "classify"}
# stars have redshifts below 0 too; other ensembles begin at 0
OF_ALL_CLASSES = ("mean", "linear", "local_linear", "by_class")


def main(arguments: Sequence[str]) -> None:
    """Write ``config/samples/NAME.yaml``; exit with one message and status 1 if that fails.

    Invalid `arguments` exit with status 2.
    """
    parser = argparse.ArgumentParser(
        prog="sdssflow new sample", description="Draft the definition of a sample from a table."
    )
    parser.add_argument("name", help="name of the sample")
    parser.add_argument("table", help="CSV, FITS, VOTable, Parquet, HDF5, ...")
    parser.add_argument("--zspec", help="the column of spectroscopic redshifts")
    parser.add_argument("--class", dest="spec_class", help="the column of classes")
    parser.add_argument(
        "--extinction", choices=("corrected", "raw"), help="state of the magnitudes"
    )
    given = parser.parse_args(arguments)
    path = Path(FOLDER, f"{given.name}.yaml")
    try:
        TypeAdapter(SampleName).validate_python(given.name)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        parser.error(f"{given.name!r} is not a valid sample name: {problem}")
    try:
        if path.exists():
            raise UnclearError(f"{path} exists already; choose another name")
        stated = {"zspec": given.zspec, "spec_class": given.spec_class}
        corrected = {"corrected": True, "raw": False, None: None}[given.extinction]
        present = columns_in(given.table)
        content, because = draft(given.name, given.table, present, stated, corrected)
        source = Sample.model_validate(content).source
        assert isinstance(source, FileContent), "as drafted"
        readable(given.table, source)
    except ValidationError as error:
        raise SystemExit(f"{given.table}: {error.errors()[0]['msg']}") from None
    except (CatalogueError, UnclearError, OSError) as error:
        raise SystemExit(f"{error}") from None
    schema = "# yaml-language-server: $schema=../schemas/sample.schema.json\n"
    write_text(path, schema + yaml.safe_dump(content, sort_keys=False, width=100))
    print(f"{path}: {because}. Columns:")
    for name, column in content["source"]["columns"].items():
        print(f"  {name:18} {column}")
    unused = [name for name in present if name not in content["source"]["columns"].values()]
    if unused:
        print(f"Not used: {', '.join(unused)}")
    run = f"sdssflow run --config 'samples=[{given.name}]' -n"
    print(f"\nReview title, cuts and features, then: {run}")


def draft(
    name: str,
    table: str,
    present: Iterable[str],
    stated: dict[str, str | None],
    corrected: bool | None = None,
) -> tuple[dict[str, Any], str]:
    """Return the definition of a sample, and the evidence for the state of its magnitudes.

    `table` is the path of the file, `present` its columns. `stated` holds the user's columns for
    `zspec` and `spec_class`, `corrected` whether the magnitudes are corrected for extinction; None
    where the user did not say.

    UnclearError if no magnitude covers all bands, there is neither redshift nor class, or it is
    unknown whether magnitudes are corrected.
    """
    present = list(present)
    kinds = {in_names: _magnitudes(present, in_names) for in_names in (False, True)}
    in_names = not kinds[False]
    if not kinds[in_names]:
        raise UnclearError(
            "no kind of magnitude was recognised in all five bands; the file has "
            f"{', '.join(present)}. Write the sample by hand: docs/how_to.md"
        )
    columns = identifiers(present) | _truth(present, stated)
    for of_kind in kinds[in_names].values():
        columns |= of_kind
    extinction = dust(present)
    applied, because = extinction_state(in_names, extinction, corrected)
    if not applied:
        columns |= extinction
    kind = next(iter(kinds[in_names]))
    has_errors = f"{kind}_mag_err_u" in columns
    content: dict[str, Any] = {
        "title": name,
        "source": {
            "kind": "file", "path": table, "columns": columns, "extinction_applied": applied,
        },
        "tasks": [task for truth, task in TASKS.items() if truth in columns],
        "cuts": [
            {"cut": "complete_photometry", "magnitudes": [kind]},
            *([{"cut": "z_warning"}] if "z_warning" in columns else []),
            *([{"cut": "nonzero_redshift"}] if "zspec" in columns else []),
            *([{"cut": "unique_objects"}] if "objid" in columns else []),
        ],
        "features": {
            "magnitudes": kind,
            "groups": ["colors", "reference_magnitude", *["magnitude_errors"] * has_errors],
        },
        "splits": {"random": {"kind": "holdout", "group": "object"}},
    }  # fmt: skip
    if len(content["tasks"]) == len(TASKS):
        content["regressors"] = list(OF_ALL_CLASSES)
    Sample.model_validate(content)
    state = "corrected" if applied else "not corrected"
    evidence = f"magnitudes are {state} for Galactic extinction ({because})"
    if not (applied or extinction) and {"ra", "dec"} <= set(columns):
        evidence += "; to correct them at their positions, source.extinction_from: {map: sfd98}"
    return content, evidence


def _magnitudes(present: list[str], in_names: bool) -> dict[str, dict[str, str]]:
    """Return the columns of each kind of magnitude that covers all bands, with its errors.

    `in_names` selects magnitudes whose names say that they are corrected for extinction.
    """
    found = {}
    for kind in MAGNITUDES:
        values, errors = (
            {f"{kind}_{word}_{band}": column_of(f"{kind}_{word}_{band}", present, in_names)
             for band in BANDS}
            for word in ("mag", "mag_err")
        )  # fmt: skip
        if all(values.values()):
            complete = values | errors if all(errors.values()) else values
            found[kind] = {name: str(column) for name, column in complete.items()}
    return found


def _truth(present: list[str], stated: dict[str, str | None]) -> dict[str, str]:
    found = {}
    for name, words in TRUTH.items():
        column = stated.get(name) or called(words, present)
        if column and column not in present:
            raise UnclearError(f"there is no column {column!r}; the file has {', '.join(present)}")
        if column:
            found[name] = column
    if not found:
        raise UnclearError(
            "no column was recognised as spectroscopic redshift or class; give --zspec COLUMN or "
            f"--class COLUMN. The file has {', '.join(present)}"
        )
    if "zspec" in found and (error := called(ZSPEC_ERR, present)):
        found["zspec_err"] = error
    about = {name: called([word], present) for name, word in SPECTRUM.items()}
    return found | {name: column for name, column in about.items() if column}
