"""Weights that make objects with spectra stand for the target, and the scores they predict."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import weigh_spectra

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.bootstrap import effective_number
from sdssflow.evaluate.likeness import density_ratios, separability
from sdssflow.evaluate.redshift_metrics import normalised_residual, sigma_nmad
from sdssflow.evaluate.shift import TABLE_COLUMNS, measure_shift, shift_scores, target_features
from tests.evaluate.pdf_predictions import gaussian_frame
from tests.jobs import run
from tests.regress import galaxies
from tests.regress.calibrated import FOREST, LOCAL, calibrate, predict, train

BOOTSTRAP = Bootstrap(replicates=40)


def uniform(n, seed, power=1.0):
    """Return (n, 2) features; the first has the density power x^(power - 1) from 0 to 1."""
    generator = np.random.default_rng(seed)
    return np.column_stack([generator.uniform(size=n) ** (1 / power), generator.uniform(size=n)])


def test_weights_are_the_ratio_of_densities():
    spectroscopic, target = uniform(4000, 1), uniform(4000, 2, power=2.0)
    weights = density_ratios(spectroscopic[:1000], spectroscopic, target, 50)
    x = spectroscopic[:1000, 0]
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.8, 0.95)):
        inside = (low < x) & (x < high)
        assert weights[inside].mean() == pytest.approx(2 * x[inside].mean(), rel=0.1)
    weighted = np.average(x, weights=weights)
    assert abs(weighted - target[:, 0].mean()) < 0.02 < 0.1 < abs(x.mean() - target[:, 0].mean())


def test_alike_objects_weigh_one_each():
    weights = density_ratios(uniform(500, 1), uniform(500, 1), uniform(3000, 2), 50)
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert effective_number(weights) > 400


def test_equal_features_are_counted_together():
    values = np.repeat([0.0, 1.0], [900, 100])[:, None]
    weights = density_ratios(values, values, values[::2], 50)
    np.testing.assert_allclose(weights, 1, rtol=0.02)


def test_objects_unlike_any_target_weigh_nothing():
    spectroscopic = uniform(400, 1)
    target = spectroscopic[:200] * [0.3, 1]
    weights = density_ratios(spectroscopic, spectroscopic, target, 5)
    assert (weights[spectroscopic[:, 0] > 0.6] == 0).all()
    assert density_ratios(spectroscopic, spectroscopic, target[:0], 5).tolist() == [0] * 400


def test_units_rows_and_missing_features():
    spectroscopic, target = uniform(300, 1), uniform(200, 2)
    plain = density_ratios(spectroscopic[:50], spectroscopic, target, 10)
    scaled = [
        values * np.array([1, 1000]) + np.array([0, 5])
        for values in (spectroscopic[:50], spectroscopic, target)
    ]
    np.testing.assert_allclose(density_ratios(*scaled, 10), plain)
    order = np.random.default_rng(0).permutation(50)
    shuffled = density_ratios(spectroscopic[:50][order], spectroscopic[::-1], target[::-1], 10)
    np.testing.assert_allclose(shuffled, plain[order])
    lacking = spectroscopic.copy()
    lacking[::4, 1] = np.nan
    assert np.isfinite(density_ratios(lacking[:50], lacking, target, 10)).all()
    few = spectroscopic[:3]
    np.testing.assert_array_equal(
        density_ratios(few, few, target, 10), density_ratios(few, few, target, 2)
    )


def test_effective_number():
    assert effective_number(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_number(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_number(np.zeros(3)) == 0


def test_separability_of_like_and_unlike_objects():
    alike = separability(uniform(400, 1), uniform(400, 2))
    shifted = separability(uniform(400, 1), uniform(400, 2) + np.array([0.5, 0]))
    apart = separability(uniform(400, 1), uniform(400, 2) + np.array([3, 0]))
    assert alike == pytest.approx(0.5, abs=0.07)
    assert 0.65 < shifted < 0.95
    assert apart == pytest.approx(1, abs=1e-3)
    assert separability(uniform(400, 1), uniform(400, 2)) == alike
    assert np.isnan(separability(uniform(3, 1), uniform(400, 2)))


def without_zspec(path, copy):
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["zspec"]), copy)
    return copy


def test_no_redshift_of_the_target_is_read(tmp_path):
    development, test = galaxies.write_split(tmp_path, folds=2)
    shift = measure_shift(development, test, 20)
    blind = measure_shift(development, without_zspec(test, tmp_path / "blind.parquet"), 20)
    np.testing.assert_array_equal(blind.weights, shift.weights)
    assert blind.auc == shift.auc
    assert len(shift.weights) == len(shift.group) == 2 * 20
    assert target_features(test, 1).shape == (80, 5)
    table = pq.read_table(test)
    other = pq.read_table(test).set_column(
        table.column_names.index("color_u_g"), "color_u_g", pc.add(table["color_u_g"], 0.2)
    )
    pq.write_table(other, tmp_path / "other.parquet")  # features do count
    moved = measure_shift(development, tmp_path / "other.parquet", 20)
    assert (moved.weights != shift.weights).any()


def columns_of(frame):
    return {name: frame[name].to_numpy() for name in frame}


def scores(frame, weights, target=None):
    table = shift_scores(
        columns_of(frame),
        weights,
        frame["group"].to_numpy(dtype=str),
        frame if target is None else target,
        0.6,
        BOOTSTRAP,
    )
    return table.set_index("metric")


def test_equal_weights_change_nothing():
    frame = gaussian_frame(300, seeds=(1,))
    table = scores(frame, np.full(300, 0.2))
    np.testing.assert_allclose(table["weighted"], table["unweighted"], rtol=1e-12)
    np.testing.assert_allclose(table["on_target"], table["unweighted"], rtol=1e-12)
    residual = normalised_residual(frame["zspec"].to_numpy(), frame["zphot"].to_numpy())
    assert table.loc["sigma_nmad", "unweighted"] == pytest.approx(sigma_nmad(residual))
    assert table.loc["rms", "unweighted"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert table.loc["coverage_95", "unweighted"] == pytest.approx(0.95, abs=0.04)
    assert table["effective_n"].to_numpy() == pytest.approx(300)
    assert (table["n"] == 300).all()


def test_a_weight_of_two_is_two_objects():
    frame = gaussian_frame(300, seeds=(1,))
    weights = np.where(np.arange(300) < 100, 2.0, 1.0)
    twice = pd.concat([frame, frame[:100]], ignore_index=True)
    weighted, repeated = scores(frame, weights), scores(twice, np.ones(400))
    np.testing.assert_allclose(weighted["weighted"], repeated["unweighted"], rtol=2e-3)
    exact = [name for name in weighted.index if name != "sigma_nmad"]  # medians interpolate
    np.testing.assert_allclose(
        weighted.loc[exact, "weighted"], repeated.loc[exact, "unweighted"], rtol=1e-9
    )


def test_objects_without_weight_do_not_count():
    good, bad = gaussian_frame(200, seeds=(1,)), gaussian_frame(200, noise=0.2, seeds=(2,))
    both = pd.concat([good, bad], ignore_index=True)
    table = scores(both, np.repeat([1.0, 0.0], 200), target=good)
    np.testing.assert_allclose(table["weighted"], table["on_target"], rtol=1e-9)
    scatter = table.loc[["rms", "crps"]]
    assert (scatter["unweighted"] > 2 * scatter["weighted"]).all()
    inside = (table["lower"] <= table["weighted"]) & (table["weighted"] <= table["upper"])
    assert inside.drop("pit_ks").all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = scores(both, np.zeros(400))
    assert nothing[["weighted", "lower", "upper"]].isna().all(axis=None)
    assert nothing["unweighted"].notna().all()


def test_weights_predict_the_scatter_of_a_target_with_other_features():
    # the scatter grows with the first feature, of which the target has less
    def frame(features, seed):
        noise = 0.01 + 0.05 * features[:, 0]
        return gaussian_frame(len(features), noise=noise, seeds=(seed,))

    spectroscopic, target = uniform(3000, 1), uniform(3000, 2) ** [2, 1]
    weights = density_ratios(spectroscopic, spectroscopic, target, 20)
    table = scores(frame(spectroscopic, 1), weights, target=frame(target, 2))
    for metric in ("sigma_nmad", "rms", "crps"):
        row = table.loc[metric]
        assert row["weighted"] == pytest.approx(row["on_target"], rel=0.06)
        assert row["unweighted"] > 1.12 * row["on_target"]


def brighter(path):
    """Cut a test table to its brighter half."""
    table = pq.read_table(path)
    magnitude = table["reference_mag"].to_numpy()
    pq.write_table(table.filter(pa.array(magnitude < np.median(magnitude))), path)


def run_rule(place, settings, calibration=True):
    development, test = galaxies.write_split(place)
    brighter(test)
    if not calibration:
        table = pq.read_table(development)
        pq.write_table(table.filter(pc.field("part") != "calibration"), development)
    folder = train(development, place / "model", settings)
    files = calibrate(folder, development, place / "calibration")
    predict([folder], [files], [test], [1], place)
    run(
        weigh_spectra,
        {
            "developments": [str(development)],
            "tests": [str(test)],
            "models": [str(folder)],
            "calibrations": [str(files[0])],
            "references": [str(files[1])],
            "predictions": [str(place / "predictions.parquet")],
        },
        {"scores": str(place / "covariate_shift.csv")},
        models=["some"],
        seeds=[1],
        neighbours=20,
        bootstrap=BOOTSTRAP.canonical(),
    )
    return pd.read_csv(place / "covariate_shift.csv")


@pytest.mark.parametrize("settings", [LOCAL, FOREST], ids=lambda settings: settings.kind)
def test_the_rule_writes_a_row_for_each_metric(settings, tmp_path):
    table = run_rule(tmp_path, settings)
    assert list(table) == TABLE_COLUMNS
    assert table["metric"].tolist() == [
        "sigma_nmad", "rms", "bias", "outlier_0.05", "crps", "pit_ks", "coverage_95",
        "conformal_95",
    ]  # fmt: skip
    assert (table["n"] == 20).all()
    assert (table["effective_n"] < 20).all()
    assert table.drop(columns=["auc"]).notna().all(axis=None)
    assert (table["auc"] > 0.7).all()


def test_a_split_without_calibration_part_has_no_rows(tmp_path):
    table = run_rule(tmp_path, LOCAL, calibration=False)
    assert list(table) == TABLE_COLUMNS
    assert not len(table)
