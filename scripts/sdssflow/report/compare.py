"""Set two finished runs side by side: a page of what differs, scores first.

``sdssflow compare ../before . -o comparison.html``: each run is given by its folder or by its
``results``. Neither run is changed. What a run is, its folder of results says: the crate names its
files with their digests, the copy of the workflow holds the configuration as it was used, the
records say by which code each job ran.
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
    """What the results of a run, in `folder`, say of it.

    `settings` are `run`, `samples` and `targets`, every default written out; `files` the SHA-256 of
    every file and folder of the crate, `records` the record of each job, both by the path below the
    results.
    """

    folder: Path
    settings: dict[str, Any]
    files: dict[str, str]
    records: dict[str, dict[str, Any]]


def read_run(folder: str | Path) -> FinishedRun:
    """Read a finished run from its folder, or from the folder `results` in it.

    ReportError if it holds no finished run; the message names what is missing.
    """
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
            f"{folder}: not the results of a run that can be read ({said}); {remedy}"
        ) from None
    name = RECORDS.name
    records = {path: read_record(folder / path) for path in files if path.startswith(f"{name}/")}
    return FinishedRun(folder, settings, files, records)


def compare_runs(first: FinishedRun, second: FinishedRun) -> list[Section]:
    """Return what differs between two runs, scores first.

    ReportError, ValueError if predictions that a crate names can't be read.
    """
    scores = _scores(first, second)
    settings = _settings(first, second)
    code = _code(first, second)
    versions = _versions(first, second)
    data = _data(first, second)
    text = [
        _differ(settings, "setting", "The configurations"),
        _differ(code, "program of a rule", "The programs of all rules that both ran"),
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
    """Say how many entries of a table differ, and how many stand in one run alone."""
    if not table.rows:
        return f"{all_of} are the same."
    alone = sum(any(cell.text == UNDEFINED for cell in row[1:3]) for row in table.rows)
    both = len(table.rows) - alone
    words = word.replace(" ", "s ", 1) if " " in word else f"{word}s"
    said = [f"{both:,} {word} differs" if both == 1 else f"{both:,} {words} differ"]
    if alone:
        said.append(f"{alone:,} {'stands' if alone == 1 else 'stand'} in one run alone")
    return f"{', '.join(said)}."


def _changed(scores: list[tuple[Table, list[str]]]) -> list[str]:
    """Say which scores changed by more than their interval."""
    if not scores:
        return ["No model stands in both runs with its predictions: there is no score to compare."]
    changed = [sentence for _, sentences in scores for sentence in sentences]
    rows = [row for table, _ in scores for row in table.rows]
    apart = sum(row[1].text == NONE_IN_COMMON for row in rows)
    if len(changed) > LONG:
        more = len(changed) - LONG
        changed[LONG:] = [f"So did {more:,} further scores, which are bold in the tables."]
    if apart < len(rows) and not changed:
        changed = ["No score of the same objects changed by more than its interval allows."]
    if apart:
        models = "1 entry" if apart == 1 else f"{apart:,} entries"
        changed.append(f"{models} of the tables of scores: {NONE_IN_COMMON}, nothing is compared.")
    return changed


def _scores(first: FinishedRun, second: FinishedRun) -> list[tuple[Table, list[str]]]:
    """Return a table for each sample, task and split, and a sentence for each changed score."""
    # sections alone: the rest of the configuration may be of another version
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
    """Read predictions; a file that the crate does not describe is of a run that did not end."""
    file = run.folder / path
    if not file.is_file() or file_digest(file) != run.files[path]:
        raise ReportError(
            f"{file}: not there as {CRATE} describes it, so the results changed after the run had "
            "ended; run it to the end again"
        )
    return read_predictions([file], [model])[0]


def _score_table(
    place: tuple[str, str, str],
    pairs: list[tuple[Predictions, Predictions]],
    scorer: Scorer,
    bootstrap: Bootstrap,
) -> tuple[Table, list[str]]:
    """Return the table of the models of a sample, task and split, and what changed."""
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
        "Headline scores of the models of both runs on the test objects of both, mean over seeds; "
        "settings of scores and bootstrap are those of the first run."
    )
    level = 100 * bootstrap.level
    notes = [_counts(counted), f"{level:g} % interval of the paired difference", NOT_ZERO]
    return Table(f"{sample}, split {split}: {title}", text, columns, rows, notes), changed


def _counts(counted: dict[str, list[int]]) -> str:
    """Say how many rows of predictions both runs share."""
    if all(len(set(numbers)) == 1 for numbers in counted.values()):
        numbers = sorted({numbers[0] for numbers in counted.values()})
        return f"N = {' or '.join(f'{n:,}' for n in numbers)}: all rows of both, seeds together"
    return "N: " + "; ".join(
        f"{model} {common:,} of {first:,} and {second:,}"
        for model, (common, first, second) in counted.items()
    ) + " rows, seeds together"  # fmt: skip


def _beside(value: float, row: pd.Series) -> Cell:
    """Return a score with as many digits as its difference shows."""
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
    text = "Keys of the run, its samples and targets, with every default. A dash: no such key."
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
        f"First {DIGITS} digits of the digest of the content where the table states it, else of "
        "the SHA-256 of the file. A dash: no such table."
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
    """Return the rules whose jobs, of both runs, ran by another program."""
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
    numeric = ("jobs by another program", "jobs of both")
    heads = word_columns("rule", *numeric, "first run", "second run", numeric=numeric)
    text = (
        "Rules whose jobs ran by other modules, by the digest of what their script imports; "
        "comments and docstrings don't count."
    )
    return Table("Rules whose program differs", text if rows else "None.", heads, rows)


def _two(title: str, text: str, what: str, first: dict[str, str], second: dict[str, str]) -> Table:
    """Return a table of the entries that differ, in the order of the first."""
    rows = [
        [text_cell(name), *(text_cell(one.get(name, UNDEFINED)) for one in (first, second))]
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
    heads = word_columns(what, "first run", "second run")
    return Table(title, text if rows else "None.", heads, rows, folded=len(rows) > LONG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and print what it says in short; 0, or 1 if a folder holds no run."""
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
    """Return what two runs are called: the shortest ends of their paths that differ."""
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
