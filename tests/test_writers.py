import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
WRITER = """
import logging, sys, time
from pathlib import Path
from sdssflow import writers
writers.EVERY_SECONDS = 0.02
logging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)
with writers.sole_writer(sys.argv[2:], Path(sys.argv[1])):
    print("begins", time.monotonic(), flush=True)
    sys.stdin.read()
    print("ends", time.monotonic(), flush=True)
"""


def writer(folder, *outputs):
    """Start a process that writes until its standard input is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), *outputs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )


def times(*lines):
    return {line.split()[0]: float(line.split()[1]) for line in lines}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


def first_line(process):
    return process.stdout.readline()


def test_a_successor_waits_and_says_for_what(folder):
    first = writer(folder, "a.csv", "b.csv")
    first_line(first)
    second = writer(folder, "b.csv", "a.csv")
    assert first_line(second) == "waiting: another job still writes a.csv, b.csv\n"
    rest, _ = first.communicate(timeout=600)
    said, _ = second.communicate(timeout=600)
    assert times(*said.splitlines())["begins"] >= times(rest)["ends"]


def test_jobs_with_other_outputs_dont_wait(folder):
    first = writer(folder, "a.csv")
    first_line(first)
    said, _ = writer(folder, "b.csv").communicate(timeout=600)
    first.communicate(timeout=600)
    assert said.startswith("begins")


def test_a_killed_writer_leaves_no_lock(folder):
    first = writer(folder, "a.csv")
    first_line(first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    said, _ = writer(folder, "a.csv").communicate(timeout=600)
    assert said.startswith("begins")


def test_a_file_system_without_locks_is_told_not_failed(folder, monkeypatch, caplog):
    from sdssflow import writers

    def refuse(*_):
        raise OSError(writers.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(writers.fcntl, "flock", refuse)
    with writers.sole_writer(["a.csv"], folder):
        pass
    assert "no locks" in caplog.text
