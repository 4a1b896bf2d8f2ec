"""Whatever was configured before, what is left or lost: a run ends with what it would make alone.

The jobs pretend (`tests.workflow.snakemakes`): a result holds a digest of all that went into it, so
a result that should have been made again and was not differs from that of a run from nothing.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import TINY_RUN, remember_modules
from tests.workflow.snakemakes import ROOT, server

pytestmark = pytest.mark.workflow
PAIRS = 14
OLD = 1_500_000_000  # a time stamp before every result's

CLASSIFIERS = TINY_RUN["classifiers"]
REGRESSORS = TINY_RUN["regressors"]
SPLITS = {
    "random": {"kind": "holdout"},
    "folds": {"kind": "cross_validation", "folds": 2},
    "sky": {"kind": "holdout", "group": "sky_cell"},
}
COLORED = {"ra": "ra", "dec": "dec"} | {f"model_mag_{band}": band for band in "ugriz"}
COLUMNS = COLORED | {"spec_class": "class", "zspec": "redshift"}
SOURCES = {
    "mine": {"kind": "file", "path": "data/mine.csv", "columns": COLUMNS},
    "other": {"kind": "file", "path": "data/other.csv", "columns": COLUMNS},
    "mgs": {"kind": "embedded", "table": "mgs"},
    "sky": {"kind": "skyserver", "chunks": 2, "simulated": {"objects": 700}},
}
TASKS = {"mgs": ["regress"], "sky": ["classify"]}


def pretend(folder: Path) -> list[str]:
    """Run Snakemake in a folder with jobs that pretend; return what jobs there were."""
    answer = server().run(folder, ["--cores", "1", "--quiet", "rules"], pretend=True)
    assert answer["status"] == 0, answer["stderr"]
    return answer["jobs"]


def some(draw: random.Random, things, least: int = 1) -> list:
    """Draw some of the things, in any order."""
    things = list(things)
    return draw.sample(things, draw.randint(least, len(things)))


def random_configuration(draw: random.Random) -> dict[str, object]:
    """Draw a run, its samples and the rows of its files: path -> content."""
    names = some(draw, SOURCES)[:2]
    classifiers = some(draw, sorted(set(CLASSIFIERS) - {"vote"}))[:2]
    if {"logistic", "neighbours"} <= set(classifiers) and draw.random() < 0.5:
        classifiers.append("vote")
    run = {
        "preload": False,  # nothing to load for jobs that only pretend
        "samples": names,
        "seeds": draw.choice([[1], [2], [2, 1]]),
        "classifiers": {name: CLASSIFIERS[name] for name in sorted(classifiers)},
        "regressors": {name: REGRESSORS[name] for name in some(draw, REGRESSORS)[:2]},
        "bootstrap": {"replicates": draw.choice([20, 30])},
        "redshift_pdfs": {"pit_bins": draw.choice([8, 9]), "magnitude_bins": draw.choice([2, 3])},
        "figures": {
            "format": draw.choice(["png", "svg"]),
            "also": draw.choice([[], ["pdf"]]),
            "dpi": draw.choice([50, 60]),
        },
    }
    models = sorted({*run["classifiers"], *run["regressors"]})
    run["importance"] = {"models": some(draw, models, 0)[:2], "rows": draw.choice([20, 30])}
    files: dict[str, object] = {"config/config.yaml": run}
    for name in SOURCES:
        files[f"config/samples/{name}.yaml"] = {
            "title": draw.choice(["One", "Another {sample}"]),
            "source": SOURCES[name],
            "tasks": TASKS.get(name) or some(draw, ["classify", "regress"]),
            "cuts": draw.choice([[], [{"cut": "complete_photometry"}]]),
            "features": {"groups": some(draw, ["colors", "magnitudes"])},
            "splits": {
                split: SPLITS[split] for split in some(draw, SPLITS)[: draw.choice([1, 1, 2])]
            },
            "explore": {"figures": some(draw, ["magnitudes", "color_color"])},
        }
    files |= random_applications(draw, run, files)
    for name in ("mine", "other"):
        files[f"data/{name}.csv"] = f"u,g,r,i,z\n{draw.randint(14, 15)},17,16,16,16\n"
    return files


def random_applications(
    draw: random.Random, run: dict[str, Any], files: dict[str, Any]
) -> dict[str, object]:
    """Draw bundles, and a target with its files, and name them in the run."""
    trained = [
        {"sample": name, "split": split, "model": model, "task": task}
        for name in run["samples"]
        for sample in [files[f"config/samples/{name}.yaml"]]
        for task in sample["tasks"]
        for split in sample["splits"]
        for model in run["classifiers" if task == "classify" else "regressors"]
        if task == "classify" or model in ("local_linear", "ensemble")
    ]
    run |= {"bundles": {}, "targets": []}
    if trained and draw.random() < 0.6:
        chosen = draw.choice(trained)
        refit = chosen["model"] != "vote" and draw.random() < 0.5
        run["bundles"]["kept"] = chosen | {"refit": refit}
    if not trained or draw.random() < 0.4:
        return {}
    run["targets"] = ["unknown"]
    first = draw.choice(trained)
    others = [model for model in trained if model["task"] != first["task"]]
    target = {
        "title": draw.choice(["Some", "Others"]),
        "source": draw.choice(
            [
                {"kind": "file", "path": "data/unknown", "columns": COLORED},
                {"kind": "skyserver", "rows": "photometry", "simulated": {"objects": 700}},
            ]
        ),
        "models": [first, *others[: draw.choice([0, 1])]],
        "partitions": draw.choice([1, 2]),
        "pdf": draw.choice(["none", "mixture", "quantiles_99"]),
        "hats": draw.choice([True, False]),
    }
    rows = {f"data/unknown/{name}.csv": "" for name in some(draw, "abc")}
    return {"config/targets/unknown.yaml": target} | rows


def configure(folder: Path, files: dict[str, object]) -> None:
    """Write a configuration; files of the user are older than any result."""
    if not (folder / "config").exists():
        shutil.copytree(ROOT / "config", folder / "config")
        remember_modules(folder)
    shutil.rmtree(folder / "data/unknown", ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        if name.startswith("data/"):
            os.utime(path, (OLD, OLD))


def results(folder: Path) -> dict[str, str]:
    """Return what stands in each result; of a record, which tells times, that it is there."""
    found = {}
    for path in (folder / "results").rglob("*"):
        if path.is_file() and path.name != ".snakemake_timestamp":
            name = str(path.relative_to(folder))
            found[name] = "" if name.startswith("results/provenance/") else path.read_text()
    return found


def test_a_run_on_top_of_others_ends_as_it_would_alone(tmp_path):
    draw, seen = random.Random(57), set()
    for number in range(PAIRS + 1):
        files = random_configuration(draw)
        seen |= set(files["config/config.yaml"]["regressors"])
        configure(tmp_path / "run", files)
        pretend(tmp_path / "run")
        alone = tmp_path / f"alone_{number}"
        configure(alone, files)
        pretend(alone)
        expected, found = results(alone), results(tmp_path / "run")
        assert {name: found.get(name) for name in expected} == expected, files
        if number % 4 == 0:
            assert pretend(tmp_path / "run") == [], files
        shutil.rmtree(alone)
    assert seen == set(REGRESSORS)


def test_what_is_deleted_is_made_again(tmp_path):
    configure(tmp_path, random_configuration(random.Random(8)))
    pretend(tmp_path)
    expected = results(tmp_path)
    everything = sorted((tmp_path / "results").rglob("*"))
    for path in random.Random(1).sample(everything, 16):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        pretend(tmp_path)
        assert results(tmp_path) == expected, path
