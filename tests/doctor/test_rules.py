"""The light reading of the rules against Snakemake's own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sdssflow.doctor.rules import Amount, read_rules
from sdssflow.doctor.samples import load_configuration, unused_rules
from tests.workflow.conftest import configure, copy_project

ROOT = Path(__file__).parents[2]
RESOURCES = ("mem_mb", "runtime", "gpu")


def read(folder, text):
    (folder / "some.smk").write_text(text)
    return read_rules(folder)


def test_a_rule_is_read(tmp_path):
    rules = read(
        tmp_path,
        'X = 1\n\n\nrule a:\n    output:\n        "a",\n    threads: 2\n    resources:\n'
        '        gpu=1,\n\n        word="stop", # why\n        mem_mb=by_attempt(1000),\n'
        "    params:\n        runtime=3,\n\n\nrule b:\n    localrule: True\n"
        "    resources:\n        mem_mb=lambda wildcards: 3,\n",
    )
    assert rules["a"].threads == 2 and not rules["a"].local
    assert rules["a"].resources == {
        "gpu": Amount(1),
        "word": Amount("stop"),
        "mem_mb": Amount(1000, grows=True),
    }
    assert rules["b"].local and rules["b"].unread == ("mem_mb",)


def test_amounts_grow_with_the_attempt():
    assert Amount(1000, grows=True).at(3) == 3000
    assert Amount(1).at(3) == 1


def test_every_rule_is_read_whole():
    rules = read_rules(ROOT / "rules")
    names = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert set(rules) == names
    for rule in rules.values():
        assert not set(rule.unread) & {*RESOURCES, "threads"}, rule
        assert {"mem_mb", "runtime"} <= set(rule.resources), rule
    local = {name for name, rule in rules.items() if rule.local}
    assert {"plan_chunks", "download_chunk"} <= local and "train_network" not in local


@pytest.mark.workflow
def test_snakemake_reads_the_same(tmp_path, monkeypatch):
    copy_project(tmp_path)
    configure(tmp_path)
    for path in (tmp_path / "rules").glob("*.smk"):  # with a message a dry run tells no resources
        path.write_text(re.sub(r"    message:\n {8}.*\n", "", path.read_text()))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--cores", "1",
         "--workflow-profile", "none"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    rules = read_rules(tmp_path / "rules")
    text = done.stdout + done.stderr
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", text, re.MULTILINE)
    seen = {name for name, _ in jobs} - {"all"}
    assert len(seen) > 20
    for name, block in jobs:
        if name != "all":
            said = dict(re.findall(r"(\w+)=(\w+)", block.split("resources:")[1]))
            for resource in RESOURCES:
                amount = rules[name].resources.get(resource, Amount(0)).at(1)
                assert int(said.get(resource, 0)) == amount, (name, resource)
    monkeypatch.chdir(tmp_path)
    unused = unused_rules(load_configuration([tmp_path / "config/config.yaml"]))
    assert unused == {"import_bulk"} and not unused & seen
