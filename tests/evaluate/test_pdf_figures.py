"""Figures of p(z) show what they say: panels, data in artists, labels."""

from types import SimpleNamespace

import numpy as np
import plot_pdfs
import pytest
from matplotlib.patches import StepPatch

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.evaluate import pdf_figures
from sdssflow.evaluate.metrics import best_model
from sdssflow.evaluate.pdf_figures import FIGURES, RULES, choose
from sdssflow.evaluate.pdf_metrics import compare_densities
from sdssflow.evaluate.stacks import Stacked, stack_edges, stack_table, summary_table
from sdssflow.evaluate.tables import Predictions
from sdssflow.plotting import style
from sdssflow.redshift_pdf.tabulated import bin_masses, variances
from sdssflow.tables import write_csv
from tests.evaluate.pdf_predictions import (
    gaussian_frame,
    gaussian_mixture,
    write_gaussians,
    write_pdf_predictions,
)
from tests.jobs import run as run_script

LEVELS = np.arange(1, 100) / 100
STRETCH = {"wide": 1.7, "right": 1.0}
MODELS = list(STRETCH)
SETTINGS = RedshiftPdfs(bins=3, pit_bins=8, tomographic_bins=3, stack_bins=15)
BOOTSTRAP = Bootstrap(replicates=40)


@pytest.fixture(scope="module")
def run():
    frames = {model: gaussian_frame(n=300, stretch=s) for model, s in STRETCH.items()}
    predictions = [Predictions(m, f, {1: "a" * 12, 2: "b" * 12}) for m, f in frames.items()]
    tables = compare_densities(predictions, SETTINGS, BOOTSTRAP)
    edges = stack_edges(frames["right"]["zspec"].to_numpy(), SETTINGS.stack_bins)
    redshifts = {}
    for model, frame in frames.items():
        redshifts[model] = gaussian_mixture(frame).quantiles(LEVELS)
    stacked = [
        Stacked(p, bin_masses(LEVELS, redshifts[p.model], edges),
                variances(LEVELS, redshifts[p.model]))
        for p in predictions
    ]  # fmt: skip
    return SimpleNamespace(
        frames=frames,
        predictions=predictions,
        **{name: tables[name] for name in ("scores", "scores_by_bin", "pit")},
        redshifts=redshifts,
        stacks=stack_table(stacked, edges, SETTINGS),
        summary=summary_table(stacked, SETTINGS, BOOTSTRAP),
    )


def steps(axis, filled):
    """Heights of the step curves of a panel."""
    found = [patch for patch in axis.patches if isinstance(patch, StepPatch)]
    return [np.asarray(patch.get_data().values) for patch in found if patch.get_fill() == filled]


def test_pit_has_a_panel_for_each_model_with_its_histogram_and_distance(run):
    with style():
        figure = pdf_figures.draw_pit(run.pit, run.scores, MODELS)
        assert len(figure.axes) == 2
        for axis, model in zip(figure.axes, MODELS, strict=True):
            rows = run.pit[run.pit["model"] == model]
            counts = rows.groupby("bin_low")["count"].mean() / rows["expected"].mean()
            np.testing.assert_allclose(steps(axis, False)[0], counts)
            (band,) = [patch for patch in axis.patches if patch.get_fill()]
            assert (band.get_data().values >= 1).all()
            assert (band.get_data().baseline <= 1).all()
            of_model = run.scores[run.scores["model"] == model]
            row = of_model[(of_model["metric"] == "pit_ks") & (of_model["seed"] == "all")]
            assert axis.get_title() == f"{model}: KS {row['value'].item():.3f}"


def test_coverage_is_that_of_central_intervals(run):
    with style():
        figure = pdf_figures.draw_coverage(run.predictions, 0.95)
        left, right = figure.axes
        lines = {line.get_label(): line for line in left.lines}
        for model in MODELS:
            nominal, covered = lines[model].get_data()
            at_95 = covered[np.isclose(nominal, 0.95)].item()
            chosen = run.scores[run.scores["model"] == model]
            row = chosen[(chosen["metric"] == "coverage_95") & (chosen["seed"] == "all")]
            assert at_95 == pytest.approx(row["value"].item(), abs=1e-12)
        off = {line.get_label(): line.get_ydata() for line in right.lines}
        assert off["wide"].max() > 0.1
        (band,) = right.collections
        assert np.abs(band.get_paths()[0].vertices[:, 1]).max() < 0.1


def test_bins_are_drawn_against_zphot_and_magnitude(run):
    with style():
        figure = pdf_figures.draw_by_bin(run.scores_by_bin, MODELS)
        assert len(figure.axes) == 6
        by_bin = run.scores_by_bin
        rows = by_bin[(by_bin["seed"] == "all") & (by_bin["model"] == "right")]
        rows = rows[(rows["metric"] == "crps") & (rows["variable"] == "reference_mag")]
        lines = {line.get_label(): line for line in figure.axes[1].lines}
        np.testing.assert_allclose(lines["right"].get_ydata(), rows["value"])
        assert figure.axes[4].get_xlabel() == "zphot"
        nominal = [line for line in figure.axes[2].lines if set(line.get_ydata()) == {0.95}]
        assert len(nominal) == 1


