"""Compare two finished runs: an HTML page of their differences, scores first.

``sdssflow compare ../before . -o comparison.html``: each run is given by its folder or its
``results``. Neither run is changed. Everything is read from the results: the crate lists files with
their digests, the workflow copy has the configuration, the records have the code of each job.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.evaluate import class_metrics, pdf_metrics, redshifts
from sdssflow.evaluate.paired_runs import common_objects, paired_differences
from sdssflow.evaluate.tables import Predictions, Scorer, read_predictions
from sdssflow.files import file_digest, write_text
from sdssflow.provenance.lineage import RECORDS, RESULTS, LineageError, read_record
from sdssflow.provenance.workflow_copy import USED
from sdssflow.report.glossary import TASKS, label
from sdssflow.report.rendering import render_comparison
from sdssflow.report.scores import NOT_ZERO, holds_zero, score_cell
from sdssflow.report.sections import (
    LONG,
    UNDEFINED,
    Cell,
    Column,
    ReportError,
    Section,
    Table,
    fixed,
    number_cell,
    plain,
    stated,
    text_cell,
    with_interval,
    word_columns,
)
from sdssflow.tables import metadata, read_schema

CRATE = "ro-crate-metadata.json"
WORKFLOW = "workflow/"
DATA = (".parquet", ".csv", ".hdf5")
DIGITS = 12
FIRST, SECOND = "first", "second"
NONE_IN_COMMON = "no test object in common"


@dataclass(frozen=True)
class FinishedRun:
    """A finished run with results in `folder`.

    `settings` are `run`, `samples` and `targets` with all defaults; `files` has the SHA-256 of
    every file and folder of the crate, `records` the record of each job, both by path below
    `folder`.
    """

    folder: Path
    settings: dict[str, Any]
    files: dict[str, str]
    records: dict[str, dict[str, Any]]


def read_run(folder: str | Path) -> FinishedRun:
    """Read a finished run from its folder or results; ReportError if it is not one."""
    folder = Path(folder)
    if not (folder / CRATE).is_file() and (folder / RESULTS).is_dir():
        folder = folder / RESULTS
    remedy = "give the folder of a finished run (its rule write_crate writes this file last)"
    try:
        crate = json.loads((folder / CRATE).read_text(encoding="utf-8"))
        settings = json.loads((folder / WORKFLOW / USED).read_text(encoding="utf-8"))
        files = {
            entity["@id"].rstrip("/"): entity["sha256"]
            for entity in crate["@graph"]
            if "sha256" in entity and "://" not in entity["@id"]
        }
        if "bootstrap" not in settings["run"]:
            raise ValueError(f"{USED} has no bootstrap")
    except FileNotFoundError as error:
        raise ReportError(f"{error.filename}: there is no such file; {remedy}") from None
    except NotADirectoryError as error:
        raise ReportError(f"{error.filename}: not a folder; {remedy}") from None
    except (ValueError, KeyError, TypeError) as error:
        said = str(error).splitlines()[0]
        raise ReportError(
            f"{folder}: not readable as the results of a run ({said}); {remedy}"
        ) from None
    name = RECORDS.name
    records = {path: read_record(folder / path) for path in files if path.startswith(f"{name}/")}
    return FinishedRun(folder, settings, files, records)


def compare_runs(first: FinishedRun, second: FinishedRun) -> list[Section]:
    """Return the differences between two runs, scores first.

    ReportError or ValueError if predictions that a crate names can't be read.
    """
    scores = _scores(first, second)
    settings = _settings(first, second)
    code = _code(first, second)
    versions = _versions(first, second)
    data = _data(first, second)
    text = [
        _differ(settings, "setting", "The configurations"),
        _differ(code, "program of a rule", "The programs of all rules in both runs"),
        _differ(versions, "version", "The versions of Python and its packages"),
        _differ(data, "table", "The data and result tables"),
    ]
    said = [*_changed(scores), " ".join(text)]
    return [
        Section("scores", "Scores", said, blocks=[table for table, _ in scores]),
        Section("configuration", "Configuration", blocks=[settings]),
        Section("programs", "Programs", blocks=[code, versions]),
        Section("data", "Data", blocks=[data]),
    ]


def _differ(table: Table, word: str, all_of: str) -> str:
    """Say how many entries of a table differ, and how many are in one run only."""
    if not table.rows:
        return f"{all_of} are the same."
    alone = sum(any(cell.text == UNDEFINED for cell in row[1:3]) for row in table.rows)
    both = len(table.rows) - alone
    words = word.replace(" ", "s ", 1) if " " in word else f"{word}s"
    said = [f"{both:,} {word} differs" if both == 1 else f"{both:,} {words} differ"]
    if alone:
        said.append(f"{alone:,} {'is' if alone == 1 else 'are'} in one run only")
    return f"{', '.join(said)}."


def _changed(scores: list[tuple[Table, list[str]]]) -> list[str]:
    """Say which scores changed by more than their interval."""
    if not scores:
        return ["No model has predictions in both runs: there are no scores to compare."]
    changed = [sentence for _, sentences in scores for sentence in sentences]
    rows = [row for table, _ in scores for row in table.rows]
    apart = sum(row[1].text == NONE_IN_COMMON for row in rows)
    if len(changed) > LONG:
        more = len(changed) - LONG
        changed[LONG:] = [f"So did {more:,} further scores, bold in the tables."]
    if apart < len(rows) and not changed:
        changed = ["No score of the same objects changed significantly."]
    if apart:
        entries = "1 entry" if apart == 1 else f"{apart:,} entries"
        changed.append(f"{entries} of the score tables: {NONE_IN_COMMON}, nothing is compared.")
    return changed


def _scores(first: FinishedRun, second: FinishedRun) -> list[tuple[Table, list[str]]]:
    """Return a table for each sample, task and split, and a sentence for each changed score."""
    # only these sections: the others may be those of another version
    used = first.settings["run"]
    bootstrap = Bootstrap.model_validate(used["bootstrap"])
    scorers = {
        "classify": class_metrics.scorer(ClassScores.model_validate(used["class_scores"])),
        "regress": redshifts.scorer(RedshiftScores.model_validate(used["redshift_scores"])),
        "pdf": pdf_metrics.SCORER,
    }
    pairs: dict[tuple[str, str, str], list[tuple[Predictions, Predictions]]] = {}
    for path in sorted(first.files):
        parts = Path(path).parts
        if len(parts) == 5 and parts[-1] == "predictions.parquet" and path in second.files:
            sample, task, split, model, _ = parts
            pair = _predictions(first, path, model), _predictions(second, path, model)
            pairs.setdefault((sample, task, split), []).append(pair)
            if all("crps" in one.frame for one in pair):
                pairs.setdefault((sample, "pdf", split), []).append(pair)
    return [
        _score_table(place, of_place, scorers[place[1]], bootstrap)
        for place, of_place in sorted(pairs.items())
    ]


def _predictions(run: FinishedRun, path: str, model: str) -> Predictions:
    """Read predictions; ReportError if the crate does not describe this file."""
    file = run.folder / path
    if not file.is_file() or file_digest(file) != run.files[path]:
        raise ReportError(
            f"{file}: missing or not as {CRATE} describes it: the results changed after the run "
            "ended; complete the run again"
        )
    return read_predictions([file], [model])[0]


def _score_table(
    place: tuple[str, str, str],
    pairs: list[tuple[Predictions, Predictions]],
    scorer: Scorer,
    bootstrap: Bootstrap,
) -> tuple[Table, list[str]]:
    """Return the table of the models of a sample, task and split, and sentences on changes."""
    sample, task, split = place
    rows, changed, counted = [], [], {}
    for pair in pairs:
        model = pair[0].model
        common = common_objects(*pair)
        counted[model] = [len(common[0].frame) if common else 0, *(len(one.frame) for one in pair)]
        if common is None:
            rows.append([text_cell(model), text_cell(NONE_IN_COMMON),
                         *[Cell(UNDEFINED)] * 3])  # fmt: skip
            continue
        for _, row in paired_differences(*common, scorer, bootstrap).iterrows():
            certain = not holds_zero(row)
            cells = [_beside(row[name], row) for name in (FIRST, SECOND)]
            about = [text_cell(model), text_cell(label(row["metric"]))]
            rows.append([*about, *cells, score_cell(row, certain, "difference")])
            if certain and row["difference"]:
                difference = stated(row["difference"], row["lower"], row["upper"])
                changed.append(
                    f"{sample}, split {split}: {label(row['metric'])} of {model} changed from "
                    f"{cells[0].text} to {cells[1].text}, by {difference}."
                )
    title = TASKS[task] if task == "pdf" else TASKS[task].lower()
    columns = [*word_columns("model", "score"), Column("first run"), Column("second run"),
               Column("second \N{MINUS SIGN} first", numeric=True)]  # fmt: skip
    text = (
        "Headline scores of the models of both runs on their common test objects, mean over seeds, "
        "with the score and bootstrap settings of the first run."
    )
    level = 100 * bootstrap.level
    notes = [_counts(counted), f"{level:g} % interval of the paired difference", NOT_ZERO]
    return Table(f"{sample}, split {split}: {title}", text, columns, rows, notes), changed


def _counts(counted: dict[str, list[int]]) -> str:
    """Return the number of rows of predictions that both runs share."""
    if all(len(set(numbers)) == 1 for numbers in counted.values()):
        numbers = sorted({numbers[0] for numbers in counted.values()})
        return f"N = {' or '.join(f'{n:,}' for n in numbers)}: all rows of both, all seeds"
    return "N: " + "; ".join(
        f"{model} {common:,} of {first:,} and {second:,}"
        for model, (common, first, second) in counted.items()
    ) + " rows, all seeds"  # fmt: skip


def _beside(value: float, row: pd.Series) -> Cell:
    """Return a score with as many digits as its difference."""
    text, _ = with_interval(row["difference"], row["lower"], row["upper"])
    places = len(text.partition(".")[2]) if text[-1:].isdigit() else 0
    shown = fixed(value, places) if places and "×" not in text else plain(value)
    return Cell(shown, sort="" if pd.isna(value) else float(value))


def flat(settings: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys of nested settings, joined by dots, with their values as JSON.

    >>> dict(flat({"a": {"b": [1, 2], "c": {}}}))
    {'a.b': '[1, 2]', 'a.c': '{}'}
    """
    if isinstance(settings, dict) and settings:
        for key, value in settings.items():
            yield from flat(value, f"{name}.{key}" if name else key)
    else:
        yield name, json.dumps(settings, ensure_ascii=False)


