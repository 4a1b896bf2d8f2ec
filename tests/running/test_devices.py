"""GPUs are shared out among real processes; no card is needed, as a lock knows only its name."""

import itertools
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sdssflow.running import devices
from sdssflow.running.devices import reserve

ROOT = Path(__file__).parents[2]
# Holds its devices till `company` processes have held theirs at once and standard input is closed.
HOLD = """
import json, logging, os, sys, tempfile, time
from pathlib import Path
sys.path.insert(0, "scripts")
from sdssflow.running import devices
gpus, company, user, folder = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
devices.POLL_S = 0.05
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
if int(user):
    # so that everything is imported: the other user may not be let to where Python is
    with tempfile.TemporaryDirectory() as aside, devices.reserve(gpus, "stop", Path(aside)) as own:
        assert len(own) == gpus
    os.setuid(int(user))
os.umask(0o077)
with devices.reserve(gpus, "stop", Path(folder)):
    begin, children = time.monotonic(), os.environ["CUDA_VISIBLE_DEVICES"]
    mark = Path(folder) / f"holding.{os.getpid()}"
    together = Path(folder) / "together"
    if company:
        mark.touch()
        while not together.exists():
            if len(list(Path(folder).glob("holding.*"))) >= company:
                together.touch()
            time.sleep(0.01)
    print("holding", flush=True)
    sys.stdin.read()
    mark.unlink(missing_ok=True)
    print(json.dumps([children.split(","), begin, time.monotonic()]), flush=True)
"""