def test_without_magnitudes_the_column_of_zphot_is_left(run):
    only = run.scores_by_bin[run.scores_by_bin["variable"] != "reference_mag"]
    with style():
        assert len(pdf_figures.draw_by_bin(only, MODELS).axes) == 3


def test_the_gallery_draws_twelve_objects_with_their_density_and_zspec(run):
    prediction = run.predictions[1]
    with style():
        figure = pdf_figures.draw_gallery(prediction, (LEVELS, run.redshifts["right"]))
        assert len(figure.axes) == 12
        chosen = choose(prediction.of_seed(1))
        frame = prediction.of_seed(1)
        for axis, (reason, row) in zip(figure.axes, chosen, strict=True):
            assert axis.get_title() == f"{reason}\nrow_id {frame['row_id'][row]}"
            lines = {line.get_label(): line for line in axis.lines}
            assert set(lines["zspec"].get_xdata()) == {frame["zspec"][row]}
            assert list(lines["mode"].get_xdata()) == [frame["zphot_mode"][row]]
            assert list(lines["conformal 95 %"].get_xdata()) == [
                frame["conformal_low_95"][row],
                frame["conformal_high_95"][row],
            ]
            (density,) = [p for p in axis.patches if p.get_fill()]
            heights, edges, _ = density.get_data()
            assert np.sum(heights * np.diff(edges)) == pytest.approx(0.98)
            assert edges[np.argmax(heights)] == pytest.approx(frame["zphot"][row], abs=0.02)


def test_the_gallery_chooses_by_its_rules_and_no_object_twice():
    frame = gaussian_frame(n=200, seeds=(1,))
    width = frame["z_high_95"] - frame["z_low_95"]
    chosen = dict(choose(frame))
    assert list(chosen) == list(RULES)
    assert len(set(chosen.values())) == 12
    assert width[chosen["narrowest"]] == width.min()
    assert width[chosen["widest"]] == width.max()
    frame.loc[17, "zphot"] = 3.0
    frame.loc[18, "zphot_mode"] += 0.2
    frame["reference_mag"] = np.nan
    chosen = dict(choose(frame))
    assert chosen["worst outlier, too high"] == 17
    assert chosen["most lopsided"] == 18
    assert not {"brightest of the rest", "faintest of the rest"} & set(chosen)
    assert len(choose(frame.head(5))) == 5


def test_stacks_have_a_row_for_each_model_and_a_column_for_each_bin(run):
    with style():
        figure = pdf_figures.draw_stacks(run.stacks, run.summary, MODELS)
        assert len(figure.axes) == 2 * 3
        axis = figure.axes[4]  # second model, second bin
        rows = run.stacks[(run.stacks["model"] == "right") & (run.stacks["tomographic_bin"] == 2)]
        np.testing.assert_allclose(steps(axis, True)[0], rows["true"])
        np.testing.assert_allclose(steps(axis, False)[0], rows["stacked"])
        about = run.summary[run.summary["model"] == "right"].iloc[1]
        sign = "+" if about["mean_difference"] > 0 else "\N{MINUS SIGN}"
        assert f"{sign}{abs(about['mean_difference']):.4f}" in axis.get_title()
        assert f"{about['zphot_low']:.3f} to {about['zphot_high']:.3f}" in axis.get_title()


def test_a_model_with_fewer_tomographic_bins_leaves_its_panel_empty(run):
    last = (run.stacks["model"] == "right") & (run.stacks["tomographic_bin"] == 2)
    figure = pdf_figures.draw_stacks(run.stacks[~last], run.summary, MODELS)
    assert sum(not axis.axison for axis in figure.axes) == 1


def test_the_best_model_has_the_lowest_crps(run):
    assert best_model(run.scores, "crps") == "right"


def test_the_rule_draws_every_figure_and_repeats_to_the_byte(run, tmp_path):
    files = {}
    for name in ("scores", "scores_by_bin", "pit", "stacks", "summary"):
        files[name] = str(tmp_path / f"{name}.csv")
        write_csv(getattr(run, name), files[name])
    predictions, pdfs = [], []
    for model, frame in run.frames.items():
        predictions.append(write_pdf_predictions(tmp_path / f"{model}.parquet", model, frame))
        pdfs.append(write_gaussians(tmp_path / f"{model}.hdf5", frame))
    paths = [tmp_path / f"{figure}.svg" for figure in FIGURES]
    drawn = []
    for _ in range(2):
        run_script(
            plot_pdfs,
            files | {"predictions": predictions, "pdfs": pdfs},
            {"figures": paths},
            models=MODELS,
            level=0.95,
            settings=Figures().canonical(),
        )
        drawn.append([path.read_bytes() for path in paths])
    assert all(b"right" in content for content in drawn[0])
    assert drawn[0] == drawn[1]
