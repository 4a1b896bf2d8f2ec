"""What a job makes does not depend on which device it had."""

import logging
from functools import partial

import pytest

from sdssflow.configuration.networks import Network
from sdssflow.regress import training_devices
from sdssflow.running.devices import reserve
from tests.regress import galaxies
from tests.regress.calibrated import train

SETTINGS = Network(kind="network", hidden=[4], max_epochs=2)


@pytest.fixture(autouse=True)
def names_without_cards(monkeypatch, tmp_path):
    """Names that nvidia-smi can't look up, locked aside."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(training_devices, "reserve", partial(reserve, folder=tmp_path / "locks"))


def trained(development, folder, **resources):
    """Return the bytes of the files of a model by their name."""
    train(development, folder, SETTINGS, **resources)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_results_know_of_no_device_by_name(tmp_path, monkeypatch, caplog):
    development, _ = galaxies.write_split(tmp_path)
    expected = trained(development, tmp_path / "none")
    with caplog.at_level(logging.INFO):
        for device in ("GPU-1", "GPU-2"):
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", device)
            made = trained(development, tmp_path / device, gpu=1, without_gpu="cpu")
            assert made == expected
            assert f"reserved GPU {device}" in caplog.text
            assert f"released GPU {device}" in caplog.text
