"""What tests of devices share: a bare machine, and an nvidia-smi made of paper."""

import pytest

VARIABLES = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_JOB_GPUS",
             "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No variable of this machine, and no nvidia-smi."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def nvidia_smi(tmp_path):
    """Return a function that puts a program of that name on PATH, which says what it is told."""

    def put(says, status=0):
        program = tmp_path / "bin/nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{says}END\nexit {status}\n")
        program.chmod(0o755)

    return put
