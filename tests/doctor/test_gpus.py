import pytest

from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.gpus import Devices, check_gpus, find_devices
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
