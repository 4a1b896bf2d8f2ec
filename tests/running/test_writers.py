import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sdssflow import files, logs

SCRIPTS = Path(__file__).parents[2] / "scripts"
WRITER = """
import logging, sys, time
from pathlib import Path
from sdssflow import logs
logs.EVERY_SECONDS = 0.02
logging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)
with logs.sole_writer(sys.argv[2:], Path(sys.argv[1])):
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
    assert first_line(second) == "waiting: another job is still writing a.csv, b.csv\n"
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


@pytest.fixture(params=["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL"])
def without_locks(request, monkeypatch, caplog):
    """A file system whose locks fail with an error of such a one; the warnings come out."""
    number = getattr(errno, request.param)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(files, "_warned", set())
    return lambda: [record.message for record in caplog.records]


def test_a_job_without_locks_warns_once_and_works(folder, without_locks, tmp_path):
    with logs.sole_writer(["a.csv", "b.csv"], folder):
        for name in ("a.csv", "b.csv", "a.csv"):
            files.write_text(tmp_path / name, name)
        with files.locked(tmp_path / "x.lock"):
            pass
    (message,) = without_locks()
    assert "the file system has no locks" in message
    assert "run only one snakemake at a time" in message
    assert (tmp_path / "b.csv").read_text() == "b.csv"
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "b.csv", "locks", "x.lock"}


def test_without_locks_a_living_writer_is_never_taken_for_a_dead_one(without_locks, tmp_path):
    path = tmp_path / "a.csv"
    with files.replacing(path) as first:
        first.write_text("first")
        with files.replacing(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_that_is_not_of_locks_fails_and_leaves_nothing(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        files.write_text(tmp_path / "a.csv", "")
    assert not list(tmp_path.iterdir())


AS_NOBODY = """
import fcntl, glob, json, logging, os, sys, tempfile
from pathlib import Path
from sdssflow.files import locked, make_shared_folder, write_text
logging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)
folder = sys.argv[1]
os.umask(0o077)
os.setgroups([]); os.setgid(65534); os.setuid(65534)  # who may not read our Python any more
"""


def as_nobody(folder, code):
    """Run code as another user with a private umask."""
    where = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", AS_NOBODY + code, str(folder)]
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def common(tmp_path):
    """A folder in which every user may write."""
    if os.geteuid() != 0:
        pytest.skip("needs a second user")
    folder = Path(tempfile.mkdtemp(prefix="sdssflow_common"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_files_of_a_common_folder_are_common_whatever_the_umask(common):
    as_nobody(
        common,
        "make_shared_folder(folder + '/deep/er')\n"
        "write_text(folder + '/deep/er/a.json', 'nobody', shared=True)\n"
        "with locked(folder + '/deep/er/x.lock'): pass\n",
    )
    made = common / "deep" / "er"
    assert [(made / name).stat().st_mode & 0o777 for name in (".", "a.json", "x.lock")] == [
        0o777, 0o666, 0o666,
    ]  # fmt: skip


def test_files_of_a_folder_of_our_own_keep_the_umask(tmp_path):
    files.make_shared_folder(tmp_path / "deep" / "er")
    files.write_text(tmp_path / "deep" / "a.json", "", shared=True)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o777 & ~umask
    assert (tmp_path / "deep" / "a.json").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize(("mode", "said"), [(0o644, ""), (0o600, "can't be opened")])
def test_a_lock_of_another_user_is_locked_if_it_can_be_read(common, mode, said):
    (common / "x.lock").touch()
    (common / "x.lock").chmod(mode)
    with files.locked(common / "x.lock"):
        pass
    code = (
        "with locked(folder + '/x.lock'):\n"
        "    print('inside')\n"
        "    if os.access(folder + '/x.lock', os.R_OK):\n"
        "        try: fcntl.flock(os.open(folder + '/x.lock', 0), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "        except BlockingIOError: print('held')\n"
    )
    (common / "x.lock").chmod(mode)
    told = as_nobody(common, code)
    assert "inside" in told
    assert ("held" in told) == (mode == 0o644)
    assert said in told
