"""The committee of small networks."""

import math

import numpy as np
import pytest
import torch

from sdssflow.configuration.networks import Committee
from sdssflow.configuration.regressors import LinearRegression
from sdssflow.models.folders import fit_regressor
from sdssflow.regress.committees import fit, load
from tests.regress import galaxies

CPU = torch.device("cpu")
SETTINGS = Committee(kind="committee", members=3, max_epochs=60)
TRAIN, VALIDATION, TEST = (galaxies.part(n, seed) for n, seed in ((400, 1), (80, 2), (150, 3)))
EMPTY = galaxies.part(0)


def predict(model, features):
    return model.predict(features)


def changed(**settings):
    return SETTINGS.model_copy(update=settings)


def rms(zphot):
    return np.sqrt(np.mean((zphot - TEST.zspec) ** 2))


@pytest.fixture(scope="module")
def trained():
    return fit(SETTINGS, 1, TRAIN, VALIDATION, CPU)


def of_members(committee, features):
    return np.stack([predict(member, features) for member in committee.members])


def test_the_papers_network_is_5_10_10_1(trained):
    shapes = [tuple(layer.weight.shape) for layer in trained.network.members[0].layers[::2]]
    assert shapes == [(10, 5), (10, 10), (1, 10)]
    assert {type(layer) for layer in trained.network.members[0].layers[1::2]} == {torch.nn.Sigmoid}


def test_it_learns_more_than_the_linear_model(trained):
    linear = fit_regressor(LinearRegression(kind="linear"), 1, TRAIN, VALIDATION)
    assert rms(predict(trained.network, TEST.features)) < 0.8 * rms(predict(linear, TEST.features))


def test_zphot_is_the_mean_of_members_that_differ(trained):
    members = of_members(trained.network, TEST.features)
    np.testing.assert_allclose(
        predict(trained.network, TEST.features), members.mean(axis=0), rtol=0, atol=1e-14
    )
    assert np.ptp(members, axis=0).max() > 1e-4
    # Jensen: the committee can't be worse than its members are on average
    squares = np.mean((members - TEST.zspec) ** 2)
    assert rms(predict(trained.network, TEST.features)) ** 2 < squares


def test_a_smaller_committee_has_the_first_members_of_a_larger_one(trained):
    smaller = fit(changed(members=2), 1, TRAIN, VALIDATION, CPU)
    np.testing.assert_array_equal(
        of_members(smaller.network, TEST.features), of_members(trained.network, TEST.features)[:2]
    )
    other = fit(changed(members=1), 2, TRAIN, VALIDATION, CPU)
    assert np.any(
        of_members(other.network, TEST.features)[0] != of_members(smaller.network, TEST.features)[0]
    )


def test_each_member_keeps_the_weights_that_the_validation_part_likes_best():
    train, noisy = galaxies.part(40, 4), galaxies.part(40, 5)
    noisy.zspec[:] = np.random.default_rng(0).permutation(noisy.zspec)  # nothing to learn for it
    settings = changed(members=1, max_epochs=300, patience=5, weight_decay=0.0)
    result = fit(settings, 1, train, noisy, CPU)
    losses = [row["validation_loss"] for row in result.history]
    assert len(losses) < 300
    assert result.best_epoch == [1 + int(np.argmin(losses))]
    assert len(losses) - result.best_epoch[0] == 5
    error = (predict(result.network, noisy.features) - noisy.zspec) / train.zspec.std()
    assert np.mean(error**2) == pytest.approx(min(losses))


def test_without_a_validation_part_all_steps_are_made():
    result = fit(changed(members=2, max_epochs=7, patience=1), 1, TRAIN, EMPTY, CPU)
    assert result.best_epoch == [7, 7]
    assert len(result.history) == 7
    assert all(math.isnan(row["validation_loss"]) for row in result.history)
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


def test_weight_decay_keeps_weights_small():
    def size(decay):
        settings = changed(members=1, weight_decay=decay)
        network = fit(settings, 1, TRAIN, EMPTY, CPU).network.members[0]
        return sum(torch.sum(layer.weight**2).item() for layer in network.layers[::2])

    assert size(1e-2) < 0.5 * size(0.0)


def test_a_row_has_one_prediction_alone_in_a_chunk_and_in_the_table(trained):
    whole = predict(trained.network, TEST.features)
    alone = np.concatenate([predict(trained.network, row[None]) for row in TEST.features[:20]])
    chunks = [predict(trained.network, rows) for rows in np.array_split(TEST.features, 7)]
    np.testing.assert_allclose(alone, whole[:20], rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.concatenate(chunks), whole, rtol=0, atol=1e-14)


def test_the_saved_committee_predicts_to_the_bit(trained, tmp_path):
    path = tmp_path / "fold_0.safetensors"
    trained.save(path)
    loaded = load(path, SETTINGS, TRAIN.feature_names)
    np.testing.assert_array_equal(
        predict(loaded, TEST.features), predict(trained.network, TEST.features)
    )
    with pytest.raises(ValueError, match="not the networks that card.json"):
        load(path, changed(members=4), TRAIN.feature_names)


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fit(changed(members=1, max_epochs=1), 1, TRAIN, VALIDATION, CPU)
    assert torch.rand(1) == expected


def test_a_loss_that_is_not_finite_is_an_error():
    settings = changed(members=1, weight_decay=1e308)
    with pytest.raises(ValueError, match="the training loss is nan in step 1; lower weight_decay"):
        fit(settings, 1, TRAIN, VALIDATION, CPU)
