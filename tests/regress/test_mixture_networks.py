"""p(z) of an ensemble: bounded, normalised, of each row alone."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.ensembles import batched_networks
from sdssflow.ensembles.batched_networks import Shape
from sdssflow.regress.ensemble_training import TrainedEnsemble, fit, load
from sdssflow.regress.mixture_networks import (
    BACKGROUND,
    components,
    initial_parameters,
    negative_log_density,
    predict_pdf,
)
from tests.regress import survey

CPU = torch.device("cpu")
SETTINGS = MixtureEnsemble(
    kind="mixture_ensemble", members=3, hidden=[16, 16], components=3, max_epochs=25, batch_size=32
)
TRAIN, VALIDATION, TEST = (survey.part(n, seed) for n, seed in ((900, 1), (100, 2), (1500, 3)))


def train(train=TRAIN, validation=VALIDATION, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return fit(settings, 1, train, validation, CPU).networks


def pdf_of(networks, part=TEST):
    return predict_pdf(networks, part.features, part.feature_names)


@pytest.fixture(scope="module")
def networks():
    return train()


def test_no_mass_below_zero_and_all_of_it_within_the_range(networks):
    pdf = pdf_of(networks)
    assert (pdf.lower, len(pdf)) == (0.0, len(TEST))
    assert TRAIN.zspec.max() < pdf.upper < TRAIN.zspec.max() + 0.1
    assert pdf.means.shape == (len(TEST), 10)
    z = np.linspace(-0.1, 1, 4001)
    density = pdf[:20].density(np.tile(z, (20, 1)))
    assert not density[:, z < 0].any()
    np.testing.assert_allclose(np.trapezoid(density, z), 1, atol=2e-3)


def test_pdfs_are_about_calibrated_and_sharper_than_the_sample(networks):
    pdf = pdf_of(networks)
    pit = np.sort(pdf.cdf(TEST.zspec))
    distance = np.abs(pit - (np.arange(len(pit)) + 0.5) / len(pit)).max()
    assert distance < 0.06
    assert np.std(pdf.mean() - TEST.zspec) < 0.5 * TEST.zspec.std()


def test_the_loss_is_the_density_that_is_predicted(networks):
    """What is minimised in training is -ln p(zspec) of each member as predicted."""
    pdf = pdf_of(networks)
    x = networks.inputs.transform(torch.tensor(TEST.features)).expand(3, -1, -1)
    y = torch.tensor((TEST.zspec - networks.zspec_mean) / networks.zspec_scale).float()
    loss = negative_log_density(
        networks.shape, networks.bounds, networks.parameters, x, y.expand(3, -1)
    )
    density = torch.exp(-loss).mean(dim=0).numpy() / networks.zspec_scale
    np.testing.assert_allclose(pdf.density(TEST.zspec), density, rtol=2e-3, atol=1e-3)


def test_a_share_of_each_pdf_is_spread_over_the_whole_range(networks):
    pdf = pdf_of(networks)
    floor = 0.9 * BACKGROUND / pdf.upper
    wild = np.where(TEST.zspec < 0.15, pdf.upper, 0.0)  # redshifts that nothing tells
    assert pdf.density(wild).min() > floor
    np.testing.assert_allclose(
        pdf.weights[:, -1] * 2 * NormalDist().cdf(0.25) - pdf.weights[:, -1], BACKGROUND, rtol=1e-6
    )


def test_a_row_has_one_pdf_alone_in_a_chunk_and_in_the_table(networks, monkeypatch):
    whole = pdf_of(networks).mean()
    alone = np.concatenate(
        [predict_pdf(networks, row[None], TEST.feature_names).mean() for row in TEST.features[:50]]
    )
    np.testing.assert_allclose(alone, whole[:50], rtol=0, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(TEST))
    shuffled = predict_pdf(networks, TEST.features[order], TEST.feature_names).mean()
    np.testing.assert_allclose(shuffled, whole[order], rtol=0, atol=1e-6)
    monkeypatch.setattr(batched_networks, "BLOCK", 64)
    np.testing.assert_allclose(pdf_of(networks).mean(), whole, rtol=0, atol=1e-6)
    assert len(predict_pdf(networks, TEST.features[:0], TEST.feature_names)) == 0


def test_failed_photometry_stays_within_the_range(networks):
    failed = TEST.features[:100].copy()
    failed[:, :5] += np.random.default_rng(0).normal(0, 1e4, (100, 5))
    mean = predict_pdf(networks, failed, TEST.feature_names).mean()
    assert ((mean > 0) & (mean < networks.upper)).all()


def test_objects_near_zero_have_densities_that_end_there():
    part = survey.part(900, 5)
    near = part.zspec - part.zspec.min()  # down to exactly 0
    part.zspec[:] = near
    networks = train(part, VALIDATION)
    pdf = pdf_of(networks, part)
    assert pdf.quantiles([0.0])[:, 0].min() >= 0
    assert pdf.cdf(np.zeros(len(part))).max() < 1e-12
    assert (pdf.mean() > 0).all()


def test_a_missing_band_widens_the_pdf():
    gappy = survey.part(900, 6, hidden_u=0.3)
    networks = train(gappy, max_epochs=30)
    complete, lacking = survey.part(400, 7), survey.part(400, 7, hidden_u=1.0)
    widths = [
        np.diff(pdf_of(networks, part).quantiles([0.16, 0.84])).mean()
        for part in (complete, lacking)
    ]
    assert widths[1] > widths[0]
    with pytest.raises(ValueError, match="never missing in training"):
        pdf_of(train(max_epochs=1), lacking)


def test_a_hidden_band_teaches_to_do_without():
    """Trained on complete objects that were shown with hidden bands, it copes with gaps."""
    lacking = survey.part(1500, 7, hidden_u=1.0)
    pdf = pdf_of(train(hide_bands=0.3, max_epochs=40), lacking)
    assert np.std(pdf.mean() - lacking.zspec) < 0.6 * lacking.zspec.std()


def test_noise_terms_widen_the_pdf_with_the_errors():
    networks = train(noise_aware=True, noise=0.0)
    assert networks.shape.noise_terms == 5
    terms = networks.shape.split(networks.parameters)[-1]
    assert terms.shape == (3, 5, 3) and (terms != 0).all()
    x = torch.zeros(3, 1, 10)
    quiet, loud = (
        components(networks.shape, networks.bounds, networks.parameters, x, sigma)[2]
        for sigma in (torch.zeros(3, 1, 5), torch.full((3, 1, 5), 0.5))
    )
    assert (loud > quiet).all()
    assert np.isfinite(pdf_of(networks).mean()).all()


def test_safetensors_round_trip_predicts_to_the_bit(networks, tmp_path):
    path = tmp_path / "fold_0.safetensors"
    TrainedEnsemble(networks, [], []).save(path)
    loaded = load(path, SETTINGS, TEST.feature_names)
    np.testing.assert_array_equal(
        loaded.predict_pdf(TEST.features).weights, pdf_of(networks).weights
    )
    with pytest.raises(ValueError, match="not the networks that card.json"):
        load(path, SETTINGS.model_copy(update={"hidden": [8]}), TEST.feature_names)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="not the networks that card.json"):
        load(path, SETTINGS, TEST.feature_names)


def test_the_components_of_fresh_networks_start_apart():
    shape = Shape(2, 10, 15, (8,), "tanh")
    generators = [torch.Generator().manual_seed(k) for k in range(2)]
    parameters = initial_parameters(shape, generators)
    _, means, _ = components(shape, (-9.0, 9.0), parameters, torch.zeros(2, 1, 10))
    np.testing.assert_allclose(means[:, :, 0].T, np.tile(np.linspace(-1, 1, 5), (2, 1)), atol=1e-6)
