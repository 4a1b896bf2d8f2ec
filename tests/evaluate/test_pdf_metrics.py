"""Metrics of p(z): against scipy and hand-made numbers."""

import numpy as np
import pytest
import score_pdfs
from scipy.stats import binom

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.evaluate import pdf_metrics, redshift_metrics
from sdssflow.evaluate.bootstrap import draw_counts
from sdssflow.evaluate.metrics import names
from sdssflow.evaluate.pdf_metrics import COLUMNS, LOG_FLOOR, METRICS, POINTS, score
from sdssflow.evaluate.redshift_metrics import MAD_TO_SIGMA
from sdssflow.tables import read_csv
from tests.evaluate.pdf_predictions import gaussian_columns, gaussian_frame, write_pdf_predictions
from tests.jobs import run

STRETCH = {"right": 1.0, "narrow": 0.4}
BOOTSTRAP = Bootstrap(replicates=60)
SETTINGS = RedshiftPdfs(bins=3, pit_bins=10)
NAMES = ("scores", "differences", "scores_by_bin", "pit")


def whole(columns):
    """All metrics by name and convention, without replicates."""
    counts = np.ones((1, len(columns["pit"])), dtype=np.uint8)
    found = score(columns, counts)
    return {(m.name, m.convention): value for m, value in zip(METRICS, found.values, strict=True)}


def drawn_columns(n, seed=0, stretch=1.0, bias=0.0):
    generator = np.random.default_rng(seed)
    mean = generator.uniform(0.1, 0.6, n)
    width = generator.uniform(0.01, 0.03, n)
    return gaussian_columns(
        mean, stretch * width, mean + bias + width * generator.standard_normal(n)
    )


def test_every_metric_on_four_objects_done_by_hand():
    columns = {name: np.full(4, 0.5) for name in COLUMNS}
    columns["zspec"] = np.array([0.0, 0.25, 0.5, 1.0])
    columns["pit"] = np.array([0.0, 0.25, 0.5, 0.99995])
    columns["crps"] = np.array([0.1, 0.2, 0.3, 0.4])
    columns["cde"] = np.array([-1.0, -2.0, -3.0, 0.0])
    columns["log_density"] = np.array([-np.inf, 1.0, 2.0, 0.0])
    columns["zphot"] = np.ones(4)
    columns |= {"z_low_68": np.full(4, 0.3), "z_high_68": np.full(4, 0.6)}
    columns |= {"z_low_95": np.full(4, 0.25), "z_high_95": np.full(4, 0.75)}
    columns |= {"conformal_low_68": np.full(4, 0.2), "conformal_high_68": np.full(4, 0.5)}
    columns |= {"conformal_low_95": np.full(4, 0.0), "conformal_high_95": np.full(4, 1.0)}
    columns["zphot_median"] = np.array([0.1, 0.25, 0.5, 1.0])  # d = 0.1, 0, 0, 0
    columns["zphot_mode"] = np.array([0.0, 0.5, 0.5, 1.0])  # d = 0, 0.2, 0, 0
    found = whole(columns)
    by_name = {metric: value for (metric, _), value in found.items()}
    expected = {
        "pit_ks": 0.49995,  # F stays 3/4 up to the last, and all of PIT 1 lies there
        "pit_outliers": 2 / 4,
        "crps": 0.25,
        "cde_loss": -1.5,
        "log_likelihood": (LOG_FLOOR + 3) / 4,
        "coverage_68": 1 / 4,
        "coverage_95": 2 / 4,  # ends belong to the interval
        "conformal_68": 2 / 4,
        "conformal_95": 1.0,
        "sharpness_68": 0.3 / 2 / 2,
        "sharpness_95": 0.5 / 2 / 2,
        "conformal_sharpness_95": 1 / 2 / 2,
    }
    expected["pit_ks"] = max(np.abs(0.5 - 0.75), np.abs(0.99995 - 0.75))
    for name, value in expected.items():
        assert by_name[name] == pytest.approx(value, abs=1e-12), name
    points = {
        ("bias", "of the median"): 0.025,
        ("rms", "of the median"): np.sqrt(0.01 / 4),
        ("outlier_0.05", "of the median"): 1 / 4,
        ("outlier_0.15", "of the median"): 0,
        ("sigma_nmad", "of the median"): 0,
        ("bias", "of the mode"): 0.05,
        ("rms", "of the mode"): 0.1,
        ("outlier_0.15", "of the mode"): 1 / 4,
        ("bias", "of the mean"): (0.5 + 0.2 + 0 - 0.25) / 4,
        # d = 0.5, 0.2, 0, -0.25 about 0.1: 0.4, 0.1, 0.1, 0.35
        ("sigma_nmad", "of the mean"): MAD_TO_SIGMA * 0.225,
    }
    for key, value in points.items():
        assert found[key] == pytest.approx(value, abs=1e-12), key