def _settings(first: FinishedRun, second: FinishedRun) -> Table:
    title = "Settings that differ"
    text = "Keys of the run, its samples and targets, including defaults. A dash: no such key."
    both = (dict(flat(one.settings)) for one in (first, second))
    return _two(title, text, "key", *both)


def _versions(first: FinishedRun, second: FinishedRun) -> Table:
    found = []
    for one in (first, second):
        versions: dict[str, set[str]] = {}
        for record in one.records.values():
            environment = record.get("environment", {})
            used = {"python": environment.get("python"), **environment.get("packages", {})}
            for package, version in used.items():
                versions.setdefault(package, set()).add(str(version))
        found.append({name: ", ".join(sorted(versions[name])) for name in sorted(versions)})
    text = "Of the jobs of each run, from their records."
    return _two("Versions that differ", text, "package", *found)


def _data(first: FinishedRun, second: FinishedRun) -> Table:
    text = (
        f"First {DIGITS} digits of the content digest if the table has one, else of the SHA-256 of "
        "the file. A dash: no such table."
    )
    both = [{path: _digest(one, path) for path in one.files if _is_data(path)}
            for one in (first, second)]  # fmt: skip
    return _two("Tables that differ", text, "table", *both)


def _is_data(path: str) -> bool:
    return path.endswith(DATA) and not path.startswith(WORKFLOW)


