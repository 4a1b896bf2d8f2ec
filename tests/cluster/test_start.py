"""What comes before the first job, with stand-ins for SLURM's commands."""

import atexit
import json
import os
import socket
import subprocess
import sys

import pytest

from sdssflow import failures
from sdssflow.running import runs, start


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory; no SLURM unless a test makes one."""
    (tmp_path / "work/.snakemake/locks").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(runs, "available", lambda: (tmp_path / "bin/squeue").exists())
    return tmp_path / "work"


def command(folder, name, script):
    program = folder.parent / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def queued(folder, *jobs):
    """Make a squeue that lists jobs until scancel was called; return what scancel was told."""
    lines = "\n".join(runs.SEPARATOR.join(job) for job in jobs)
    (folder.parent / "list").write_text(lines + "\n")
    here = folder.parent
    command(folder, "squeue", f"test -e {here}/cancelled || cat {here}/list")
    command(folder, "scancel", f'echo "$@" > {here}/cancelled')
    return here / "cancelled"


def lock(folder):
    (folder / ".snakemake/locks/0.input.lock").write_text("data.csv\n")


def record(folder, **changes):
    runs.begin(folder)
    path = folder / runs.RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_only_jobs_of_this_folder_and_workflow_are_ours(folder):
    here = str(folder)
    queued(
        folder,
        ("7", "RUNNING", "sdssflow_run", "rule_train_network_wildcards_a", here),
        ("8_2", "PENDING", "sdssflow_run", "", here),
        ("9", "RUNNING", "other", "rule_x", here),  # a profile without the prefix
        ("10", "RUNNING", "other", "(null)", here),
        ("11", "RUNNING", "sdssflow_run", "rule_x", f"{here}/below"),
    )
    assert [str(job) for job in runs.jobs_of(folder)] == [
        "7 (running: train_network_wildcards_a)",
        "8_2 (pending: sdssflow_run)",
        "9 (running: x)",
    ]


def test_a_run_that_lives_is_not_disturbed(folder):
    cancelled = queued(folder, ("7", "RUNNING", "sdssflow_run", "rule_x", str(folder)))
    lock(folder)
    record(folder)  # this very process
    with pytest.raises(start.StartError, match=f"locked by process {os.getpid()} on"):
        start.settle(folder, "cancel")
    assert not cancelled.exists()


def test_a_run_on_another_host_is_taken_for_alive(folder):
    lock(folder)
    record(folder, host="login2")
    with pytest.raises(start.StartError, match="on login2"):
        start.settle(folder, "adopt")


def test_a_lock_without_a_record_is_left_to_the_user(folder):
    lock(folder)
    with pytest.raises(start.StartError, match="snakemake --unlock"):
        start.settle(folder, "adopt")


def dead_process():
    """Return a number that was a process of this machine."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("how", ["another process", "the same number, later"])
def test_the_lock_of_a_killed_run_is_removed(folder, monkeypatch, how):
    lock(folder)
    if how == "another process":
        record(folder, pid=dead_process())
    else:
        record(folder, birth="another boot 1")
    called = []
    monkeypatch.setattr(start.subprocess, "run", lambda words, **_: called.append(words))
    start.settle(folder, "adopt")
    assert [words[1:4] for words in called] == [["-m", "snakemake", "--unlock"]]


def test_adopting_cancels_what_has_not_begun(folder, monkeypatch):
    here = str(folder)
    cancelled = queued(
        folder,
        ("7", "RUNNING", "sdssflow_run", "rule_x", here),
        ("8", "PENDING", "sdssflow_run", "rule_y", here),
    )
    adopted = runs.adopt_orphans(folder)
    assert [job.jobid for job in adopted] == ["7"]
    assert cancelled.read_text().split() == ["--quiet", "8"]


def test_cancelling_waits_till_they_are_gone_and_says_if_they_are_not(folder, monkeypatch):
    queued(folder, ("7", "COMPLETING", "sdssflow_run", "rule_x", str(folder)))
    command(folder, "scancel", "true")  # and the job stays
    monkeypatch.setattr(runs, "ENDING_SECONDS", 0.0)
    monkeypatch.setattr(runs.time, "sleep", lambda _: None)
    with pytest.raises(runs.QueueError, match="still in the queue.*nothing was submitted"):
        runs.cancel_orphans(folder)


def test_a_run_that_submits_needs_an_answer_and_a_local_one_does_not(folder, caplog):
    command(folder, "squeue", "echo down >&2; exit 1")
    runs.begin_run(folder, submits=False)
    assert not caplog.text  # no run before
    with pytest.raises(runs.QueueError, match="squeue failed: down"):
        runs.begin_run(folder, submits=True)
    runs.begin_run(folder, submits=False)
    assert "whether an earlier run left jobs" in caplog.text
    assert runs.last_run(folder).alive()
    assert runs.last_run(folder).host == socket.gethostname()


def test_what_a_run_that_lives_has_in_the_queue_is_no_orphan(folder):
    cancelled = queued(folder, ("7", "PENDING", "sdssflow_run", "rule_a", str(folder)))
    with subprocess.Popen(["sleep", "100"]) as other:
        record(folder, pid=other.pid, birth=runs._birth(other.pid))
        runs.begin_run(folder, submits=False)
        assert runs.last_run(folder).pid == other.pid
        with pytest.raises(runs.QueueError, match=f"a run works in .*process {other.pid}"):
            runs.begin_run(folder, submits=True)
        assert not cancelled.exists()
        other.kill()
    runs.begin_run(folder, submits=True)
    assert runs.last_run(folder).pid == os.getpid()
    assert "7" in cancelled.read_text()


def test_nor_is_what_a_run_of_another_host_has_whose_lock_is_there(folder):
    cancelled = queued(folder, ("7", "PENDING", "sdssflow_run", "rule_a", str(folder)))
    record(folder, host="login2")
    lock(folder)
    other = folder / runs.LOCKS / "1.output.lock"
    (folder / runs.LOCKS / "0.output.lock").touch()  # that of the run that begins
    other.touch()
    runs.begin_run(folder, submits=False)
    assert runs.last_run(folder).host == "login2"
    with pytest.raises(runs.QueueError, match="on login2.*snakemake --unlock"):
        runs.begin_run(folder, submits=True)
    assert not cancelled.exists()
    other.unlink()
    runs.begin_run(folder, submits=True)
    assert "7" in cancelled.read_text()


def test_without_slurm_a_run_just_begins(folder):
    runs.begin_run(folder, submits=True)
    assert runs.last_run(folder).pid == os.getpid()


def test_an_interrupt_while_it_waits_is_told_without_a_traceback(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "settle", interrupt)
    with pytest.raises(failures.Refusal, match="nothing was started") as ended:
        start.main(["--directory", str(folder)])
    atexit.unregister(ended.value.say)
    assert ended.value.code == 130


def test_an_error_ends_the_command_with_one_line(folder, monkeypatch):
    lock(folder)
    with pytest.raises(SystemExit, match="Not started: .* is locked by a run without a record"):
        start.main(["--directory", str(folder), "--cores", "2"])


def test_a_process_that_lives_on_after_its_run_keeps_nobody_out(tmp_path):
    runs.begin(tmp_path)
    runs.end(tmp_path)
    assert runs.last_run(tmp_path).alive() is False