def test_right_densities_are_found_right_and_narrow_ones_narrow():
    n = 20_000
    right, narrow = (whole(drawn_columns(n, stretch=stretch)) for stretch in (1.0, 0.5))
    names = {metric: (metric, convention) for metric, convention in right}
    assert right[names["pit_ks"]] < 1.36 / np.sqrt(n)  # 95 % of uniform samples
    assert narrow[names["pit_ks"]] > 0.1
    for level in (68, 95):
        key = names[f"coverage_{level}"]
        assert right[key] == pytest.approx(level / 100, abs=0.01)
        assert narrow[key] < level / 100 - 0.1
    for better in ("crps", "cde_loss"):
        assert right[names[better]] < narrow[names[better]]
    assert right[names["log_likelihood"]] > narrow[names["log_likelihood"]]
    assert right[names["sharpness_68"]] == pytest.approx(2 * narrow[names["sharpness_68"]])


def test_a_summary_of_densities_is_shown_in_the_score_table_alone():
    of_points = [metric for metric in METRICS if metric.convention.startswith("of the ")]
    assert len(of_points) == len(POINTS) * sum(metric.points for metric in redshift_metrics.METRICS)
    assert not [m for m in of_points if m.headline or m.drawn or m.weighted or m.compared]
    assert not [m for m in of_points if m.binned or m.subgroup]


def run_scores(folder, frames):
    paths = [
        write_pdf_predictions(folder / f"{model}.parquet", model, frame)
        for model, frame in frames.items()
    ]
    outputs = run(
        score_pdfs,
        {"predictions": paths},
        {name: str(folder / f"{name}.csv") for name in NAMES},
        models=list(frames),
        settings=SETTINGS.canonical(),
        bootstrap=BOOTSTRAP.canonical(),
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
    assert len(scores) == len(STRETCH) * 3 * len(METRICS)
    assert (scores["n"] == 600).all()
    assert scores[["value", "lower", "upper"]].notna().all(axis=None)
    assert set(tables["scores_by_bin"]["metric"]) == set(names(METRICS, "binned"))


def test_intervals_hold_the_truth_of_right_densities_alone(tables):
    for metric, expected in (("coverage_68", 0.68), ("coverage_95", 0.95)):
        right = of_all(tables["scores"], "right", metric).iloc[0]
        assert right["lower"] < expected < right["upper"]
        assert of_all(tables["scores"], "narrow", metric).iloc[0]["upper"] < expected


def test_replicates_are_scores_of_repeated_objects():
    frame = gaussian_frame(n=80, seeds=(1,))
    columns = {name: frame[name].to_numpy(float) for name in COLUMNS}
    counts = draw_counts(frame["group"].to_numpy(str), Bootstrap(replicates=20))
    found = pdf_metrics.score(columns, counts)
    for count, replicate in zip(counts[:5], found.replicates, strict=False):
        repeated = {name: np.repeat(values, count) for name, values in columns.items()}
        alone = pdf_metrics.score(repeated, np.ones((1, count.sum()), dtype=np.uint8))
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


def test_intervals_of_a_bin_are_those_of_its_objects(tables):
    frame = gaussian_frame(stretch=STRETCH["narrow"], seeds=(1,))
    bins = tables["scores_by_bin"]
    chosen = bins[(bins["model"] == "narrow") & (bins["seed"] == "1") & (bins["metric"] == "crps")]
    row = chosen[chosen["variable"] == "reference_mag"].iloc[1]
    inside = (frame["reference_mag"] >= row["bin_low"]) & (frame["reference_mag"] < row["bin_high"])
    columns = {name: frame[name].to_numpy(float)[inside] for name in COLUMNS}
    counts = draw_counts(frame["group"].to_numpy(str)[inside], BOOTSTRAP)
    found = pdf_metrics.score(columns, counts)
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


def test_without_calibration_objects_conformal_scores_alone_are_undefined(tmp_path):
    missing = {f"conformal_{end}_{level}": np.nan for end in ("low", "high") for level in (68, 95)}
    scores = run_scores(tmp_path, {"bare": gaussian_frame(n=50).assign(**missing)})["scores"]
    undefined = scores[scores["value"].isna()]["metric"]
    assert set(undefined) == {"conformal_68", "conformal_95", "conformal_sharpness_95"}


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
    with pytest.raises(ValueError, match="pit is not between 0 and 1 in the predictions of m"):
        run_scores(tmp_path, {"m": gaussian_frame(n=50).assign(pit=1.01)})
