import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.machine import Runs, check_incomplete, check_locks, snakemake_runs
from sdssflow.running.runs import SEPARATOR


@pytest.fixture
def locked(tmp_path):
    folder = tmp_path / "run"
    (folder / ".snakemake/locks").mkdir(parents=True)
    lock = folder / ".snakemake/locks/0.output.lock"
    lock.write_text("results/report.html\n")
    os.utime(lock, (1000, 1000))
    return folder


def test_lock_of_a_living_run_says_which(locked, tmp_path):
    assert check_locks(tmp_path, Runs()).state == OK
    found = check_locks(locked, Runs(here=(4711,)), now=8200)
    assert found.state == WARNING
    assert "4711" in found.found and "2 hours ago" in found.found
    assert "--unlock" not in found.advice


def test_lock_without_a_run_is_a_fault(locked):
    found = check_locks(locked, Runs(unknown=2), now=1030)
    assert found.state == FAULT and "30 seconds ago" in found.found
    assert "2 of other users" in found.found
    assert "make cluster" in found.advice and "snakemake --unlock" in found.advice


def test_jobs_that_outlived_their_run_are_named(locked, programs):
    found = check_locks(locked, Runs(orphans=(12, 13)))
    assert found.state == FAULT and "kill 12 13" in found.advice
    rows = [(7, locked), ("8_1", locked), (9, "/other")]
    lines = [SEPARATOR.join([str(n), "RUNNING", "sdssflow_x", "", str(f)]) for n, f in rows]
    programs(squeue="/bin/cat <<'.'\n" + "\n".join(lines) + "\n.\n")
    found = check_locks(locked, Runs())
    assert found.state == FAULT and "scancel 7 8_1" in found.advice
    programs(squeue="echo 'Unable to contact slurm controller' >&2; exit 1")
    found = check_locks(locked, Runs())
    assert found.state == FAULT and "Unable to contact" in found.found


def test_a_run_of_another_machine_is_looked_for_there(locked):
    record = locked / ".snakemake/sdssflow_run.json"
    record.write_text(json.dumps({"host": "login2.invalid", "pid": 4711, "birth": ""}))
    found = check_locks(locked, Runs())
    assert found.state == FAULT and "login2.invalid (process 4711)" in found.found
    record.write_text(json.dumps({"host": socket.gethostname(), "pid": 4711, "birth": ""}))
    assert "no Snakemake of this machine runs in this folder" in check_locks(locked, Runs()).found
    record.write_text("[")
    assert check_locks(locked, Runs()).state == FAULT


def test_runs_are_distinguished_from_jobs_and_from_other_folders(tmp_path, monkeypatch):
    here, other = str(tmp_path / "run"), str(tmp_path)
    running = {
        10: (here, "/v/bin/python3.11", "/v/bin/snakemake", "--cores", "2"),
        11: (here, "/v/bin/python3.11", "-m", "snakemake", "--mode", "remote"),
        12: (here, "/v/bin/python3.11", f"{here}/.snakemake/scripts/tmp1.split_sample.py"),
        13: (other, "/v/bin/python3.11", "-m", "sdssflow.running.snakemake"),
        14: (here, "vim", "snakemake"),
        15: (None, "/v/bin/python3.11", "-m", "sdssflow.running.snakemake"),
        16: (None,),
    }
    monkeypatch.setattr(
        psutil,
        "process_iter",
        lambda attributes: [
            SimpleNamespace(info={"pid": pid, "cwd": place, "cmdline": command})
            for pid, (place, *command) in running.items()
        ],
    )
    assert snakemake_runs(tmp_path / "run") == Runs(here=(10,), unknown=1)
    del running[10]
    assert snakemake_runs(tmp_path / "run") == Runs(orphans=(12,), unknown=1)


def test_a_real_process_is_found(tmp_path):
    (tmp_path / "snakemake").write_text("import sys\nprint(flush=True)\nsys.stdin.read()\n")
    command = [sys.executable, str(tmp_path / "snakemake")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as running:
        running.stdout.readline()
        found = snakemake_runs(tmp_path)
        running.stdin.close()
    assert found.here == (running.pid,)
    assert snakemake_runs(tmp_path).here == ()


@pytest.mark.parametrize(
    ("marks", "runs", "rerun", "state"),
    [
        ([], Runs(), False, OK),
        (["YQ==", "@YQ/YQ=="], Runs(), True, OK),
        (["YQ=="], Runs(here=(1,)), False, OK),
        (["YQ=="], Runs(), False, WARNING),
    ],
)
def test_half_made_outputs_stop_only_a_profile_that_does_not_make_them_again(
    marks, runs, rerun, state, tmp_path
):
    for name in ["migration_underway", *marks]:
        path = tmp_path / ".snakemake/incomplete" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    found = check_incomplete(tmp_path, runs, rerun)
    assert found.state == state and found.found.startswith(str(len(marks) or "none"))
    assert ("rerun-incomplete: true" in found.advice) is (state == WARNING)
