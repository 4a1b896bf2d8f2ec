"""Training, saving and predicting by torch."""

import math

import numpy as np
import pytest
import torch

from sdssflow.configuration import regressors
from sdssflow.configuration.networks import GradientDescent, Network
from sdssflow.models.folders import fit_regressor
from sdssflow.regress import descent, networks, training_devices
from sdssflow.regress.networks import fit as train_network
from sdssflow.regress.networks import load
from sdssflow.regress.training_devices import choose_device
from tests.regress import galaxies

CPU = torch.device("cpu")
NETWORK = Network(kind="network", hidden=[16, 16], max_epochs=30, batch_size=32)
DESCENT = GradientDescent(kind="gradient_descent")
TRAIN, VALIDATION, TEST = (galaxies.part(n, seed) for n, seed in ((600, 1), (80, 2), (150, 3)))
EMPTY = galaxies.part(0)


def predict(model, features):
    return model.predict(features)


def descend(settings, train, validation, device):
    return descent.fit(settings, 1, train, validation, device)


def network_bytes(trained, path):
    trained.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def trained():
    return train_network(NETWORK, 1, TRAIN, VALIDATION, CPU)


def test_a_network_learns_better_than_the_linear_model(trained):
    linear = fit_regressor(regressors.LinearRegression(kind="linear"), 1, TRAIN, VALIDATION)
    network_error = np.std(predict(trained.network, TEST.features) - TEST.zspec)
    linear_error = np.std(predict(linear, TEST.features) - TEST.zspec)
    assert network_error < linear_error


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(trained, tmp_path):
    torch.manual_seed(99)  # the global generator must not matter
    torch.rand(17)
    again = train_network(NETWORK, 1, TRAIN, VALIDATION, CPU)
    other = train_network(NETWORK, 2, TRAIN, VALIDATION, CPU)
    first = network_bytes(trained, tmp_path / "a.safetensors")
    assert network_bytes(again, tmp_path / "b.safetensors") == first
    assert network_bytes(other, tmp_path / "c.safetensors") != first
    assert again.history == trained.history


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    train_network(NETWORK.model_copy(update={"max_epochs": 1}), 1, TRAIN, VALIDATION, CPU)
    assert torch.rand(1) == expected


def test_early_stopping_restores_the_best_epoch():
    settings = NETWORK.model_copy(
        update={"max_epochs": 200, "patience": 5, "learning_rate": 0.05, "weight_decay": 0.0}
    )
    train = galaxies.part(40, 4)
    noisy = galaxies.part(40, 5)
    noisy.zspec[:] = np.random.default_rng(0).permutation(noisy.zspec)  # nothing to learn for it
    result = train_network(settings, 1, train, noisy, CPU)
    losses = [row["validation_loss"] for row in result.history]
    assert len(losses) < 200
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) - result.best_epoch == 5
    zscore = (predict(result.network, noisy.features) - noisy.zspec) / train.zspec.std()
    assert np.mean(np.abs(zscore)) == pytest.approx(min(losses), abs=1e-5)


