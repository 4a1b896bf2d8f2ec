"""Jobs that are forked from a process with their packages: as jobs of Python, whatever dies."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from sdssflow.code_digests import Memory
from sdssflow.preload import THREADS, Preload, shared_imports

LONG = 120  # seconds: for a machine that is busy


def wait_until(condition):
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def script(tmp_path):
    """Write a script, as Snakemake does for each job; all import a package and a module of ours."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "ours.py").write_text("import colorsys\n")

    def write(text, name="job"):
        path = folder / f"{name}.py"
        path.write_text(f"import os, sys, time\nimport ours, wave\n{text}\n")
        return path

    return write


@pytest.fixture
def server(script):
    python = sys.executable
    os.environ["PYTEST_CURRENT_TEST"] = ""  # another one for each phase of a test
    running = Preload([script("")] * 10, Memory())
    assert sys.executable != python
    wait_until((running.folder / "socket").exists)
    yield running
    running.end()
    assert sys.executable == python


def start(path, *arguments, **changes):
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        env={**os.environ, **THREADS, **changes} | {"PYTEST_CURRENT_TEST": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def outcome(*args, **kwargs):
    job = start(*args, **kwargs)
    return *job.communicate(timeout=LONG), job.returncode


PRELOADED = "loaded = 'wave' in sys.modules and 'ours' not in sys.modules\n"


def loaded(script, text="print(loaded)"):
    """A script that knows whether its packages were there before it imported them."""
    path = script("")
    path.write_text(f"import sys\n{PRELOADED}{path.read_text()}{text}\n")
    return path


def test_what_jobs_share_is_loaded_and_what_is_ours_is_not(script):
    path = script("import wave.Error")
    names = shared_imports([path] * 10, Memory())
    assert {"wave", "colorsys", "os"} <= set(names)
    assert "ours" not in names
    assert shared_imports([path] * 9, Memory()) == []
    other = script("import html", name="other")
    assert "html" not in shared_imports([path] * 10 + [other], Memory())


def test_a_job_has_what_python_would_have_given_it(server, script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = loaded(
        script,
        "print(loaded, __name__, sys.argv[1:], os.getcwd(), sys.path[0], os.environ['TMPDIR'])\n"
        "print('to stderr', file=sys.stderr)\nsys.exit(7)",
    )
    out, err, status = outcome(path, "a", "b c", TMPDIR=str(tmp_path))
    assert out.split("\n")[0] == (f"True __main__ ['a', 'b c'] {tmp_path} {path.parent} {tmp_path}")
    assert (err, status) == ("to stderr\n", 7)


@pytest.mark.parametrize(
    ("text", "status", "last"),
    [
        ("raise SystemExit('why')", 1, "why"),
        ("raise SystemExit", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("os.kill(os.getpid(), 9)", 137, ""),
    ],
)
def test_a_job_ends_as_it_would_in_python(server, script, text, status, last):
    _, err, found = outcome(script(text))
    assert (found, err.strip().rpartition("\n")[2]) == (status, last)


def test_another_environment_takes_python_itself(server, script):
    path = loaded(script)
    assert outcome(path)[0] == "True\n"
    assert outcome(path, OMP_NUM_THREADS="2")[0] == "False\n"
    assert outcome(path, PYTHONHASHSEED="3")[0] == "False\n"


WAITS = "print(os.getpid(), flush=True)\ntime.sleep(1000)"


def alive(process):
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_job_dies_with_its_client(server, script):
    job = start(script(WAITS))
    process = int(job.stdout.readline())
    assert process != job.pid
    job.kill()
    wait_until(lambda: not alive(process))
    assert outcome(loaded(script))[0] == "True\n"


def test_a_client_that_goes_away_without_a_word_takes_no_other_job_along(server, script):
    job = start(script(WAITS))
    process = int(job.stdout.readline())
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.connect(str(server.folder / "socket"))
    assert outcome(loaded(script))[0] == "True\n"
    assert alive(process)
    job.kill()


def test_without_the_server_jobs_fail_and_the_next_are_those_of_python(server, script):
    job = start(script(WAITS))
    process = int(job.stdout.readline())
    server.server.kill()
    wait_until(lambda: not alive(process))
    assert job.wait(timeout=LONG) == 1
    assert outcome(loaded(script))[0] == "False\n"


def test_a_job_hears_of_control_c_once_and_has_time_to_clean_up(server, script):
    waits = WAITS.replace("\n", "\n    ")
    cleans = "except KeyboardInterrupt:\n    time.sleep(0.2)\n    print('cleaned')"
    job = start(script(f"try:\n    {waits}\n{cleans}"))
    job.stdout.readline()
    job.send_signal(signal.SIGINT)
    assert job.communicate(timeout=LONG)[0] == "cleaned\n"
    assert job.returncode == 0


def test_the_server_ends_with_the_run_but_lets_its_jobs_finish(server, script):
    """Also if Snakemake is killed: its end of the pipe closes then."""
    job = start(script("print(1, flush=True)\ntime.sleep(0.2)\nprint('end')"))
    job.stdout.readline()
    server.server.stdin.close()
    assert job.communicate(timeout=LONG)[0] == "end\n"
    assert server.server.wait(timeout=LONG) == 0
    assert not server.folder.exists()
