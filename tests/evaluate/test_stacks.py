"""Stacked p(z): integrals of quantiles, tables, and the rule from files on."""

import numpy as np
import pytest
import stack_pdfs
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.evaluate.stacks import Stacked, stack_edges, stack_table, summary_table
from sdssflow.evaluate.tables import Predictions
from sdssflow.redshift_pdf.tabulated import bin_masses, variances
from sdssflow.tables import read_csv
from tests.evaluate.pdf_predictions import (
    DIGESTS,
    gaussian_frame,
    gaussian_mixture,
    write_gaussians,
    write_pdf_predictions,
)
from tests.jobs import run

LEVELS = np.arange(1, 100) / 100
SETTINGS = RedshiftPdfs(tomographic_bins=3, stack_bins=20)
BOOTSTRAP = Bootstrap(replicates=60)


def stacked(model, frame, edges):
    redshifts = gaussian_mixture(frame).quantiles(LEVELS)
    digests = {int(seed): digest for seed, digest in DIGESTS.items()}
    predictions = Predictions(model, frame, digests)
    return Stacked(predictions, bin_masses(LEVELS, redshifts, edges), variances(LEVELS, redshifts))


@given(st.floats(0.0, 1.0), st.floats(1e-3, 0.2), st.integers(2, 40))
def test_masses_are_those_of_the_density_and_sum_to_one(mean, width, bins):
    edges = np.linspace(0, 1, bins + 1)
    found = bin_masses(LEVELS, mean + width * norm.ppf(LEVELS)[None], edges)[0]
    cdf = norm.cdf(edges, mean, width)
    cdf[0], cdf[-1] = 0, 1
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, np.diff(cdf), atol=0.021)  # a tail is 0.01


def test_variance_of_a_gaussian_a_uniform_and_two_peaks():
    gaussian = variances(LEVELS, 0.3 + 0.02 * norm.ppf(LEVELS)[None])
    assert np.sqrt(gaussian) == pytest.approx(0.02, rel=0.004)
    uniform = variances(LEVELS, LEVELS[None])
    assert uniform == pytest.approx(1 / 12, rel=0.01)
    peaks = np.where(LEVELS < 0.5, 0.1, 0.3)[None]
    assert np.sqrt(variances(LEVELS, peaks)) == pytest.approx(0.1, rel=0.02)
    assert variances(LEVELS, np.full((1, 99), 0.2)) == pytest.approx(0, abs=1e-12)


def test_edges_hold_every_zspec():
    np.testing.assert_allclose(stack_edges(np.array([0.1, 0.4]), 4), [0, 0.1, 0.2, 0.3, 0.4])
    assert stack_edges(np.array([-0.01, 0.4]), 4)[0] == -0.01


def test_stacks_of_right_densities_are_the_truth_within_noise():
    frame = gaussian_frame(n=3000)
    edges = stack_edges(frame["zspec"].to_numpy(), SETTINGS.stack_bins)
    models = [stacked("right", frame, edges)]
    table = stack_table(models, edges, SETTINGS)
    sums = table.groupby("tomographic_bin")[["stacked", "true"]].sum()
    np.testing.assert_allclose(sums, 1000, atol=1e-6)  # per seed, in each of three bins
    assert (table["z_low"].iloc[1:20].to_numpy() == table["z_high"].iloc[:19].to_numpy()).all()
    noise = 5 * np.sqrt(np.maximum(table["true"], 4))
    assert (np.abs(table["stacked"] - table["true"]) < noise).all()
    summary = summary_table(models, SETTINGS, BOOTSTRAP)
    assert list(summary["tomographic_bin"]) == [1, 2, 3, "all"]
    assert list(summary["n"]) == [1000, 1000, 1000, 3000]
    for moment in ("mean", "width"):
        difference = summary[f"{moment}_stacked"] - summary[f"{moment}_true"]
        np.testing.assert_allclose(summary[f"{moment}_difference"], difference)
        half = (summary[f"{moment}_upper"] - summary[f"{moment}_lower"]) / 2
        assert (np.abs(summary[f"{moment}_difference"]) < 2 * half).all()
    assert (summary["mean_lower"] < summary["mean_difference"]).all()
    assert (summary["mean_difference"] < summary["mean_upper"]).all()


def test_a_shift_of_all_densities_is_found_to_the_digit():
    frame = gaussian_frame(n=300)
    shifted = frame.copy()
    for name in shifted:
        if name.startswith(("zphot", "z_low", "z_high")):
            shifted[name] += 0.05
    edges = stack_edges(frame["zspec"].to_numpy(), SETTINGS.stack_bins)
    models = [stacked("right", frame, edges), stacked("shifted", shifted, edges)]
    summary = summary_table(models, SETTINGS, BOOTSTRAP).set_index(["model", "tomographic_bin"])
    right, wrong = summary.loc["right"], summary.loc["shifted"]
    for end in ("difference", "lower", "upper"):
        np.testing.assert_allclose(wrong[f"mean_{end}"], right[f"mean_{end}"] + 0.05)
        np.testing.assert_allclose(wrong[f"width_{end}"], right[f"width_{end}"], atol=1e-9)


def test_densities_too_wide_give_stacks_too_wide():
    edges = np.linspace(0, 0.7, 21)
    models = [stacked("wide", gaussian_frame(n=500, stretch=3), edges)]
    summary = summary_table(models, SETTINGS, BOOTSTRAP)
    assert (summary["width_lower"] > 0).all()


def run_rule(folder, frames, rows=slice(None)):
    paths, pdfs = [], []
    for model, frame in frames.items():
        paths.append(write_pdf_predictions(folder / f"{model}.parquet", model, frame))
        pdfs.append(write_gaussians(folder / f"{model}.hdf5", frame, rows))
    outputs = run(
        stack_pdfs,
        {"predictions": paths, "pdfs": pdfs},
        {name: str(folder / f"{name}.csv") for name in ("stacks", "summary")},
        models=list(frames),
        settings=SETTINGS.canonical(),
        bootstrap=BOOTSTRAP.canonical(),
    )
    return [read_csv(path) for path in outputs.values()]


def test_the_rule_writes_both_tables_for_every_model(tmp_path):
    frames = {"a": gaussian_frame(n=200), "b": gaussian_frame(n=200, stretch=2)}
    stacks, summary = run_rule(tmp_path, frames)
    assert len(stacks) == 2 * 3 * 20
    assert list(stacks) == [
        "model", "tomographic_bin", "zphot_low", "zphot_high", "z_low", "z_high", "stacked", "true",
    ]  # fmt: skip
    assert set(summary["model"]) == {"a", "b"}
    edges = stack_edges(frames["a"]["zspec"].to_numpy(), SETTINGS.stack_bins)
    expected = stack_table([stacked("a", frames["a"], edges)], edges, SETTINGS)
    mine = stacks[stacks["model"] == "a"]
    np.testing.assert_allclose(mine["stacked"], expected["stacked"], atol=0.5)


def test_densities_of_other_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="m.hdf5: row_id differs from the predictions of m"):
        run_rule(tmp_path, {"m": gaussian_frame(n=50)}, rows=slice(None, None, -1))
