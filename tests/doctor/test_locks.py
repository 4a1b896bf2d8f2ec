import base64
import json
import os
import socket
import subprocess
import sys

import pytest

from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.locks import (
    Runs,
    check_incomplete,
    check_locks,
    incomplete_outputs,
    snakemake_runs,
)


@pytest.fixture
def locked(tmp_path):
    folder = tmp_path / "run"
    (folder / ".snakemake/locks").mkdir(parents=True)
    lock = folder / ".snakemake/locks/0.output.lock"
    lock.write_text("results/report.html\n")
    os.utime(lock, (1000, 1000))
    return folder


def process(processes, number, folder, *command):
    entry = processes / str(number)
    entry.mkdir(parents=True)
    (entry / "cmdline").write_bytes("\0".join([*command, ""]).encode())
    (entry / "cwd").symlink_to(folder)


def test_no_lock_is_ok(tmp_path):
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    assert check_locks(tmp_path, Runs(), {}).state == OK


def test_lock_of_a_living_run_says_which(locked):
    found = check_locks(locked, Runs(here=(4711,)), {}, now=8200)
    assert found.state == WARNING
    assert "4711" in found.found and "2 hours ago" in found.found
    assert "--unlock" not in found.advice


def test_lock_without_a_run_is_a_fault(locked):
    found = check_locks(locked, Runs(unknown=2), {}, now=1030)
    assert found.state == FAULT and "30 seconds ago" in found.found
    assert "2 of other users" in found.found
    assert "make cluster" in found.advice and "snakemake --unlock" in found.advice


def test_jobs_that_outlived_their_run_are_named(locked):
    found = check_locks(locked, Runs(orphans=(12, 13)), {})
    assert found.state == FAULT and "kill 12 13" in found.advice


def test_jobs_of_this_folder_in_slurm_are_named(locked, cluster):
    environment = cluster(squeue=f"echo '7|{locked}'; echo '8_1|{locked}'; echo '9|/elsewhere'")
    found = check_locks(locked, Runs(), environment)
    assert found.state == FAULT and "scancel 7 8_1" in found.advice


def test_silence_of_slurm_is_said(locked, cluster):
    environment = cluster(squeue="echo 'Unable to contact slurm controller' >&2; exit 1")
    found = check_locks(locked, Runs(), environment)
    assert found.state == FAULT and "Unable to contact" in found.found


def test_a_run_of_another_machine_is_looked_for_there(locked):
    record = locked / ".snakemake/sdssflow_run.json"
    record.write_text(json.dumps({"host": "login2.invalid", "pid": 4711, "birth": ""}))
    found = check_locks(locked, Runs(), {})
    assert found.state == FAULT and "login2.invalid (process 4711)" in found.found
    record.write_text(json.dumps({"host": socket.gethostname(), "pid": 4711, "birth": ""}))
    assert "no Snakemake works here" in check_locks(locked, Runs(), {}).found
    record.write_text("[")
    assert check_locks(locked, Runs(), {}).state == FAULT


def test_runs_are_told_from_jobs_and_from_other_folders(tmp_path):
    folder, processes = tmp_path / "run", tmp_path / "proc"
    folder.mkdir()
    script = f"{folder}/.snakemake/scripts/tmp1.split_sample.py"
    process(processes, 10, folder, "/v/bin/python3.11", "/v/bin/snakemake", "--cores", "2")
    process(processes, 11, folder, "/v/bin/python3.11", "-m", "snakemake", "--mode", "remote")
    process(processes, 12, folder, "/v/bin/python3.11", script)
    process(processes, 13, tmp_path, "/v/bin/python3.11", "-m", "snakemake")
    process(processes, 14, folder, "vim", "snakemake")
    assert snakemake_runs(folder, processes) == Runs(here=(10,))
    (processes / "10/cmdline").unlink()
    assert snakemake_runs(folder, processes) == Runs(orphans=(12,))


def test_a_real_process_is_found(tmp_path):
    (tmp_path / "snakemake").write_text("import sys\nprint(flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "snakemake")],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        running.stdout.readline()
        found = snakemake_runs(tmp_path)
        running.stdin.close()
    assert found.here == (running.pid,)
    assert snakemake_runs(tmp_path).here == ()


def mark(folder, output, job=None, longest=254):
    code = base64.urlsafe_b64encode(output.encode()).decode()
    parts = [code[i : i + longest] for i in range(0, len(code), longest)]
    path = folder / ".snakemake/incomplete"
    path = path.joinpath(*("@" + part for part in parts[:-1]), parts[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"external_jobid": job}))


def test_half_made_outputs_by_name_and_job(tmp_path):
    long = "results/" + "x" * 400 + ".csv"
    mark(tmp_path, "results/a.csv", "17")
    mark(tmp_path, long)
    assert incomplete_outputs(tmp_path) == {"results/a.csv": "17", long: ""}


@pytest.mark.parametrize(
    ("outputs", "runs", "rerun", "state"),
    [
        ({}, Runs(), False, OK),
        ({"a": "17"}, Runs(), True, OK),
        ({"a": "17"}, Runs(here=(1,)), False, OK),
        ({"a": "17"}, Runs(), False, WARNING),
    ],
)
def test_half_made_outputs_stop_only_a_profile_that_does_not_make_them_again(
    outputs, runs, rerun, state
):
    found = check_incomplete(outputs, runs, rerun)
    assert found.state == state
    assert ("17" in found.found) is bool(outputs)
    assert ("rerun-incomplete: true" in found.advice) is (state == WARNING)
