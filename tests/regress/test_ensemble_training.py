"""Members are trained together and become what they would have become alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.ensembles import checkpoints
from sdssflow.ensembles.program import EnsembleProgram, member_rows
from sdssflow.regress.ensemble_training import fit as train_ensemble
from sdssflow.regress.ensemble_training import redshift_program
from sdssflow.regress.mixture_networks import negative_log_density
from tests.regress import survey

CPU = torch.device("cpu")
SETTINGS = MixtureEnsemble(
    kind="mixture_ensemble",
    members=3,
    hidden=[8, 8],
    components=2,
    max_epochs=6,
    batch_size=32,
    blocks=4,
    checkpoint_epochs=2,
)
TRAIN, VALIDATION, EMPTY = survey.part(300, 1), survey.part(60, 2), survey.part(0)


def train(seed=1, checkpoint=None, parts=(TRAIN, VALIDATION), **changes):
    settings = SETTINGS.model_copy(update=changes)
    return train_ensemble(settings, seed, *parts, CPU, checkpoint)


def tensors(trained, member):
    networks = trained.networks
    return [t[member].numpy() for t in networks.shape.split(networks.parameters)]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    torch.manual_seed(99)  # the global generator must not matter
    first, again, other = train(), train(), train(seed=2)
    assert torch.equal(first.networks.parameters, again.networks.parameters)
    assert first.history == again.history
    assert not torch.equal(first.networks.parameters, other.networks.parameters)


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    train(max_epochs=1)
    assert torch.rand(1) == expected


def test_a_member_does_not_depend_on_how_many_others_there_are():
    few, many = train(members=2), train(members=5)
    for member in range(2):
        for one, other in zip(tensors(few, member), tensors(many, member), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert np.abs(tensors(many, 0)[0] - tensors(many, 1)[0]).max() > 0.01


def test_each_member_is_stopped_on_a_block_of_its_own():
    settings = SETTINGS.model_copy(update={"members": 5})
    rows = member_rows(settings, 1, 300, 61, CPU)
    assert rows.learnt.shape == (5, 271) and rows.stopped_on.shape == (5, 90)
    for learnt, stopped_on in zip(rows.learnt.tolist(), rows.stopped_on.tolist(), strict=True):
        assert sorted(learnt + stopped_on) == list(range(361))
    held = [set(row.tolist()) for row in rows.stopped_on]
    assert held[0] == held[4] and not held[0] & held[1]
    assert len(set.union(*held)) == 360
    on_validation = member_rows(SETTINGS.model_copy(update={"blocks": 0}), 1, 300, 61, CPU)
    assert on_validation.learnt.tolist() == [list(range(300))] * 3
    assert on_validation.stopped_on.tolist() == [list(range(300, 361))] * 3
    with pytest.raises(ValueError, match="7 training objects can't be cut into 4 blocks"):
        member_rows(SETTINGS, 1, 7, 0, CPU)


def test_members_stop_early_and_keep_their_best_epoch():
    noisy = survey.part(60, 5)
    noisy.zspec[:] = np.random.default_rng(0).permutation(noisy.zspec)  # nothing to learn for it
    changes = {"blocks": 0, "max_epochs": 200, "patience": 4, "learning_rate": 0.03}
    trained = train(parts=(survey.part(60, 4), noisy), **changes)
    epochs = len(trained.history)
    assert epochs < 200
    assert max(trained.best_epoch) == epochs - 4
    losses = [row["validation_loss"] for row in trained.history]
    assert min(losses) < losses[-1]


def stopped_program(losses, **changes):
    """Return the epochs that one member keeps if its held-back losses are as given, in turn."""
    settings = SETTINGS.model_copy(
        update={"blocks": 0, "members": 1, "max_epochs": len(losses), **changes}
    )
    program = redshift_program(settings, 1, TRAIN, VALIDATION, CPU, 0.0)
    state, kept = program.first_state(), []
    for epoch, row in enumerate(losses, start=1):
        kept.append(bool(program._choose(state, torch.tensor(row)[None], epoch)[0]))
        if kept[-1]:
            state.best_epoch[:] = epoch
    return [epoch for epoch, chosen in enumerate(kept, start=1) if chosen]


def test_an_epoch_is_kept_unless_it_is_worse_by_more_than_its_standard_error():
    generator = np.random.default_rng(0)
    scatter = generator.normal(0, 1, (5, 60)).astype(np.float32)
    scatter -= scatter.mean(axis=1, keepdims=True)
    means = np.array([5.0, 2.0, 2.05, 4.0, 2.05], dtype=np.float32)  # standard errors are 0.18
    assert stopped_program(means[:, None] + scatter) == [1, 2, 3, 5]
    assert stopped_program(means[:, None] + scatter, patience=1) == [1, 2, 3]
    drift = np.arange(2.0, 4.0, 0.05, dtype=np.float32)[:, None] + generator.normal(
        0, 1, (1, 60)
    ).astype(np.float32)  # each a little worse than the one before, on every object
    assert stopped_program(drift, patience=99) == [1]


def test_the_kept_parameters_are_those_of_the_kept_epoch():
    noisy = survey.part(60, 5)
    noisy.zspec[:] = np.random.default_rng(0).permutation(noisy.zspec)
    changes = {"blocks": 0, "max_epochs": 30, "patience": 99, "members": 1, "learning_rate": 0.03}
    trained = train(parts=(survey.part(60, 4), noisy), **changes)
    networks = trained.networks
    x = networks.inputs.transform(torch.tensor(noisy.features))[None]
    y = torch.tensor((noisy.zspec - networks.zspec_mean) / networks.zspec_scale).float()[None]
    loss = negative_log_density(networks.shape, networks.bounds, networks.parameters, x, y)
    losses = [row["validation_loss"] for row in trained.history]
    assert trained.best_epoch[0] < 30
    assert loss.mean().item() == pytest.approx(losses[trained.best_epoch[0] - 1], abs=1e-5)


def test_without_objects_to_stop_on_all_epochs_run_and_the_last_weights_stay():
    trained = train(parts=(TRAIN, EMPTY), blocks=0, patience=1)
    assert len(trained.history) == 6 and trained.best_epoch == [6, 6, 6]
    assert all(math.isnan(row["validation_loss"]) for row in trained.history)


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_setting():
    with pytest.raises(ValueError, match=r"not finite in epoch 1; lower learning_rate"):
        train(learning_rate=1e30)


def test_negative_redshifts_are_refused():
    part = survey.part(300, 1)
    part.zspec[7] = -0.001
    with pytest.raises(ValueError, match=r"negative for 1 of 360 .* redshift_range"):
        train(parts=(part, VALIDATION))


class Killed(Exception):
    """Stands for SIGKILL between two epochs."""


def interrupted(path, monkeypatch, after, **changes):
    """Train and die at the end of an epoch, as a killed job would."""
    run_epoch = EnsembleProgram.run_epoch

    def dying(self, state, epoch):
        run_epoch(self, state, epoch)
        if epoch == after:
            raise Killed

    monkeypatch.setattr(EnsembleProgram, "run_epoch", dying)
    with pytest.raises(Killed):
        train(checkpoint=path, **changes)
    monkeypatch.setattr(EnsembleProgram, "run_epoch", run_epoch)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_killed_training_resumes_to_the_same_weights(after, tmp_path, monkeypatch, caplog):
    path = tmp_path / "fold_0.safetensors"
    undisturbed = train()
    interrupted(path, monkeypatch, after)
    assert path.exists() is (after > 1)
    caplog.set_level("INFO")
    resumed = train(checkpoint=path)
    if after > 1:
        assert f"resumed after epoch {after - 1}" in caplog.text
    assert torch.equal(resumed.networks.parameters, undisturbed.networks.parameters)
    assert resumed.history == undisturbed.history
    assert resumed.best_epoch == undisturbed.best_epoch


@pytest.mark.parametrize(
    ("other", "seed"), [({"weight_decay": 0.2}, 1), ({"members": 4}, 1), ({}, 2)]
)
def test_the_checkpoint_of_another_training_is_left_aside(other, seed, tmp_path, monkeypatch):
    path = tmp_path / "fold_0.safetensors"
    interrupted(path, monkeypatch, 3)
    trained, fresh = train(seed, path, **other), train(seed, **other)
    assert torch.equal(trained.networks.parameters, fresh.networks.parameters)


def test_a_broken_checkpoint_is_left_aside(tmp_path, monkeypatch, caplog):
    path = tmp_path / "fold_0.safetensors"
    interrupted(path, monkeypatch, 3)
    path.write_bytes(path.read_bytes()[:500])
    assert torch.equal(train(checkpoint=path).networks.parameters, train().networks.parameters)
    assert "can't be read" in caplog.text


def test_how_often_checkpoints_are_written_does_not_matter():
    marks = {
        checkpoints.fingerprint(
            SETTINGS.model_copy(update={"checkpoint_epochs": epochs}), 1, ["a"], CPU
        )
        for epochs in (2, 3)
    }
    assert len(marks) == 1


@pytest.mark.parametrize("changes", [{"noise": 0.5}, {"hide_bands": 0.1}, {"noise_aware": True}])
def test_bands_beyond_ugriz_are_learnt_from_as_well(changes):
    generator = np.random.default_rng(4)
    names = (*TRAIN.feature_names, "model_color_rw1", "wise_mag_err_w1")
    parts = []
    for part in (TRAIN, VALIDATION):
        further = generator.uniform(0.1, 1, (len(part), 2))
        features = np.hstack([part.features, further])
        parts.append(replace(part, features=features, feature_names=names))
    trained = train(parts=parts, **changes)
    assert np.isfinite(trained.history[-1]["train_loss"])
    pdf = trained.loaded(names).predict_pdf(parts[1].features)
    assert np.isfinite(pdf.mean()).all()


def test_bfloat16_products_still_learn():
    trained = train(bfloat16=True, max_epochs=10)
    losses = [row["train_loss"] for row in trained.history]
    assert losses[-1] < losses[0] - 0.2
    assert trained.networks.parameters.dtype == torch.float32
