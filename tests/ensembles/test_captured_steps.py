"""On a GPU: steps replayed from a graph are the steps that were captured."""

import pytest
import torch

from sdssflow.ensembles import checkpoints
from sdssflow.ensembles.training import reproducible
from sdssflow.regress.ensemble_training import fit as train_ensemble
from sdssflow.regress.ensemble_training import redshift_program
from tests.regress.test_ensemble_training import SETTINGS, TRAIN, VALIDATION

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
GPU = torch.device("cuda")
CHANGES = [{}, {"compiled": True}, {"noise_aware": True}, {"bfloat16": True}, {"hide_bands": 0.2}]


def begin(device, **changes):
    program = redshift_program(
        SETTINGS.model_copy(update=changes), 1, TRAIN, VALIDATION, torch.device(device), 0.0
    )
    return program, program.first_state()


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes), "default"))
def test_replayed_steps_are_those_of_one_kernel_after_the_other(changes):
    (captured, state), (plain, other) = begin(GPU, **changes), begin(GPU, **changes)
    for epoch in range(3):
        for number, batch in enumerate(captured.batches(state.generators), 1 + 9 * epoch):
            losses = captured.take_step(state, number, *batch)
            rate = plain._learning_rate(number)
            other.optimizer.learning_rate = torch.tensor(rate, device=GPU)
            torch.testing.assert_close(losses, plain._descend(other, *batch))
            torch.testing.assert_close(state.parameters, other.parameters)


def test_to_capture_is_no_step():
    program, state = begin(GPU)
    before = state.parameters.detach().clone()
    batch = next(program.batches(state.generators))
    program.take_step(state, 0, *batch)  # at a learning rate of 0
    assert torch.equal(state.parameters, before)
    moments = {name: each for name, (each,) in state.optimizer.moments.items()}
    assert moments["step"] == 1
    program.take_step(state, 20, *batch)
    assert not torch.equal(state.parameters, before)


def test_a_training_that_was_interrupted_ends_with_the_same_bytes(tmp_path):
    whole = train_ensemble(SETTINGS, 1, TRAIN, VALIDATION, GPU)
    program, state = begin(GPU)
    path = tmp_path / "checkpoint"
    mark = checkpoints.fingerprint(SETTINGS, 1, (TRAIN.digest, VALIDATION.digest), GPU)
    with reproducible(SETTINGS, GPU):
        for epoch in (1, 2):
            program.run_epoch(state, epoch)
    checkpoints.save(state, path, mark)
    resumed = train_ensemble(SETTINGS, 1, TRAIN, VALIDATION, GPU, path)
    assert len(resumed.history) == len(whole.history)
    assert torch.equal(whole.networks.parameters, resumed.networks.parameters)
    assert whole.history == resumed.history


def test_a_gpu_learns_what_a_cpu_learns():
    here = train_ensemble(SETTINGS, 1, TRAIN, VALIDATION, torch.device("cpu"))
    there = train_ensemble(SETTINGS, 1, TRAIN, VALIDATION, GPU)
    lowest = [min(row["validation_loss"] for row in each.history) for each in (here, there)]
    assert lowest[0] == pytest.approx(lowest[1], abs=0.3)  # other draws of order and noise
