"""A run of three jobs, recorded as Snakemake's jobs are: source -> table -> scores -> report."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Wildcards

from sdssflow.provenance.records import write_record

JOBS = {
    "import_catalogue": ("data/source.csv", "results/mgs/catalogue/catalogue.csv"),
    "train_regressor": ("results/mgs/catalogue/catalogue.csv", "results/mgs/regress/linear/1"),
    "build_report": ("results/mgs/regress/linear/1", "results/report.html"),
}


@dataclass
class Job:
    """One job of the run; `write` makes its output, `record` its record."""

    rule: str
    reads: str
    writes: str

    def snakemake(self, **changes):
        given = {
            "rule": self.rule,
            "input": InputFiles(fromdict={"table": self.reads}),
            "output": OutputFiles(fromdict={"result": self.writes}),
            "params": Params(fromdict={"settings": '{"a": 1}', "seed": 3, "code": "0123456789ab"}),
            "wildcards": Wildcards(fromdict={"sample": "mgs"}),
            "resources": ResourceList(fromdict={"mem_mb": 100, "runtime": 5, "tmpdir": "/tmp"}),
            "log": Log(toclone=[f"logs/{self.rule}/mgs.log"]),
            "threads": 1,
        }
        return SimpleNamespace(**(given | changes))

    def write(self, text="x\n1\n"):
        path = Path(self.writes)
        if path.name == "1":
            path.mkdir(parents=True, exist_ok=True)
            (path / "model.json").write_text(text)
            (path / "card.json").write_text("{}")
            (path / ".snakemake_timestamp").touch()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def record(self, **changes):
        path = write_record(self.snakemake(**changes), f"scripts/{self.rule}.py", datetime.now(UTC))
        return json.loads(path.read_text())


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """The jobs by rule, in a folder with the files of a workflow; none has run."""
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "scripts/__pycache__", "rules", "config"):
        Path(folder).mkdir(parents=True)
    Path("data/source.csv").write_text("x\n1\n2\n")
    Path("Snakefile").write_text("rule all:\n")
    Path("rules/report.smk").write_text("# report\n")
    Path("config/config.yaml").write_text("samples: [mgs]\n")
    Path("scripts/__pycache__/x.pyc").write_text("")
    for rule in JOBS:
        Path(f"scripts/{rule}.py").write_text(f'"""{rule}."""\n')
    return {rule: Job(rule, *paths) for rule, paths in JOBS.items()}


@pytest.fixture
def run(jobs):
    """The jobs by rule, run and recorded."""
    for number, job in enumerate(jobs.values()):
        job.write(f"{number}\n")
        job.record()
    return jobs
