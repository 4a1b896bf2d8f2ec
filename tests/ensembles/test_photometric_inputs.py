from collections.abc import Sequence

import numpy as np
import pytest
import torch

from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.features import Features
from sdssflow.ensembles.photometric_inputs import PhotometricInputs, photometric_noise
from sdssflow.prepare.feature_columns import bands_among
from sdssflow.prepare.features import GROUPS, build_features
from sdssflow.tables import metadata
from tests.prepare.catalogues import make_catalogue
from tests.regress import survey

PART = survey.part(400, 1)


def test_errors_are_logarithmic_and_standardised_colours_uncorrelated():
    x = _transformed(PART.features, PART.feature_names)
    assert x.shape == (400, 10)
    errors = np.log(PART.features[:, 5:])
    expected = ((errors - errors.mean(axis=0)) / errors.std(axis=0)).clip(-5, 5)
    np.testing.assert_allclose(x[:, 5:], expected, atol=1e-5)
    correlations = np.corrcoef(x[:, :5].T)  # not quite 0: far values are bounded
    np.testing.assert_allclose(correlations, np.eye(5), atol=0.05)


def test_flat_axes_are_stretched_and_what_is_rounding_is_left_out():
    colors = PART.features[:, :5]
    magnitudes = colors @ np.linalg.inv(survey.TO_FEATURES)
    names = [f"model_mag_{band}" for band in BANDS]
    x = _transformed(magnitudes, names)
    standardised = (magnitudes - magnitudes.mean(axis=0)) / magnitudes.std(axis=0)
    before = np.linalg.eigvalsh(np.cov(standardised.T, ddof=0))
    np.testing.assert_allclose(x.var(axis=0), np.sqrt(before), rtol=0.1)
    both = _transformed(np.hstack([magnitudes, colors]), [*names, *PART.feature_names[:5]])
    assert (both.std(axis=0) > 0).sum() == 5  # colours are no more than their magnitudes


def _transformed(features: np.ndarray, names: Sequence[str]) -> np.ndarray:
    inputs = PhotometricInputs.fit(features, names, False)
    return inputs.transform(torch.tensor(features)).numpy()


def test_what_may_be_missing_is_standardised_as_it_is():
    inputs = PhotometricInputs.fit(PART.features, PART.feature_names, True)
    x = inputs.transform(torch.tensor(PART.features)).numpy()[:, :5]
    colors = PART.features[:, :5]
    expected = ((colors - colors.mean(axis=0)) / colors.std(axis=0)).clip(-5, 5)
    np.testing.assert_allclose(x, expected, atol=1e-5)


def test_failed_photometry_is_bounded_and_an_error_of_zero_has_a_logarithm():
    inputs = PhotometricInputs.fit(PART.features, PART.feature_names, False)
    failed = PART.features[:2].copy()
    failed[0, 0], failed[1, 6] = 1e4, 0.0
    x = inputs.transform(torch.tensor(failed))
    assert x.abs().max() == 5 and torch.isfinite(x).all()


def test_a_missing_feature_is_told_where_training_has_seen_it_missing():
    part = survey.part(400, 2, hidden_u=0.3)
    inputs = PhotometricInputs.fit(part.features, part.feature_names, False)
    assert inputs.flagged.tolist() == [0, 5]
    x = inputs.transform(torch.tensor(part.features)).numpy()
    gone = np.isnan(part.features[:, 0])
    assert 80 < gone.sum() < 160
    np.testing.assert_array_equal(x[:, 10], gone)
    np.testing.assert_array_equal(x[gone][:, [0, 5]], 0)
    inputs.require_known(part.features, part.feature_names)
    part.features[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"'model_mag_r' is missing for 1 of 400 .* hide_bands"):
        inputs.require_known(part.features, part.feature_names)


def test_hiding_bands_prepares_for_every_band_to_be_missing():
    inputs = PhotometricInputs.fit(PART.features, PART.feature_names, True)
    assert inputs.flagged.tolist() == list(range(10))


def test_a_feature_that_is_missing_everywhere_is_refused():
    features = PART.features.copy()
    features[:, 2] = np.nan
    with pytest.raises(ValueError, match="'model_color_ri' is missing in all 400 objects"):
        PhotometricInputs.fit(features, PART.feature_names, False)


def test_the_noise_of_a_magnitude_moves_its_colours_together():
    inputs = PhotometricInputs.fit(PART.features, PART.feature_names, False)
    noise = photometric_noise(PART.features, PART.feature_names, inputs)
    np.testing.assert_allclose(noise.sigma, PART.features[:, 5:], rtol=1e-6)
    moved = np.array([0.0, 0.0, 0.1, 0.0, 0.0])  # r fainter by 0.1 mag
    shift = torch.tensor(moved, dtype=torch.float32) @ noise.response
    features = PART.features.copy()
    features[:, :5] += moved @ survey.TO_FEATURES
    expected = inputs.transform(torch.tensor(features)) - inputs.transform(
        torch.tensor(PART.features)
    )
    inside = (expected.abs().max(dim=1).values < 1).numpy()
    np.testing.assert_allclose(
        expected[inside].numpy(), np.tile(shift, (inside.sum(), 1)), atol=1e-5
    )


def test_without_errors_there_is_no_noise():
    names = PART.feature_names[:5]
    inputs = PhotometricInputs.fit(PART.features[:, :5], names, False)
    assert not photometric_noise(PART.features[:, :5], names, inputs).sigma.any()


def test_hiding_a_band_leaves_nothing_that_it_enters():
    magnitudes = {
        f"{kind}_mag_{band}": np.linspace(17, 19, 200) + 0.1 * number
        for kind in ("psf", "petro", "cmodel")
        for number, band in enumerate(BANDS)
    }
    others = {
        **{f"petro_{name}_r": np.full(200, 3.0) for name in ("rad", "r50", "r90")},
        **{f"axis_ratio_{name}_r": np.full(200, 0.5) for name in ("dev", "exp")},
        **{f"wise_mag_w{k}": np.full(200, 14.0) for k in (1, 2, 3, 4)},
        "wise_mag_err_w1": np.full(200, 0.1),
        "frac_dev_r": np.full(200, 0.5),
        "galex_mag_nuv": np.full(200, 20.0),
    }
    catalogue = make_catalogue(**magnitudes, **others)
    settings = Features(groups=list(GROUPS), extra=["galex_mag_nuv"])
    table = build_features(catalogue, settings)
    names = metadata(table.schema)["features"]
    features = np.column_stack([table.column(name).to_numpy() for name in names])
    inputs = PhotometricInputs.fit(features, names, hide_bands=True)
    noise = photometric_noise(features, names, inputs)
    hidden = {
        band: [name for name, gone in zip(names, row, strict=False) if gone]
        for band, row in zip(bands_among(names), noise.hides.numpy(), strict=True)
    }
    assert hidden["u"] == [
        "model_mag_u", "model_color_ug", "model_mag_err_u", "model_color_err_ug",
        "model_luptitude_u", "psf_minus_model_u", "psf_minus_petro_u", "psf_minus_cmodel_u",
    ]  # fmt: skip
    assert hidden["w1"] == ["model_color_rw1", "wise_color_w1w2", "wise_mag_not_detected_w1"]
    assert hidden["nuv"] == ["galex_mag_nuv"]
    assert {"resolved_r", "petro_rad_r", "model_color_gr", "model_color_ri"} < set(hidden["r"])
    assert inputs.flagged.tolist() == list(range(len(names)))
