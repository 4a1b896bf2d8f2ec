"""A copy of the project with a tiny configuration, run once to the end for all workflow tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from numba.core.caching import UserProvidedCacheLocator

from sdssflow.acquire.schema import COLUMNS
from sdssflow.code_digests import Memory
from sdssflow.tables import read_parquet, write_parquet
from tests.workflow.snakemakes import ROOT, server

PROJECT = ["Snakefile", "rules", "scripts", "config", "profiles", "report", "data/embedded",
           "environment.yml", "requirements.lock", "pyproject.toml", "LICENSE",
           "CITATION.cff"]  # fmt: skip

TINY_RUN = {
    "samples": ["tiny", "mclass", "mock"],
    "seeds": [1],
    "classifiers": {
        "dummy": {"kind": "dummy"},
        "logistic": {"kind": "logistic_regression"},
        "neighbours": {"kind": "nearest_neighbours"},
        "vote": {"kind": "soft_vote", "members": ["logistic", "neighbours"]},
    },
    "regressors": {
        "mean": {"kind": "mean"},
        "linear": {"kind": "linear"},
        "descent": {"kind": "gradient_descent"},
        "network": {"kind": "network", "hidden": [8], "max_epochs": 3},
        "local_linear": {"kind": "local_linear", "neighbours": 20},
        "ensemble": {
            "kind": "mixture_ensemble",
            "members": 2,
            "hidden": [8],
            "max_epochs": 4,
            "blocks": 4,
            "search": {
                "weight_decay": [0.0, 1.0],
                "candidates": 2,
                "first_epochs": 1,
                "members": 1,
            },
        },
    },
    "bundles": {"mgs_ensemble": {"sample": "tiny", "split": "published", "model": "ensemble"}},
    "targets": ["unknown"],
    "redshift_pdfs": {"magnitude_bins": 2, "pit_bins": 8},
    "bootstrap": {"replicates": 20, "level": 0.95, "seed": 1},
    "importance": {
        "models": ["logistic", "vote", "ensemble", "linear"],
        "rows": 1000,
        "permutations": 1,
        "strongest": 2,
        "points": 3,
    },
    "figures": {"format": "png", "dpi": 50},
}


@dataclass
class Run:
    """A working copy of the project and what Snakemake says about it."""

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        answer = server().run(self.folder, arguments)
        done = subprocess.CompletedProcess(
            arguments, answer["status"], answer["stdout"], answer["stderr"]
        )
        if check and done.returncode:
            raise AssertionError(f"snakemake {arguments}:\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments: str, output: str = os.devnull) -> subprocess.Popen:
        """Start Snakemake in a process that can be killed; `output` takes its words."""
        with (self.folder / output).open("w") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", *arguments],
                cwd=self.folder,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def kill(self, process: subprocess.Popen) -> None:
        """Kill -9 a Snakemake and all its jobs, and take away its lock."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.snakemake("--unlock")

    def copy(self, folder: Path) -> Run:
        """Return a copy with its results, to be changed at will."""
        shutil.copytree(self.folder, folder)
        keep_compiled(folder / "scripts", self.folder / "scripts")
        return Run(folder)

    def jobs(self, *arguments: str) -> list[tuple[str, str]]:
        """Return rule and first output of each job that a dry run would start."""
        answer = server().run(self.folder, ["--dry-run", *arguments])
        assert answer["status"] == 0, answer["stderr"]
        return [(rule, output) for rule, output in answer["jobs"]]

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run would start."""
        return dict(Counter(rule for rule, _ in self.jobs(*arguments)))

    def results(self) -> dict[str, bytes]:
        """Return the bytes of every result by its path, but for what tells times."""
        paths = sorted((self.folder / "results").rglob("*"))
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in paths
            if path.is_file()
            and path.parent.parts[len(self.folder.parts) + 1 :][:1] != ("provenance",)
            and path.name not in ("ro-crate-metadata.json", ".snakemake_timestamp")
        }


@cache
def parsed_modules() -> str:
    """Return what Snakemake remembers of all modules: to parse them takes longer than a run."""
    memory = Memory()
    for path in (ROOT / "scripts").rglob("*.py"):
        memory.module(path)
    return json.dumps(memory.modules)


def remember_modules(folder: Path) -> None:
    """Spare the first run in a folder the parsing of the modules that are as they are here."""
    path = folder / ".snakemake/sdssflow_modules.json"
    path.parent.mkdir(parents=True)
    path.write_text(parsed_modules())


def keep_compiled(scripts: Path, known: Path = ROOT / "scripts") -> None:
    """Give copied sources what numba compiled of `known`, which takes a job ten seconds.

    It is in a folder that is called by the place of the sources.
    """
    ours, theirs = (place / "sdssflow/redshift_pdf" for place in (scripts, known))
    name, its = (
        UserProvidedCacheLocator.get_suitable_cache_subpath(place / "kernels.py")
        for place in (ours, theirs)
    )
    for path in theirs.glob(f"__pycache__/numba-*/{its}/*.nb[ci]"):  # not what is being written
        target = ours / path.parents[1].relative_to(theirs) / name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def copy_project(folder: Path) -> None:
    remember_modules(folder)
    for name in PROJECT:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    keep_compiled(folder / "scripts")


def install(folder: Path) -> None:
    """Put into a folder what a wheel of the project puts into site-packages."""
    with tempfile.TemporaryDirectory() as place:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)
    keep_compiled(folder)


def configure(folder: Path) -> None:
    """Make the samples `tiny` (every 16th galaxy of mgs, as a file) and `mock` (a small simulated
    sky, by query), the target `unknown` (other galaxies, two files), and the tiny run."""
    galaxies = read_parquet(folder / "data/embedded/mgs.parquet")
    tiny = galaxies.filter(pc.equal(pc.bit_wise_and(galaxies.column("row_id"), 15), 0))
    columns = [name for name in tiny.column_names if name in COLUMNS and name != "row_id"]
    write_parquet(tiny.select(columns).replace_schema_metadata(None), folder / "data/tiny.parquet")
    sample = yaml.safe_load((folder / "config/samples/mgs.yaml").read_text())
    sample["source"] = {
        "kind": "file",
        "path": "data/tiny.parquet",
        "columns": {name: name for name in columns},
        "extinction_applied": True,
    }
    sample["splits"]["published"] |= {"validation": 0.1, "calibration": 0.2}
    sample["explore"] = {"figures": ["color_redshift"], "clusters": [2, 3], "embeddings": ["pca"]}
    (folder / "config/samples/tiny.yaml").write_text(yaml.safe_dump(sample, sort_keys=False))
    mclass = folder / "config/samples/mclass.yaml"
    content = yaml.safe_load(mclass.read_text())
    content["splits"]["folds"]["folds"] = 2
    content["explore"] |= {"figures": ["sky_map"], "clusters": [2, 3], "embeddings": ["pca"]}
    mclass.write_text(yaml.safe_dump(content, sort_keys=False))
    mock = yaml.safe_load((folder / "config/samples/mocksky.yaml").read_text())
    mock["source"]["simulated"] = {"objects": 1500, "seed": 1}
    mock |= {"tasks": ["classify"], "classifiers": ["dummy", "logistic"], "regressors": None}
    mock["explore"] = {"figures": ["sky_map"], "clusters": [2, 3], "embeddings": ["pca"]}
    (folder / "config/samples/mock.yaml").write_text(yaml.safe_dump(mock, sort_keys=False))
    configure_target(folder, galaxies)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(TINY_RUN, sort_keys=False))


def configure_target(folder: Path, galaxies: pa.Table) -> None:
    """Make the target `unknown`: galaxies without redshifts in two files."""
    columns = [name for name in galaxies.column_names if "_mag_" in name]
    (folder / "data/unknown").mkdir()
    for place, name in enumerate(("a", "b"), start=1):
        rows = galaxies.filter(pc.equal(pc.bit_wise_and(galaxies.column("row_id"), 31), place))
        table = rows.select(columns).replace_schema_metadata(None)
        write_parquet(table, folder / f"data/unknown/{name}.parquet")
    target = {
        "title": "Galaxies without redshifts",
        "source": {
            "kind": "file",
            "path": "data/unknown",
            "columns": {name: name for name in columns},
            "extinction_applied": True,
        },
        "models": [{"sample": "tiny", "split": "published", "model": "ensemble"}],
    }
    (folder / "config/targets/unknown.yaml").write_text(yaml.safe_dump(target, sort_keys=False))


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Run:
    """A tiny run that has been to the end. Tests put back what they change."""
    run = Run(tmp_path_factory.mktemp("project"))
    copy_project(run.folder)
    configure(run.folder)
    run.snakemake()
    return run
