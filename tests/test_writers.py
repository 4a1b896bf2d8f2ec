import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
WRITER = """
import logging, sys, time
from pathlib import Path
from sdssflow.writers import sole_writer
logging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)
folder, seconds, outputs = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
with sole_writer(outputs, folder):
    print("begins", time.monotonic(), flush=True)
    time.sleep(seconds)
    print("ends", time.monotonic(), flush=True)
"""


def writer(folder, seconds, *outputs):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(seconds), *outputs],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )


def times(text):
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
            if line.startswith(("begins", "ends"))}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


def first_line(process):
    return process.stdout.readline()


def test_a_successor_waits_and_says_for_what(folder):
    first = writer(folder, 1, "a.csv", "b.csv")
    begun = first_line(first)
    second = writer(folder, 0, "b.csv", "a.csv")
    said, _ = second.communicate(timeout=30)
    rest, _ = first.communicate(timeout=30)
    assert "waiting: another job still writes a.csv, b.csv" in said
    assert times(said)["begins"] >= times(begun + rest)["ends"]


def test_jobs_with_other_outputs_dont_wait(folder):
    first = writer(folder, 60, "a.csv")
    first_line(first)
    said, _ = writer(folder, 0, "b.csv").communicate(timeout=30)
    first.kill()
    first.wait()
    assert "waiting" not in said
    assert "begins" in said


def test_a_killed_writer_leaves_no_lock(folder):
    first = writer(folder, 600, "a.csv")
    first_line(first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    started = time.monotonic()
    said, _ = writer(folder, 0, "a.csv").communicate(timeout=30)
    assert "begins" in said
    assert time.monotonic() - started < 30


def test_a_file_system_without_locks_is_told_not_failed(folder, monkeypatch, caplog):
    from sdssflow import writers

    def refuse(*_):
        raise OSError(writers.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(writers.fcntl, "flock", refuse)
    with writers.sole_writer(["a.csv"], folder):
        pass
    assert "no locks" in caplog.text
