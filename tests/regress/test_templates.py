"""Template fitting: BPZ's likelihood and prior, redshifts of its own spectra, and its package."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from pydantic import ValidationError

from sdssflow.configuration.regressors import TemplateFit
from sdssflow.models.estimators import load_estimator, save_estimator
from sdssflow.models.folders import CARD_KEYS, open_folder
from sdssflow.regress.templates import fit, log_likelihoods, log_prior
from tests.regress.test_prediction_trees import part

needs_package = pytest.mark.skipif(not find_spec("desc_bpz"), reason="make .venv/.templates")


@pytest.fixture(scope="module")
def model():
    settings = TemplateFit(kind="template_fit", prior="flat", z_max=0.5, z_step=0.02)
    return fit(settings, 1, part(*galaxies(np.ones((1, 5)), np.zeros(1))), None)


def galaxies(fluxes, zspec, error=0.01, seed=2):
    """Magnitudes (n, 5) of (n, 5) fluxes as observed, their errors and the redshifts."""
    noise = error * np.random.default_rng(seed).standard_normal(fluxes.shape)
    return 17 - 2.5 * np.log10(fluxes) + noise, np.full(fluxes.shape, error), zspec


def test_without_its_package_it_is_refused_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "desc_bpz", None)
    with pytest.raises(ValidationError, match=r"pip install 'sdssflow\[templates\]'"):
        TemplateFit(kind="template_fit")
    card = dict.fromkeys(CARD_KEYS) | {"task": "regress", "settings": {"kind": "template_fit"}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"pip install 'sdssflow\[templates\]'\)$"):
        open_folder(tmp_path)


@needs_package
def test_redshifts_of_the_spectra_themselves_are_found(model, tmp_path):
    rows = np.arange(2, 20)
    true = np.repeat(model.redshifts_[rows], model.fluxes_.shape[1])
    table = part(*galaxies(model.fluxes_[rows].reshape(-1, 5), true)).features
    pdf = model.predict_pdf(table)
    assert np.median(np.abs(pdf.mode() - true)) < 0.01
    low, high = pdf.quantiles([0.005, 0.995]).T
    assert np.mean((low < true) & (true < high)) > 0.97
    save_estimator(model, tmp_path / "a")
    alone = load_estimator(tmp_path / "a").predict_pdf(table[7:8])
    np.testing.assert_array_equal(alone.weights, pdf.weights[7:8])


@needs_package
def test_likelihood_and_prior_are_those_of_bpz(model):
    from desc_bpz.bpz_tools_py3 import p_c_z_t
    from desc_bpz.prior_hdfn_gen import function

    magnitudes, errors, _ = galaxies(model.fluxes_[8, :3], np.zeros(3), error=0.1)
    found = log_likelihoods(magnitudes, errors, model.fluxes_)
    for ours, magnitude, error in zip(found, magnitudes, errors, strict=True):
        flux = 10 ** (-0.4 * (magnitude - magnitude[2]))
        theirs = p_c_z_t(flux, flux * error * 0.4 * np.log(10), model.fluxes_).bayes_likelihood()
        np.testing.assert_allclose(np.exp(ours - ours.max()), theirs, atol=1e-9)
    with np.errstate(divide="ignore"):
        known = np.log(function(model.redshifts_, 21.3, [1, 2, 5]))
    np.testing.assert_array_equal(log_prior(model.redshifts_, 21.3, 8), known)


@needs_package
def test_a_faint_red_galaxy_is_put_further_away_by_the_prior(model):
    flat = part(*galaxies(model.fluxes_[4:5, 0], np.zeros(1), error=0.3)).features
    prior = fit(TemplateFit(kind="template_fit", z_max=0.5, z_step=0.02), 1,
                part(*galaxies(np.ones((1, 5)), np.zeros(1))), None)  # fmt: skip
    assert prior.predict(flat)[0] > model.predict(flat)[0]


@needs_package
def test_a_redshift_beyond_the_grid_is_refused_with_its_row():
    settings = TemplateFit(kind="template_fit", z_max=0.5)
    with pytest.raises(ValueError, match=r"z_max is 0.5 and row_id 0 has zspec 0.7; raise z_max"):
        fit(settings, 1, part(*galaxies(np.ones((1, 5)), np.full(1, 0.7))), None)
