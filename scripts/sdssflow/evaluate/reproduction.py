"""Compare the results of the default run with the locked ones.

`config/locked/default_run.yaml` has what a fresh run must reproduce: the digests of its data
tables, exactly; its scores, within a tolerance; the verdict on each published number. Run from the
root of the repository::

    PYTHONPATH=scripts python -m sdssflow.evaluate.reproduction --check    # 1 if anything differs
    PYTHONPATH=scripts python -m sdssflow.evaluate.reproduction --lock     # write the lock

The tolerance of a score is a quarter of the width of its bootstrap interval. Another machine or
number of threads sums in another order, so a trained network differs, but by less than another test
part would change the score. Closed-form scores agree much better.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from sdssflow.configuration.loading import load_layers, load_samples, read_layers
from sdssflow.evaluate import class_metrics, pdf_metrics, redshift_metrics
from sdssflow.evaluate.metrics import names
from sdssflow.files import write_text
from sdssflow.tables import content_digest, read_csv, read_parquet

LOCK = "config/locked/default_run.yaml"
CONFIGURATION = "config/config.yaml"
HEADER = """\
# What a default run gives: made by `python -m sdssflow.evaluate.reproduction --lock`, held by
# `--check` (docs/published_numbers.md). Digests exactly, scores within their tolerance.
"""
SHARE = 0.25  # of the width of the interval
SMALLEST_TOLERANCE = 1e-9
ABSENT = "absent"
KINDS = ("tables", "scores", "verdicts")


class Finding(NamedTuple):
    """One difference from the lock."""

    what: str
    locked: str
    found: str
    tolerance: str = "exact"


def data_tables(configuration: str | Path = CONFIGURATION) -> list[str]:
    """List the data tables of a run, below its results, sample by sample."""
    run, samples = _configured(configuration)
    paths = []
    for name, sample in samples.items():
        paths += [f"{name}/{table}.parquet" for table in
                  ("catalogue/catalogue", "clean/catalogue", "features/features")]  # fmt: skip
        paths += [
            f"{name}/split/{split}/{seed}/{part}.parquet"
            for split in sorted(sample.splits)
            for seed in run.seeds
            for part in ("development", "test")
        ]
    return paths


def score_files(configuration: str | Path = CONFIGURATION) -> list[tuple[str, tuple[str, ...]]]:
    """List the score tables of a run, below its results, with their locked metrics.

    Locked are the metrics whose differences between models are reported.
    """
    run, samples = _configured(configuration)
    found = []
    for name, sample in samples.items():
        for task in sample.tasks:
            for split in sorted(sample.splits):
                folder = f"{name}/{task}/{split}"
                of_task = class_metrics if task == "classify" else redshift_metrics
                found.append((f"{folder}/scores.csv", names(of_task.METRICS, "compared")))
                known = sample.regressors or run.regressors
                if task == "regress" and any(run.regressors[name].gives_pdf for name in known):
                    compared = names(pdf_metrics.METRICS, "compared")
                    found.append((f"{folder}/pdf_scores.csv", compared))
    return found


def _configured(configuration: str | Path) -> tuple[Any, Any]:
    layers = read_layers([configuration])
    run = load_layers(layers)
    return run, load_samples(run, layers)


def lock(results: str | Path, configuration: str | Path = CONFIGURATION) -> dict[str, Any]:
    """Return the lock of a finished run: `tables`, `scores`, `verdicts`."""
    results = Path(results)
    return {
        "tables": {
            path: content_digest(read_parquet(results / path))
            for path in data_tables(configuration)
        },
        "scores": {
            path: dict(_scores(read_csv(results / path), metrics))
            for path, metrics in score_files(configuration)
        },
        "verdicts": _verdicts(read_csv(results / "published.csv")),
    }


def _scores(table: pd.DataFrame, metrics: Sequence[str]) -> Iterator[tuple[str, dict[str, float]]]:
    table = table[(table["seed"].astype(str) == "all") & table["metric"].isin(metrics)]
    for row in table.itertuples():
        value, width = float(row.value), float(row.upper) - float(row.lower)
        smallest = SMALLEST_TOLERANCE * max(1.0, abs(value))
        tolerance = smallest if math.isnan(width) else max(SHARE * width, smallest)
        # two digits, rounded up
        digits = 1 - math.floor(math.log10(tolerance))
        tolerance = float(f"{math.ceil(tolerance * 10**digits) / 10**digits:.2g}")
        yield (
            f"{row.model}: {row.metric} ({row.convention}), {row.subset}",
            {"value": value, "tolerance": tolerance},
        )


def _verdicts(table: pd.DataFrame) -> dict[str, str]:
    of = table["sample"] + "/" + table["split"] + "/" + table["model"]
    of += table["weighted_to"].map(
        lambda value: ", weighted" if isinstance(value, str) and value else ""
    )
    bins = table["zspec_low"].map(" from {:g}".format).where(table["zspec_low"].notna(), "")
    return dict(zip(table["entry"] + " with " + of + bins, table["verdict"], strict=True))


def differences(locked: dict[str, Any], results: str | Path) -> list[Finding]:
    """List where the results below a folder differ from `locked`, which is from `lock`.

    A missing result differs; results that are not in the lock are ignored.
    """
    results = Path(results)
    findings: list[Finding] = []
    for path, digest in locked["tables"].items():
        there = (results / path).is_file()
        ours = content_digest(read_parquet(results / path)) if there else ABSENT
        if ours != digest:
            findings.append(Finding(path, digest, ours))
    for path, scores in locked["scores"].items():
        metrics = {name.partition(": ")[2].partition(" (")[0] for name in scores}
        there = (results / path).is_file()
        found = dict(_scores(read_csv(results / path), sorted(metrics))) if there else {}
        for name, score in scores.items():
            what, value = f"{path} {name}", f"{score['value']:.6g}"
            if name not in found:
                findings.append(Finding(what, value, ABSENT))
            elif not abs(found[name]["value"] - score["value"]) <= score["tolerance"]:
                other, tolerance = f"{found[name]['value']:.6g}", f"{score['tolerance']:.2g}"
                findings.append(Finding(what, value, other, tolerance))
    path = results / "published.csv"
    verdicts = _verdicts(read_csv(path)) if path.is_file() else {}
    for name, verdict in locked["verdicts"].items():
        if verdicts.get(name, ABSENT) != verdict:
            findings.append(Finding(name, verdict, verdicts.get(name, ABSENT)))
    return findings


def main(arguments: list[str] | None = None) -> int:
    """Lock or check; return the exit status."""
    parser = argparse.ArgumentParser(prog="sdssflow.evaluate.reproduction", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lock", action="store_true", help="write the lock from the results")
    what.add_argument("--check", action="store_true", help="1 if the results differ from it")
    parser.add_argument(
        "--only", nargs="+", choices=KINDS, default=KINDS, help="what is checked; all by default"
    )
    parser.add_argument("--results", default="results", help="folder of the results")
    parser.add_argument("--file", default=LOCK, help="the lock")
    parser.add_argument("--configuration", default=CONFIGURATION, help="of the run that is locked")
    options = parser.parse_args(arguments)
    if options.lock:
        content = lock(options.results, options.configuration)
        write_text(options.file, HEADER + yaml.safe_dump(content, sort_keys=False, width=1000))
        print(f"wrote {options.file}")
        return 0
    locked = yaml.safe_load(Path(options.file).read_text(encoding="utf-8"))
    locked |= {kind: {} for kind in KINDS if kind not in options.only}
    found = differences(locked, options.results)
    counts = f"{len(locked['tables'])} tables, {sum(map(len, locked['scores'].values()))} scores"
    counts += f", {len(locked['verdicts'])} verdicts"
    if not found:
        print(f"{options.results} is as locked in {options.file}: {counts}")
        return 0
    with pd.option_context("display.width", 200, "display.max_colwidth", 90):
        print(pd.DataFrame(found).to_string(index=False))
    print(f"{len(found)} of {counts} are not as locked in {options.file}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
