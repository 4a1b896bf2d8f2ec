"""The optimizer is that of torch.optim, without what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sdssflow.ensembles.adamw import AdamW

SCRIPTS = Path(__file__).parents[2] / "scripts"
TRAIN = """
import sys, torch
from sdssflow.configuration.networks import MixtureEnsemble, Network
from sdssflow.models.folders import fit_regressor
from tests.regress import galaxies
small = {"hidden": [4], "max_epochs": 1}
ensemble = MixtureEnsemble(kind="mixture_ensemble", blocks=0, noise=0.0, members=2, **small)
for settings in (Network(kind="network", **small), ensemble):
    parts = galaxies.part(60, 1), galaxies.part(20, 2)
    fit_regressor(settings, 1, *parts, device=torch.device("cpu"), checkpoint=None)
sys.exit("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_those_of_torch_to_the_bit(fused, dtype):
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(size, generator=generator, dtype=dtype) for size in ((7, 33), (33,))]
    ours, theirs = ([each.clone().requires_grad_() for each in start] for _ in range(2))
    optimizer = AdamW(ours, 0.01, 0.1, fused)
    reference = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1, fused=fused)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(reference, 60)
    for _ in range(50):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator, dtype=dtype)
            other.grad = mine.grad.clone()
        optimizer.learning_rate = reference.param_groups[0]["lr"]
        optimizer.step()
        reference.step()
        schedule.step()
    assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def test_trainings_leave_the_compiler_of_torch_alone():
    command = [sys.executable, "-c", TRAIN]
    environment = {"PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent}", "OMP_NUM_THREADS": "1"}
    assert subprocess.run(command, env=environment, check=False).returncode == 0