@pytest.fixture
def open_folder():
    """A folder to be made in one like /tmp, where other users can come to, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder) / "locks"


def hold(folder, visible, gpus=1, company=0, user=0, keep=False, **variables):
    """Start a process that holds devices; with `keep` till somebody communicates with it."""
    command = [sys.executable, "-c", HOLD, *map(str, (gpus, company, user, folder))]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": visible, **variables}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE if keep else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(processes):
    """Return what each held and when, and all logs."""
    intervals, logs = [], ""
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        intervals.append(json.loads(output.splitlines()[-1]))
        logs += errors
    return intervals, logs


def assert_no_device_twice(intervals):
    for device in {name for names, _, _ in intervals for name in names}:
        times = sorted((begin, end) for names, begin, end in intervals if device in names)
        for (_, end), (begin, _) in itertools.pairwise(times):
            assert end <= begin, (device, times)


# jobs of a machine, and steps of Snakemake in one job of SLURM
@pytest.mark.parametrize("slurm", [{}, {"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "2"}], ids=str)
def test_four_processes_share_two_devices(tmp_path, slurm):
    intervals, _ = ended([hold(tmp_path, "0,1", company=2, **slurm) for _ in range(4)])
    assert_no_device_twice(intervals)
    assert {names[0] for names, _, _ in intervals} == {"0", "1"}
    assert all(len(names) == 1 for names, _, _ in intervals)


def test_who_needs_several_takes_them_together_and_nobody_hangs(tmp_path):
    first = hold(tmp_path, "0,1,2", 3, keep=True)
    assert first.stdout.readline() == "holding\n"
    wanted = (2, 2, 2, 3, 1, 1)
    others = [hold(tmp_path, "0,1,2", gpus) for gpus in wanted]
    for gpus, other in zip(wanted, others, strict=True):
        said = f"waiting for {gpus} of the GPUs 0, 1, 2: other jobs have them"
        assert said in other.stderr.readline()
    intervals, _ = ended([first, *others])
    assert_no_device_twice(intervals)
    assert tuple(len(names) for names, _, _ in intervals[1:]) == wanted


def test_a_process_killed_outright_frees_its_device(tmp_path):
    killed = hold(tmp_path, "0", keep=True)
    assert killed.stdout.readline() == "holding\n"
    waiting = hold(tmp_path, "0")
    assert "waiting" in waiting.stderr.readline()
    assert waiting.poll() is None
    before = time.monotonic()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    [[names, begin, _]], _ = ended([waiting])
    assert names == ["0"]
    assert begin > before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_two_users_share_one_device(open_folder):
    first = hold(open_folder, "0", user=65534, keep=True)
    assert first.stdout.readline() == "holding\n"
    others = [hold(open_folder, "0", user=65533), hold(open_folder, "0", user=0)]
    for other in others:
        assert any("waiting" in line for line in other.stderr)  # after what it did as root
    intervals, _ = ended([first, *others])
    assert_no_device_twice(intervals)


def test_every_user_may_lock_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-GPU-5c89852c/1/0")
    folder = tmp_path / "locks"
    before = os.umask(0o077)
    try:
        with reserve(1, "stop", folder) as names:
            assert os.umask(0o077) == 0o077
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert names == ["MIG-GPU-5c89852c/1/0"]
    assert modes == {"MIG-GPU-5c89852c_1_0.lock": 0o666, "taking.lock": 0o666}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777  # not sticky
    assert [path.name for path in folder.iterdir()] == ["taking.lock"]  # no rest for each job


def test_a_folder_that_can_not_be_locked_in_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (tmp_path / "locks").write_text("")
    with (
        pytest.raises(RuntimeError, match="can't be locked in .*/locks: .*All users"),
        reserve(1, "stop", tmp_path / "locks"),
    ):
        pass


def test_the_environment_names_the_device_only_inside(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with reserve(1, "stop", tmp_path) as first, reserve(1, "stop", tmp_path / "other"):
        child = 'import os; print(os.environ["CUDA_VISIBLE_DEVICES"])'
        seen = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
        assert seen.stdout.split() == first == ["0"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_a_job_that_fails_frees_its_device(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), reserve(1, "stop", tmp_path):
            raise ZeroDivisionError
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_without_gpus_nothing_is_locked(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with reserve(0, "stop", tmp_path / "locks") as names:
        assert names == []
    assert not (tmp_path / "locks").exists()


@pytest.mark.parametrize(
    ("visible", "reason"),
    [
        (None, "nvidia-smi lists no GPU and CUDA_VISIBLE_DEVICES names none"),
        ("", "CUDA_VISIBLE_DEVICES is '', which names no GPU here"),
        ("-1", "CUDA_VISIBLE_DEVICES is '-1', which names no GPU here"),
        ("NoDevFiles", "CUDA_VISIBLE_DEVICES is 'NoDevFiles'"),
    ],
)
def test_where_there_is_no_gpu_a_job_stops_or_says_that_it_goes_on(
    tmp_path, monkeypatch, caplog, visible, reason
):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with (
        pytest.raises(RuntimeError, match=f"gpu is 1, but {reason}.*set-resources.*gpu: 0"),
        reserve(1, "stop", tmp_path),
    ):
        pass
    with caplog.at_level(logging.WARNING), reserve(1, "cpu", tmp_path) as names:
        assert names == []
    assert reason in caplog.text
    assert "on the CPU" in caplog.text


@pytest.mark.parametrize("gpus", [0, 1])
def test_an_unknown_word_is_refused(tmp_path, gpus):
    with (
        pytest.raises(ValueError, match="without_gpu is 'gpu': write stop or cpu in the profile"),
        reserve(gpus, "gpu", tmp_path),
    ):
        pass


def test_too_few_gpus_is_an_error_even_if_none_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with (
        pytest.raises(RuntimeError, match="gpu is 2, but this job can use only 0;.*gpu: 1"),
        reserve(2, "cpu", tmp_path),
    ):
        pass


def test_jobs_of_slurm_keep_what_slurm_gave_them(tmp_path, monkeypatch, nvidia_smi):
    nvidia_smi("GPU 0: Paper (UUID: GPU-1)\n")  # not asked: SLURM may count otherwise
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with reserve(1, "stop", tmp_path / "locks") as names:
        assert names == ["0"]


def test_jobs_of_slurm_do_not_wait_for_each_other(tmp_path):
    """Each may call its own device 0, whichever card that is."""
    first = hold(tmp_path, "0", keep=True, SLURM_JOB_ID="7")
    assert first.stdout.readline() == "holding\n"
    [[names, _, _]], logs = ended([hold(tmp_path, "0", SLURM_JOB_ID="8")])
    first.communicate()
    assert names == ["0"]
    assert "waiting" not in logs


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, r"SLURM gave this job none.*sbatch --gpus.*--resources gpu=0.*set-resources"),
        ({"CUDA_VISIBLE_DEVICES": "0x"}, "SLURM gave this job none"),
        ({"SLURM_GPUS_ON_NODE": "1"}, "SLURM set no CUDA_VISIBLE_DEVICES .gres.conf"),
    ],
)
def test_a_slurm_job_without_gpu_says_why(tmp_path, monkeypatch, caplog, variables, reason):
    for name, value in {"SLURM_JOB_ID": "7", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError, match=reason), reserve(1, "stop", tmp_path):
        pass
    with reserve(1, "cpu", tmp_path) as names:
        assert names == []
    assert devices.IN_THE_PROFILE not in caplog.text


def test_nothing_that_could_initialise_cuda_is_loaded():
    program = "import sys, sdssflow.running.devices; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True)
    assert "sdssflow.running.devices" in loaded.stdout.split()
    assert "torch" not in loaded.stdout.split()