def _digest(run: FinishedRun, path: str) -> str:
    file = run.folder / path
    stated = ""
    if file.suffix == ".parquet" and file.is_file():
        stated = metadata(read_schema(file)).get("data_digest", "")
    return str(stated or run.files[path][:DIGITS])


def _code(first: FinishedRun, second: FinishedRun) -> Table:
    """Return the rules with jobs that ran different code in the two runs."""
    jobs: dict[str, list[int]] = {}
    digests: dict[str, list[set[str]]] = {}
    for path in sorted(first.records.keys() & second.records.keys()):
        pair = [one.records[path] for one in (first, second)]
        modules = [str(record["code"]["modules"])[:DIGITS] for record in pair]
        rule = pair[0]["rule"]
        jobs.setdefault(rule, []).append(modules[0] != modules[1])
        for found, digest in zip(digests.setdefault(rule, [set(), set()]), modules, strict=True):
            found.add(digest)
    rows = [
        [text_cell(rule), number_cell(sum(other)), number_cell(len(other)),
         *(text_cell(", ".join(sorted(found))) for found in digests[rule])]
        for rule, other in sorted(jobs.items())
        if any(other)
    ]  # fmt: skip
    numeric = ("jobs that differ", "jobs of both")
    heads = word_columns("rule", *numeric, "first run", "second run", numeric=numeric)
    text = (
        "Rules whose jobs ran different code, by the digest of the modules that their script "
        "imports, without comments and docstrings."
    )
    return Table("Rules whose program differs", text if rows else "None.", heads, rows)


