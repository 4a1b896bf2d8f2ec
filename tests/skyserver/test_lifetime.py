"""The server on the command line lives as long as its parent, and no longer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.skyserver.conftest import PATIENCE_S, address, wait_for

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
COUNT = "select count(*) as n from SpecObjAll"
# starts the server as its child, repeats its address and waits to be killed
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), child.pid, flush=True)
time.sleep(3600)
"""


def command(sky, *options):
    return [sys.executable, "-m", "skyserver_standin.server", "--sky", str(sky), *options]


@pytest.fixture
def start():
    """Start a program; whatever happens it is gone after the test."""
    running = []

    def run(arguments):
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def test_it_ends_when_standard_input_closes(sky, start):
    process = start(command(sky, "--until-stdin-closes", "--row-limit", "9"))
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    assert requests.get(address(url, COUNT), timeout=PATIENCE_S).text == "#Table1\nn\n400\n"
    assert "error_message" in requests.get(address(url, "select top 10 z"), timeout=PATIENCE_S).text
    process.stdin.close()
    assert process.wait(timeout=PATIENCE_S) == 0
    assert process.stderr.read() == ""
    with pytest.raises(requests.ConnectionError):
        requests.get(address(url, COUNT), timeout=PATIENCE_S)


def test_it_ends_with_a_parent_that_is_killed(sky, start):
    parent = start([sys.executable, "-c", PARENT, *command(sky, "--until-stdin-closes")])
    url, pid = parent.stdout.readline().split()
    try:
        assert requests.get(address(url, COUNT), timeout=PATIENCE_S).status_code == 200
        parent.kill()
        parent.wait(timeout=PATIENCE_S)
        wait_for(lambda: not is_running(int(pid)))
    finally:
        if is_running(int(pid)):
            os.kill(int(pid), signal.SIGKILL)


def is_running(pid):
    """Tell whether there is such a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_ends_cleanly_on_sigterm(sky, start):
    process = start(command(sky))
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.terminate()
    assert process.wait(timeout=PATIENCE_S) == 0
    assert process.stderr.read() == ""


def test_a_folder_without_the_tables_is_named(tmp_path, start):
    process = start(command(tmp_path))
    assert process.wait(timeout=PATIENCE_S) == 2
    message = f"{tmp_path}: no photoobj.parquet\n"
    assert process.stderr.read() == message
