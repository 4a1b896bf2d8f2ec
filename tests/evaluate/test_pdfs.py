"""Score tables of p(z), from predictions.parquet on."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import score_pdfs
from scipy.stats import binom

from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate import pdfs
from sdssflow.evaluate.bootstrap import draw_counts
from sdssflow.evaluate.metrics import names
from sdssflow.evaluate.pdf_metrics import COLUMNS, METRICS
from sdssflow.tables import read_csv
from tests.evaluate.pdf_predictions import gaussian_frame, write_pdf_predictions

STRETCH = {"right": 1.0, "narrow": 0.4}
BOOTSTRAP = Bootstrap(replicates=60)
SETTINGS = RedshiftPdfs(bins=3, pit_bins=10)
NAMES = ("scores", "differences", "scores_by_bin", "pit")


def run_scores(folder, frames):
    paths = [
        write_pdf_predictions(folder / f"{model}.parquet", model, frame)
        for model, frame in frames.items()
    ]
    outputs = {name: str(folder / f"{name}.csv") for name in NAMES}
    score_pdfs.main(
        SimpleNamespace(
            input=SimpleNamespace(predictions=paths),
            output=SimpleNamespace(**outputs),
            params=SimpleNamespace(
                models=list(frames),
                settings=SETTINGS.canonical(),
                bootstrap=BOOTSTRAP.canonical(),
            ),
        )
    )
    tables = {name: read_csv(path) for name, path in outputs.items()}
    for table in tables.values():
        if "seed" in table:
            table["seed"] = table["seed"].astype(str)
    return tables


def frames():
    return {model: gaussian_frame(stretch=stretch) for model, stretch in STRETCH.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scores")


@pytest.fixture(scope="module")
def tables(folder):
    return run_scores(folder, frames())


def of_all(table, model, metric):
    chosen = table[(table["seed"] == "all") & (table["model"] == model)]
    return chosen[chosen["metric"] == metric]


def test_scores_are_long_and_name_every_metric(tables):
    scores = tables["scores"]
    assert list(scores) == [
        "model", "seed", "metric", "convention", "subset", "value", "lower", "upper", "n",
        "data_digest",
    ]  # fmt: skip
    assert len(scores) == len(STRETCH) * 3 * len(METRICS)
    assert (scores["n"] == 600).all()
    assert scores[["value", "lower", "upper"]].notna().all(axis=None)


def test_intervals_hold_the_truth_of_right_densities_alone(tables):
    for metric, expected in (("coverage_68", 0.68), ("coverage_95", 0.95)):
        right = of_all(tables["scores"], "right", metric).iloc[0]
        assert right["lower"] < expected < right["upper"]
        assert of_all(tables["scores"], "narrow", metric).iloc[0]["upper"] < expected


def test_the_row_of_all_seeds_is_their_mean(tables):
    keys = ["model", "metric", "convention"]
    wide = tables["scores"].pivot_table(index=keys, columns="seed", values="value")
    np.testing.assert_allclose(wide["all"], (wide["1"] + wide["2"]) / 2, atol=1e-12)


def test_replicates_are_scores_of_repeated_objects():
    frame = gaussian_frame(n=80, seeds=(1,))
    columns = {name: frame[name].to_numpy(float) for name in COLUMNS}
    counts = draw_counts(frame["group"].to_numpy(str), Bootstrap(replicates=20))
    found = pdfs.score(columns, counts)
    for count, replicate in zip(counts[:5], found.replicates, strict=False):
        repeated = {name: np.repeat(values, count) for name, values in columns.items()}
        alone = pdfs.score(repeated, np.ones((1, count.sum()), dtype=np.uint8))
        np.testing.assert_allclose(replicate, alone.values, rtol=1e-9, atol=1e-12)


def test_differences_are_paired_and_find_the_better_model(tables):
    differences = tables["differences"].set_index("metric")
    assert set(differences.index) == set(names(METRICS, "compared"))
    assert differences.loc["crps", "upper"] < 0  # right minus narrow
    assert differences.loc["log_likelihood", "lower"] > 0
    means = {model: of_all(tables["scores"], model, "crps")["value"].item() for model in STRETCH}
    difference = differences.loc["crps", "value"]
    assert difference == pytest.approx(means["right"] - means["narrow"])
    # paired: narrower than the interval of either model alone would allow
    ends = of_all(tables["scores"], "narrow", "crps").iloc[0]
    width = differences.loc["crps", "upper"] - differences.loc["crps", "lower"]
    assert width < ends["upper"] - ends["lower"]


def test_bins_hold_every_object_once_and_average_to_the_whole(tables):
    bins = tables["scores_by_bin"]
    assert set(bins["metric"]) == set(names(METRICS, "binned"))
    assert set(bins["variable"]) == {"zspec", "zphot", "reference_mag"}
    whole = tables["scores"]
    for metric in ("crps", "coverage_68", "sharpness_68"):
        for model in STRETCH:
            about = {"metric": metric, "model": model, "seed": "1"}
            expected = whole[(whole[list(about)] == pd.Series(about)).all(axis=1)]["value"].item()
            chosen = bins[(bins[list(about)] == pd.Series(about)).all(axis=1)]
            for _, rows in chosen.groupby("variable"):
                assert rows["n"].sum() == 600
                assert len(rows) == 3
                mean = np.average(rows["value"], weights=rows["n"])
                assert mean == pytest.approx(expected, abs=1e-12)


def test_intervals_of_a_bin_are_those_of_its_objects(tables):
    frame = gaussian_frame(stretch=STRETCH["narrow"], seeds=(1,))
    bins = tables["scores_by_bin"]
    chosen = bins[(bins["model"] == "narrow") & (bins["seed"] == "1") & (bins["metric"] == "crps")]
    row = chosen[chosen["variable"] == "reference_mag"].iloc[1]
    inside = (frame["reference_mag"] >= row["bin_low"]) & (frame["reference_mag"] < row["bin_high"])
    columns = {name: frame[name].to_numpy(float)[inside] for name in COLUMNS}
    counts = draw_counts(frame["group"].to_numpy(str)[inside], BOOTSTRAP)
    found = pdfs.score(columns, counts)
    place = next(i for i, metric in enumerate(METRICS) if metric.name == "crps")
    low, high = np.quantile(found.replicates[:, place], (0.025, 0.975))
    expected = (found.values[place], low, high)
    assert tuple(row[["value", "lower", "upper"]]) == pytest.approx(expected, rel=1e-9)


def test_bins_of_zphot_are_open_and_certain_fractions_have_exact_intervals(tmp_path):
    frame = gaussian_frame(n=60, seeds=(1,)).assign(conformal_low_95=0.0, conformal_high_95=9.0)
    frame.loc[3, "zphot"], frame.loc[4, "zphot"] = 5.0, 0.0
    bins = run_scores(tmp_path, {"m": frame})["scores_by_bin"]
    bins = bins[(bins["metric"] == "conformal_95") & (bins["seed"] == "1")]
    assert (bins.groupby("variable")["n"].sum() == 60).all()
    assert (bins["value"] == 1).all()
    np.testing.assert_allclose(bins["lower"], 0.025 ** (1 / bins["n"]))


def test_the_pit_histogram_counts_everybody_and_knows_its_band(tables):
    pit = tables["pit"]
    assert (pit.groupby(["model", "seed"])["count"].sum() == 600).all()
    assert (pit["expected"] == 60).all()
    low, high = binom.interval(0.95, 600, 0.1)
    assert set(pit["band_low"]) == {low}
    assert set(pit["band_high"]) == {high}
    inside = pit["count"].between(pit["band_low"], pit["band_high"])
    assert inside[pit["model"] == "right"].mean() > 0.8
    narrow = pit[pit["model"] == "narrow"]
    outermost = narrow[(narrow["bin_low"] == 0) | (narrow["bin_high"] == 1)]
    assert (outermost["count"] > outermost["band_high"]).all()


def test_a_coverage_of_all_objects_has_a_lower_limit(tmp_path):
    frame = gaussian_frame(n=50).assign(conformal_low_95=0.0, conformal_high_95=9.0)
    row = of_all(run_scores(tmp_path, {"sure": frame})["scores"], "sure", "conformal_95").iloc[0]
    assert (row["value"], row["upper"]) == (1, 1)
    assert row["lower"] == pytest.approx(0.025 ** (1 / 50))


def test_without_calibration_objects_conformal_scores_alone_are_undefined(tmp_path):
    missing = {f"conformal_{end}_{level}": np.nan for end in ("low", "high") for level in (68, 95)}
    scores = run_scores(tmp_path, {"bare": gaussian_frame(n=50).assign(**missing)})["scores"]
    undefined = scores[scores["value"].isna()]["metric"]
    assert set(undefined) == {"conformal_68", "conformal_95", "conformal_sharpness_95"}


def test_objects_without_magnitude_are_in_no_magnitude_bin(tmp_path):
    frame = gaussian_frame(n=60).assign(reference_mag=np.float32(np.nan))
    bins = run_scores(tmp_path, {"m": frame})["scores_by_bin"]
    assert set(bins["variable"]) == {"zspec", "zphot"}


@pytest.mark.parametrize("column", ["pit", "zspec", "zphot_mode", "z_low_68"])
def test_a_missing_value_is_an_error_that_names_the_object(tmp_path, column):
    frame = gaussian_frame(n=50)
    frame.loc[frame["row_id"] == 1007, column] = np.nan
    with pytest.raises(ValueError, match=f"{column} of row_id 1007 .* of m, seed 1 .1 objects"):
        run_scores(tmp_path, {"m": frame})


def test_predictions_without_densities_are_named(tmp_path):
    with pytest.raises(ValueError, match="predictions of point have no column 'crps'"):
        run_scores(tmp_path, {"point": gaussian_frame(n=50).drop(columns=["crps", "cde"])})


def test_a_pit_that_is_no_probability_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="pit is not from 0 to 1 in the predictions of m"):
        run_scores(tmp_path, {"m": gaussian_frame(n=50).assign(pit=1.01)})


def test_the_same_inputs_give_the_same_bytes(tables, folder, tmp_path):
    run_scores(tmp_path, frames())
    for name in NAMES:
        assert (tmp_path / f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes()