def _two(title: str, text: str, what: str, first: dict[str, str], second: dict[str, str]) -> Table:
    """Return a table of the entries that differ, in the order of the first run."""
    rows = [
        [text_cell(name), *(text_cell(one.get(name, UNDEFINED)) for one in (first, second))]
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
    heads = word_columns(what, "first run", "second run")
    return Table(title, text if rows else "None.", heads, rows, folded=len(rows) > LONG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and print a summary; return 0, or 1 if a run can't be read."""
    parser = argparse.ArgumentParser(prog="sdssflow compare", description=__doc__.splitlines()[0])
    parser.add_argument("first", help="folder of a finished run, or its results")
    parser.add_argument("second", help="folder of another")
    parser.add_argument("-o", "--output", default="comparison.html", help="the page")
    options = parser.parse_args(arguments)
    try:
        runs = [read_run(folder) for folder in (options.first, options.second)]
        sections = compare_runs(*runs)
        reports = dict(zip(_names([one.folder for one in runs]), runs, strict=True))
        links = {name: str((one.folder / "report.html").resolve()) for name, one in reports.items()}
        output = Path(options.output).resolve()
        write_text(output, render_comparison(str(output), links, sections))
    except (ReportError, LineageError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(sections[0].text))
    print(f"\nThe comparison: {os.path.relpath(output)}")
    return 0


def _names(folders: Sequence[Path]) -> list[str]:
    """Return names for two runs: the shortest ends of their paths that differ."""
    paths = [folder.resolve() for folder in folders]
    parts = [path.parts[:-1] if path.name == RESULTS else path.parts for path in paths]
    longest = max(map(len, parts))
    for count in range(1, longest + 1):
        names = ["/".join(of[-count:]) for of in parts]
        if names[0] != names[1]:
            return names
    return [f"{names[0]} (first)", f"{names[1]} (second)"]


if __name__ == "__main__":
    sys.exit(main())
