import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.machine import (
    Devices,
    check_file_system,
    check_flock,
    check_gpus,
    check_room,
    check_temporary_folder,
    check_writing,
    file_system_type,
    find_devices,
)
from sdssflow.doctor.profiles import Demand

NONE = Devices("2.13.0+cpu", None)
CARD = Devices("2.13.0+cu128", "12.8", ("H100",), ("H100",))
CPU_BUILD = Devices("2.13.0+cpu", None, (), ("H100",))
HIDDEN = Devices("2.13.0+cu128", "12.8", (), ("H100",), visible="")
OLD_DRIVER = Devices("2.13.0+cu128", "12.8", (), ("H100",))
ASKING = [Demand("train_network", gpu=1, without_gpu="stop")]
ON_CPU = [Demand("train_network", gpu=1, without_gpu="cpu")]


@pytest.mark.parametrize(
    ("devices", "asking", "executor", "state", "advice"),
    [
        (NONE, [], "local", OK, ""),
        (NONE, ASKING, "local", FAULT, "profiles/default"),
        (NONE, ON_CPU, "local", OK, ""),
        (NONE, ASKING, "slurm", OK, ""),
        (CARD, ASKING, "local", OK, ""),
        (CARD, [Demand("train_network", gpu=2)], "local", FAULT, "profiles/default"),
        (CARD, [], "local", OK, "profiles/gpu"),
        (CPU_BUILD, ASKING, "local", FAULT, "build of torch for CUDA"),
        (CPU_BUILD, [], "local", WARNING, "build of torch for CUDA"),
        (HIDDEN, ASKING, "local", FAULT, "unset CUDA_VISIBLE_DEVICES"),
        (OLD_DRIVER, ASKING, "local", FAULT, "update the driver"),
        (Devices(trouble="no answer in 60 s"), [], "local", FAULT, "driver"),
    ],
)
def test_gpus_against_the_profile(devices, asking, executor, state, advice):
    found = check_gpus(devices, asking, executor)
    assert found.state == state, found
    assert advice in found.advice


def test_compute_nodes_are_left_to_the_cluster():
    assert "train_network use those of compute nodes" in check_gpus(NONE, ASKING, "slurm").found


def test_torch_and_the_driver_are_asked(programs, monkeypatch):
    programs(nvidia_smi="echo 'NVIDIA H100'; echo 'NVIDIA H100'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    devices = find_devices()
    assert devices.driver == ["NVIDIA H100", "NVIDIA H100"] and devices.visible == ""
    assert devices.version.startswith("2.") and devices.seen == [] and not devices.trouble


def test_a_torch_that_crashes_is_a_row_and_no_crash(programs):
    programs(python="kill -SEGV $$", nvidia_smi="echo failed >&2; exit 9")
    devices = find_devices("python")
    assert "exit status -11" in devices.trouble and devices.driver == []
    assert check_gpus(devices, [], "local").state == FAULT


def test_a_missing_torch_is_named(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libcuda.so.1: not found')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    devices = find_devices()
    assert "libcuda.so.1" in devices.trouble


@pytest.mark.parametrize(
    ("free", "inodes", "state"),
    [
        (8e10, 10**6, OK),
        (8e10, None, OK),
        (4.9e9, 10**6, WARNING),
        (0.9e9, 10**6, FAULT),
        (8e10, 5000, WARNING),
        (8e10, 10, FAULT),
    ],
)
def test_room(free, inodes, state, tmp_path, monkeypatch):
    status = SimpleNamespace(
        f_bavail=free / 4096, f_frsize=4096, f_files=inodes and 10**9, f_favail=inodes
    )
    monkeypatch.setattr(os, "statvfs", {tmp_path: status}.get)
    found = check_room("disk", tmp_path / "not/there/yet")
    assert found.state == state and bool(found.advice) is (state != OK)
    assert f"{free / 1e9:.1f} GB" in found.found


def test_temporary_folder_has_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert f"{tmp_path}: " in check_temporary_folder().found
    monkeypatch.setenv("TMPDIR", "/scratch/me")
    found = check_temporary_folder()
    assert found.state == FAULT and "TMPDIR=/scratch/me is not a folder" in found.found


def test_the_nearest_mount_counts(tmp_path, monkeypatch):
    folder = tmp_path.resolve()
    mounts = {"/": "ext4", str(folder): "nfs4", str(folder / "my data"): "lustre"}
    partitions = [SimpleNamespace(mountpoint=point, fstype=kind) for point, kind in mounts.items()]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions)
    (folder / "my data").mkdir()
    assert file_system_type(Path("/")) == "ext4"
    assert file_system_type(folder / "results") == "nfs4"
    assert file_system_type(folder / "my data/results") == "lustre"


@pytest.mark.parametrize(
    ("kind", "latency", "executor", "state"),
    [
        ("ext4", 5, "local", OK),
        ("nfs4", 5, "local", OK),
        ("nfs4", 60, "slurm", OK),
        ("lustre", 5, "slurm", WARNING),
    ],
)
def test_network_file_systems_need_time(kind, latency, executor, state):
    found = check_file_system(kind, latency, executor)
    assert found.state == state
    assert ("latency-wait" in found.advice) is (state == WARNING)


@contextmanager
def ordinary_user():
    """Root may write everywhere; for a while be nobody."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own can't be entered by others
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_folders_that_can_not_be_written_are_named_and_all_left_as_they_were(open_folder):
    folders = [open_folder / name for name in ("results/sub", "logs", "data")]
    (open_folder / "results").mkdir()
    (open_folder / "data").write_text("")
    for mode, state in ((0o777, OK), (0o555, FAULT)):
        (open_folder / "results").chmod(mode)
        with ordinary_user():
            found = check_writing(folders[:2])
        assert found.state == state
    assert "results/sub: Permission denied" in found.found
    assert "logs" not in found.found and "--directory" in found.advice
    assert "Not a directory" in check_writing(folders).found
    assert {path.name for path in open_folder.rglob("*")} == {"results", "data"}


def test_flock_works_here(tmp_path):
    assert check_flock(tmp_path).state == OK
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_flock_is_a_fault(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    found = check_flock(tmp_path)
    assert found.state == FAULT and "No locks available" in found.found


def test_locks_that_keep_nobody_out_are_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # we hold none; the other process asks
    found = check_flock(tmp_path)
    assert found.state == WARNING and "two processes" in found.found
