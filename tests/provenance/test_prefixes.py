"""To a job of a module with a prefix, the folder of the prefix is that of the run."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params

from sdssflow.provenance.prefixes import enter_prefix

SOURCES = ["data/mine.csv", "../theirs.csv", "/archive/all.fits"]


def job(prefix, results="results", logs="logs"):
    inputs = [f"{prefix}{results}/mgs/a.csv", "/project/templates/page.html"]
    output = {
        "table": f"{prefix}{results}/mgs/b.csv",
        "record": f"{prefix}{results}/provenance/x/mgs.json",
    }
    return SimpleNamespace(
        input=InputFiles(fromdict={"table": inputs[0], "template": inputs[1]}),
        output=OutputFiles(fromdict=output),
        log=Log(toclone=[f"{prefix}{logs}/x/mgs.log"]),
        scriptdir="../project/scripts",
        params=Params(fromdict={"source_files": [*SOURCES], "path": "data/mine.csv"}),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "run/deep/sky").mkdir(parents=True)
    (tmp_path / "disk/sky").mkdir(parents=True)
    (tmp_path / "run/link").symlink_to(tmp_path / "disk/sky")
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path


@pytest.mark.parametrize(
    ("prefix", "place", "sources"),
    [
        ("deep/sky/", "run/deep/sky", ["../../data/mine.csv", "../../../theirs.csv"]),
        ("../disk/sky/", "disk/sky", ["../../run/data/mine.csv", "../../theirs.csv"]),
        ("link/", "disk/sky", ["../../run/data/mine.csv", "../../theirs.csv"]),
        ("data/", "run/data", ["mine.csv", "../../theirs.csv"]),
    ],
)
def test_paths_are_those_of_a_run_in_the_folder_of_the_prefix(folder, prefix, place, sources):
    (folder / place).mkdir(exist_ok=True)
    its = job(prefix)
    assert enter_prefix(its) == prefix
    assert Path.cwd() == folder / place
    assert list(its.input) == ["results/mgs/a.csv", "/project/templates/page.html"]
    assert its.input.table == "results/mgs/a.csv"
    assert its.output.record == "results/provenance/x/mgs.json"
    assert its.log[0] == "logs/x/mgs.log"
    assert its.params.source_files == [*sources, "/archive/all.fits"]
    assert its.params.path == "data/mine.csv"
    assert its.scriptdir == str(folder / "project/scripts")


def test_an_absolute_prefix_leaves_absolute_paths_of_others(folder):
    its = job(f"{folder}/disk/sky/")
    enter_prefix(its)
    assert list(its.input) == ["results/mgs/a.csv", "/project/templates/page.html"]


@pytest.mark.parametrize("changes", [{}, {"log": Log()}, {"output": OutputFiles()}])
def test_other_jobs_stay_where_they_are(folder, changes):
    its = SimpleNamespace(**{**vars(job("")), **changes})
    before = list(its.input)
    assert enter_prefix(its) == ""
    assert (Path.cwd(), list(its.input)) == (folder / "run", before)
