"""GPUs through Snakemake: limits, locks and what a profile says. The cards are made of paper."""

import itertools
import json
import os
import re
import uuid
from datetime import datetime

import pytest
import yaml

from tests.workflow.conftest import ROOT, Run, configure, copy_project

pytestmark = pytest.mark.workflow
ENSEMBLE = "results/tiny/regress/published/ensemble"
NETWORK = "results/tiny/regress/published/network"
# The resources are those of the rules in rules/regress.smk. A job holds its device till as many
# jobs hold one at a time as `company` says.
MINI = """
rule all:
    input: expand("{number}.json", number=range(4))

rule train_network:
    output: "{number}.json"
    resources: gpu=1, without_gpu="stop"
    params: scripts=config["scripts"], locks=config["locks"], company=config["company"]
    script: "job.py"
"""
JOB = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, snakemake.params.scripts)
from sdssflow.running.devices import reserve
locks, resources = Path(snakemake.params.locks), snakemake.resources
with reserve(resources.gpu, resources.without_gpu, locks) as names:
    begin = time.monotonic()
    mark, together = Path(f"holding.{os.getpid()}"), Path("together")
    mark.touch()
    while not together.exists():
        if len(list(Path().glob("holding.*"))) >= int(snakemake.params.company):
            together.touch()
        time.sleep(0.01)
    time.sleep(0.3)
    mark.unlink()
    end = time.monotonic()
Path(snakemake.output[0]).write_text(json.dumps([names, begin, end]))
"""


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Two cards that no other process knows; nvidia-smi lists them."""
    names = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    lines = [f"echo 'GPU {i}: Paper (UUID: {name})'" for i, name in enumerate(names)]
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return names


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The tiny project, whose profiles/gpu lets it go on without a GPU."""
    run = Run(tmp_path_factory.mktemp("devices"))
    copy_project(run.folder)
    configure(run.folder)
    path = run.folder / "config/config.yaml"
    content = yaml.safe_load(path.read_text()) | {"seeds": [1, 2]}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    profile = run.folder / "profiles/gpu/profile.yaml"
    text, commented = profile.read_text().split("# set-resources:")
    profile.write_text(f"{text}set-resources:{commented.replace('#', '')}")
    return run


def assert_no_device_twice(intervals):
    for device in {name for names, _, _ in intervals for name in names}:
        times = sorted((begin, end) for names, begin, end in intervals if device in names)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times)), times


def run_mini(folder, limit, company):
    (folder / "Snakefile").write_text(MINI)
    (folder / "job.py").write_text(JOB)
    Run(folder).snakemake(
        "--cores", "4", "--resources", f"gpu={limit}", "--config", f"scripts={ROOT / 'scripts'}",
        f"locks={folder / 'locks'}", f"company={company}",
    )  # fmt: skip
    return [json.loads((folder / f"{number}.json").read_text()) for number in range(4)]


def test_each_of_two_devices_has_one_job_at_a_time(tmp_path, cards):
    intervals = run_mini(tmp_path, 2, company=2)
    assert_no_device_twice(intervals)
    assert {names[0] for names, _, _ in intervals} == set(cards)
    assert all(len(names) == 1 for names, _, _ in intervals)


def test_a_limit_of_one_lets_one_job_train_at_a_time(tmp_path, cards):
    intervals = run_mini(tmp_path, 1, company=1)
    assert_no_device_twice([[["any"], begin, end] for _, begin, end in intervals])


def test_a_limit_of_none_is_the_cpu(tmp_path, cards):
    intervals = run_mini(tmp_path, 0, company=4)
    assert [names for names, _, _ in intervals] == [[], [], [], []]
    assert not (tmp_path / "locks").exists()


def reserved(project, log):
    """Return the device that a log names and from when to when the job had it."""
    lines = (project.folder / "logs" / log).read_text().splitlines()
    found = {}
    for line in lines:
        if match := re.search(r"^(.{23}) INFO (reserved|released) GPU (\S+)$", line):
            found[match[2]] = datetime.fromisoformat(match[1].replace(",", ".")), match[3]
    assert found["reserved"][1] == found["released"][1]
    return [[found["reserved"][1]], found["reserved"][0], found["released"][0]]


def test_the_rules_take_devices_and_go_on_without_as_the_profile_says(project, cards):
    project.snakemake(
        "--workflow-profile", "profiles/gpu", "--resources", "gpu=2", "--cores", "2", "--",
        f"{ENSEMBLE}/1", f"{NETWORK}/2",
    )  # fmt: skip
    intervals = [
        reserved(project, f"{log}.log")
        for log in (
            "search_settings/tiny/published/ensemble/1",
            "train_network/tiny/published/ensemble/1",
            "train_network/tiny/published/network/2",
        )
    ]
    assert {names[0] for names, _, _ in intervals} <= set(cards)
    assert_no_device_twice(intervals)
    card = json.loads((project.folder / NETWORK / "2/card.json").read_text())
    assert card["device"] == "cpu"  # what it was in the end: torch finds no card behind the name


def test_a_job_without_its_gpu_stops_and_says_how_to_go_on(project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = project.snakemake(
        "--workflow-profile", "profiles/gpu", "--set-resources", "train_network:without_gpu=stop",
        "--forcerun", "train_network", "--", f"{NETWORK}/2", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "resources.gpu is 1, but CUDA_VISIBLE_DEVICES is '', which names no GPU here" in said
    assert "write in the profile, below set-resources" in said


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The commands of a SLURM without GPUs that is asked for its nodes and refuses all else.

    Returns what it was asked so far.
    """
    pytest.importorskip("snakemake_executor_plugin_slurm")
    calls = tmp_path / "calls"
    for command in ("sbatch", "squeue", "sinfo", "sacct", "scancel", "scontrol"):
        program = tmp_path / "bin" / command
        program.parent.mkdir(exist_ok=True)
        answer = "echo '(null)'" if command == "sinfo" else "exit 1"
        program.write_text(f'#!/bin/sh\necho {command} "$@" >> {calls}\n{answer}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return lambda: calls.read_text() if calls.exists() else ""


SUBMITTING = ["--workflow-profile", "profiles/gpu", "--executor", "slurm", "--jobs", "2",
              "--forcerun", "train_network",
              "--", f"{NETWORK}/2"]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (["--resources", "gpu=0"], "--resources gpu=0 is a limit of this Snakemake"),
        ([], "train_network: a GPU is needed, and no node of this cluster has one"),
    ],
)
def test_jobs_that_would_get_no_gpu_are_refused_with_the_line_to_change(
    project, cluster, limit, words
):
    done = project.snakemake(*limit, *SUBMITTING, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "--set-resources train_network:gpu=0" in done.stderr
    assert "sbatch" not in cluster()


def test_networks_on_the_cpu_are_let_through_to_a_cluster_without_gpus(project, cluster):
    rightly = ["--resources", "gpu=0", "--set-resources", "train_network:gpu=0"]
    done = project.snakemake(*rightly, *SUBMITTING, check=False)
    assert "GPU" not in done.stderr
    assert "squeue" in cluster()  # it went on, and this cluster's squeue fails
    assert "sbatch" not in cluster()
