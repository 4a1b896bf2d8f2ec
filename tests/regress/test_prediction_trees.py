"""Trees on realisations of the magnitudes, the method of TPZ."""

import numpy as np
import pyarrow as pa
import pytest

from sdssflow.bands import BANDS
from sdssflow.configuration.regressors import PredictionTrees
from sdssflow.models.estimators import load_estimator, save_estimator
from sdssflow.prepare.parts import Part
from sdssflow.regress.prediction_trees import ErrorTrees, errors_of, fit, magnitudes_of

SETTINGS = PredictionTrees(kind="prediction_trees")
COLORS = ["model_color_ug", "model_color_gr", "model_color_ri", "model_color_iz"]
ERRORS = [f"model_mag_err_{band}" for band in BANDS]


def sky(n=600, seed=3, error=0.02):
    """Magnitudes (n, 5) whose colours tell the redshift, their errors and the redshifts."""
    draw = np.random.default_rng(seed)
    zspec = draw.uniform(0.01, 0.3, n)
    r = draw.uniform(15, 17.5, n)
    true = np.column_stack([r + 2 + 4 * zspec, r + 0.7 + 3 * zspec, r, r - 0.3, r - 0.5 - zspec])
    errors = np.full((n, 5), error)
    return true + errors * draw.standard_normal((n, 5)), errors, zspec


def part(magnitudes, errors, zspec, band="r"):
    colors = magnitudes[:, :-1] - magnitudes[:, 1:]
    column = magnitudes[:, [BANDS.index(band)]]
    features = np.column_stack([colors, column, errors])
    names = (*COLORS, f"model_mag_{band}", *ERRORS)
    n = len(zspec)
    nothing = {"row_id": np.arange(n), "group_key": pa.chunked_array([[str(k) for k in range(n)]])}
    return Part(features=features, feature_names=names, spec_class=None, zspec=zspec,
                reference_mag=column[:, 0], digest="d", **nothing)  # fmt: skip


@pytest.mark.parametrize("band", BANDS)
def test_magnitudes_follow_from_one_and_the_colours(band):
    magnitudes, errors, zspec = sky(20)
    its = part(magnitudes, errors, zspec, band)
    np.testing.assert_allclose(magnitudes_of(its.features, its.feature_names), magnitudes)
    np.testing.assert_array_equal(errors_of(its.features, its.feature_names), errors)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["model_mag_r", *COLORS[1:], *ERRORS], "do not give the u magnitude"),
        ([*COLORS, *ERRORS], "do not give the u magnitude"),
        (["model_mag_r", *COLORS], "the error of the magnitude in u"),
        (["model_luptitude_r", *COLORS, *ERRORS], "do not give the u magnitude"),
        (["model_mag_r", *COLORS, *ERRORS, "fiber_mag_r"], "'fiber_mag_r' is a second magnitude"),
        (["model_mag_r", *COLORS, *ERRORS, "fiber_color_ug"], "a second color in u - g"),
        (["model_mag_r", *COLORS, *ERRORS, "fiber_mag_err_z"], "a second error in z"),
    ],
)
def test_what_is_missing_is_said_with_the_group_that_has_it(names, words):
    with pytest.raises(ValueError, match=f"{words}.*features"):
        ErrorTrees(names).fit(np.zeros((30, len(names))), np.zeros(30), SETTINGS, 1)


def test_trees_learn_the_redshift_and_stay_within_what_they_saw():
    train, test = part(*sky()), part(*sky(seed=4))
    model = fit(SETTINGS, 1, train, train)
    assert len(model.trees_) == SETTINGS.trees * SETTINGS.realisations
    zphot = model.predict(test.features)
    assert np.std(zphot - test.zspec) < 0.4 * np.std(test.zspec)
    assert train.zspec.min() <= zphot.min() <= zphot.max() <= train.zspec.max()
    assert min(tree.tree_.n_node_samples[tree.tree_.children_left < 0].min()
               for tree in model.trees_) >= SETTINGS.min_samples_leaf  # fmt: skip


def test_errors_move_the_realisations_after_the_first_and_no_prediction():
    magnitudes, errors, zspec = sky()
    exact = fit(SETTINGS, 1, part(magnitudes, 0 * errors, zspec), None)
    noisy = fit(SETTINGS, 1, part(magnitudes, 30 * errors, zspec), None)
    test = part(*sky(seed=4)).features
    half = SETTINGS.trees
    known = np.column_stack([magnitudes, magnitudes[:, :-1] - magnitudes[:, 1:]])
    for a, b in zip(exact.trees_[:half], noisy.trees_[:half], strict=True):
        np.testing.assert_array_equal(a.predict(known), b.predict(known))
    moved = [(a.predict(known) != b.predict(known)).any()
             for a, b in zip(exact.trees_[half:], noisy.trees_[half:], strict=True)]  # fmt: skip
    assert all(moved)
    other = test.copy()
    other[:, -5:] = 1.0
    np.testing.assert_array_equal(exact.predict(test), exact.predict(other))


def test_a_saved_forest_predicts_the_same_and_a_seed_gives_equal_bytes(tmp_path):
    train = part(*sky(200))
    model = fit(SETTINGS, 1, train, train)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save_estimator(fit(SETTINGS, seed, train, train), tmp_path / name)
    loaded = load_estimator(tmp_path / "a")
    np.testing.assert_array_equal(loaded.predict(train.features), model.predict(train.features))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()