def test_without_a_validation_part_all_epochs_run_and_the_last_weights_stay():
    settings = NETWORK.model_copy(update={"max_epochs": 7, "patience": 1})
    result = train_network(settings, 1, TRAIN, EMPTY, CPU)
    assert result.best_epoch == len(result.history) == 7
    assert all(math.isnan(row["validation_loss"]) for row in result.history)
    error = (predict(result.network, TRAIN.features) - TRAIN.zspec) / TRAIN.zspec.std()
    assert np.mean(np.abs(error)) < result.history[0]["train_loss"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_has_one_prediction_alone_in_a_chunk_and_in_the_table(dtype, monkeypatch):
    settings = NETWORK.model_copy(update={"dtype": dtype, "max_epochs": 2})
    network = train_network(settings, 1, TRAIN, VALIDATION, CPU).network
    assert network.dtype == networks.DTYPES[dtype]
    whole = predict(network, TEST.features)
    alone = np.concatenate([predict(network, row[None]) for row in TEST.features])
    shuffled = np.random.default_rng(0).permutation(len(TEST))
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(alone, whole, rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        predict(network, TEST.features[shuffled]), whole[shuffled], rtol=0, atol=tolerance
    )
    monkeypatch.setattr(networks, "BLOCK", 64)
    np.testing.assert_allclose(predict(network, TEST.features), whole, rtol=0, atol=tolerance)
    assert predict(network, TEST.features[:0]).shape == (0,)


def test_safetensors_round_trip_predicts_to_the_bit(trained, tmp_path):
    path = tmp_path / "fold_0.safetensors"
    trained.save(path)
    loaded = load(path, NETWORK, TRAIN.feature_names)
    np.testing.assert_array_equal(
        predict(loaded, TEST.features), predict(trained.network, TEST.features)
    )


def test_a_file_that_is_no_such_network_is_refused(trained, tmp_path):
    path = tmp_path / "fold_0.safetensors"
    trained.save(path)
    with pytest.raises(ValueError, match="not the networks that card.json"):
        load(path, NETWORK.model_copy(update={"hidden": [8]}), TRAIN.feature_names)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not the networks that card.json"):
        load(path, NETWORK, TRAIN.feature_names)


def test_failed_photometry_does_not_throw_a_prediction_out(trained):
    failed = TEST.features.copy()
    failed[:, 0] += 1e4
    zphot = predict(trained.network, failed)
    assert np.abs(zphot).max() < 3


def test_gradient_descent_agrees_with_the_closed_form():
    result = descend(DESCENT, TRAIN, VALIDATION, CPU)
    linear = fit_regressor(regressors.LinearRegression(kind="linear"), 1, TRAIN, VALIDATION)
    difference = predict(result.network, TEST.features) - predict(linear, TEST.features)
    assert np.abs(difference).max() < 1e-6
    losses = [row["train_loss"] for row in result.history]
    assert losses[0] == pytest.approx(1)  # nothing learnt: the variance of standardised zspec
    assert np.all(np.diff(losses) < 1e-12)


def test_gradient_descent_takes_constant_and_collinear_features():
    def widened(part):
        colors = part.features
        return galaxies.with_features(
            part, np.column_stack([colors, colors[:, 0] - colors[:, 1], np.full(len(part), 0.1)])
        )

    train, validation, test = map(widened, (TRAIN, VALIDATION, TEST))
    wide = descend(DESCENT, train, validation, CPU)
    plain = descend(DESCENT, TRAIN, VALIDATION, CPU)
    np.testing.assert_allclose(
        predict(wide.network, test.features), predict(plain.network, TEST.features), atol=1e-8
    )


def test_gradient_descent_says_when_it_does_not_arrive():
    with pytest.raises(ValueError, match="after 5 steps; raise learning_rate or max_steps"):
        descend(DESCENT.model_copy(update={"max_steps": 5}), TRAIN, VALIDATION, CPU)
    with pytest.raises(ValueError, match="diverged .* lower learning_rate"):
        descend(DESCENT.model_copy(update={"learning_rate": 50.0}), TRAIN, VALIDATION, CPU)


def test_a_loss_that_overflows_is_an_error():
    settings = NETWORK.model_copy(update={"learning_rate": 1e30, "loss": "mse"})
    with pytest.raises(ValueError, match="lower learning_rate"):
        train_network(settings, 1, TRAIN, VALIDATION, CPU)


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_line_to_change(monkeypatch, caplog):
    monkeypatch.setattr(training_devices.torch.cuda, "is_available", lambda: False)
    assert choose_device(0) == CPU
    with pytest.raises(
        RuntimeError,
        match="torch .* sees no CUDA device.* in the profile, below set-resources, for rules "
        "train_network and search_settings: gpu: 0",
    ):
        choose_device(1)
    assert choose_device(1, "cpu") == CPU
    assert "on the CPU, as resources.without_gpu is cpu" in caplog.text


def test_which_gpu_it_is_stays_outside(monkeypatch):
    """The others are hidden from torch, so checkpoints and results know of no index."""
    monkeypatch.setattr(training_devices.torch.cuda, "is_available", lambda: True)
    assert str(choose_device(1)) == str(choose_device(2)) == "cuda"
