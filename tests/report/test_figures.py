import importlib
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

from sdssflow.report import figures
from sdssflow.report.figures import contents, matched, shown_at
from sdssflow.report.model_figures import models, pdf_models

ROOT = Path(__file__).parents[2]
OF_PDFS = {shown.label for shown in figures.PDFS}


def test_order_is_that_of_the_stages_and_samples(results):
    stages = ["acquire", "prepare", "explore", "classify", "regress", "evaluate"]
    assert {item.sample for item in results.items[:2]} == {""}
    samples = [item.sample for item in results.items[2:]]
    assert samples == sorted(samples, key=results.run.samples.index)
    for name in results.samples:
        order = [stages.index(item.stage) for item in results.items if item.sample == name]
        assert order == sorted(order)
        assert set(order) >= {0, 1, 2}


def test_paths_are_those_of_the_architecture_and_unique(results):
    items = contents(results.run, results.samples)
    paths = [item.path for item in items]
    assert len(paths) == len(set(paths))
    for path in (
        "results/concepts/redshifted_spectrum.png",
        "results/galaxies/catalogue/defects.csv",
        "results/mixed/clean/flow.csv",
        "results/mixed/features/single_features.csv",
        "results/mixed/split/folds/7/parts.csv",
        "results/mixed/explore/sky_map.png",
        "results/mixed/classify/random/confusion.csv",
        "results/mixed/classify/folds/figures/roc.png",
        "results/mixed/regress/random/figures/training.png",
        "results/mixed/regress/random/pdf_scores.csv",
        "results/mixed/regress/folds/figures/pit.png",
        "results/mixed/regress/folds/covariate_shift.csv",
        "results/mixed/regress/folds/ensemble/search/7.csv",
    ):
        assert path in paths
    assert not any("galaxies/classify" in path for path in paths)


def test_figures_have_the_format_of_the_run(results):
    figures = results.run.figures.model_copy(update={"format": "svg"})
    run = results.run.model_copy(update={"figures": figures})
    paths = [item.path for item in contents(run, results.samples) if item.kind == "figure"]
    assert paths
    assert all(path.endswith(".svg") for path in paths)


def test_models_are_those_of_the_sample_or_all_of_the_run(results):
    run, samples = results.run, results.samples
    assert models(run, samples["galaxies"], "regress") == ["mean", "linear"]
    assert models(run, samples["mixed"], "regress") == list(run.regressors)
    assert models(run, samples["mixed"], "classify") == list(run.classifiers)


def test_a_sample_has_the_figures_that_it_can_have_or_asks_for(results):
    records = [*figures.CATALOGUE, *figures.REDSHIFTS]
    absent = {
        name: {shown.label for shown in records if not shown.asked(results.run, sample)}
        for name, sample in results.samples.items()
    }
    explained = {"importance", "partial_dependence"}
    explained |= {f"{name}_table" for name in explained}
    others = explained | {"photoz_scores", "photoz_differences"}
    assert absent["galaxies"] == {"sky_map", "redshifts", "color_redshift", "training"} | others
    assert absent["mixed"] == {"redshifts", "color_color", "color_redshift"} | others


def test_only_samples_that_train_an_explained_model_show_which_features_it_uses(results):
    asked = results.run.importance.model_copy(update={"models": ["vote", "local"]})
    run = results.run.model_copy(update={"importance": asked})
    shown = {
        (item.sample, item.stage) for item in contents(run, results.samples)
        if item.name == "importance"
    }  # fmt: skip
    assert shown == {("mixed", "classify"), ("mixed", "regress")}  # galaxies trains neither


@pytest.mark.parametrize(
    ("module", "records"),
    [
        ("explore.catalogue_figures", figures.CATALOGUE),
        ("evaluate.class_figures", figures.CLASSES),
        ("evaluate.redshift_figures", figures.REDSHIFTS),
        ("evaluate.pdf_figures", figures.PDFS),
    ],
)
def test_every_figure_of_a_plot_rule_can_be_drawn(module, records):
    drawing = importlib.import_module(f"sdssflow.{module}").FIGURES
    assert list(drawing) == [shown.label for shown in figures.figures(records)]


def test_densities_are_shown_after_the_point_scores_where_a_model_gives_them(results):
    run, samples = results.run, results.samples
    assert pdf_models(run, samples["galaxies"]) == []
    assert pdf_models(run, samples["mixed"]) == ["trees", "local", "ensemble"]
    assert pdf_models(run, samples["mixed"].model_copy(update={"tasks": ["classify"]})) == []
    names = [
        item.name
        for item in results.items
        if (item.sample, item.stage, item.split) == ("mixed", "regress", "folds")
    ]
    assert names.index("scores_by_bin") < names.index("pdf_scores") < names.index("pit")
    shown = {item.name for item in results.items if item.sample == "galaxies"}
    assert not shown & OF_PDFS


def test_a_sample_without_definition_is_named(results):
    with pytest.raises(KeyError, match="mixed"):
        contents(results.run, {"galaxies": results.samples["galaxies"]})


def test_paths_of_the_rule_must_be_those_of_the_contents(results):
    items = contents(results.run, results.samples)
    elsewhere = [f"/scratch/{item.path}" for item in items]
    assert [item.path for item in matched(items, elsewhere)] == elsewhere
    with pytest.raises(ValueError, match=str(len(items))):
        matched(items, elsewhere[1:])
    with pytest.raises(ValueError, match=items[0].path):
        matched(items, [elsewhere[1], elsewhere[0], *elsewhere[2:]])


def test_every_output_that_snakemakes_report_shows_is_found_by_its_path():
    section, shown = shown_at("results/{sample,mgs|mclass}/regress/{split}/figures/pit.svg")
    assert (section, shown.title) == ("7 p(z)", "Are the densities calibrated?")
    assert shown_at("results/{sample}/explore/clusters.csv")[1].label == "clusters_table"
    assert shown_at("results/{sample}/explore/clusters.png")[1].label == "clusters"
    assert shown_at("results/published.csv")[0] == "published numbers"
    with pytest.raises(KeyError):
        shown_at("results/{sample}/clean/catalogue.csv")


def test_landing_page_of_snakemakes_report_names_samples_and_seeds(results):
    source = (ROOT / "report/workflow.rst").read_text(encoding="utf-8")
    config = results.run.model_dump(mode="json")
    text = (
        Environment(undefined=StrictUndefined)
        .from_string(source)
        .render(snakemake={"config": config})
    )
    for word in (
        "galaxies, mixed",
        "1, 7",
        "dummy, forest, vote",
        "mean, linear, network, trees, local, ensemble",
    ):
        assert word in " ".join(text.split())


def test_order_of_keys_in_yaml_changes_nothing(results):
    run = type(results.run).from_canonical(results.run.canonical())
    samples = {k: type(v).from_canonical(v.canonical()) for k, v in results.samples.items()}
    assert list(samples["mixed"].splits) != list(results.samples["mixed"].splits)
    assert contents(run, samples) == contents(results.run, results.samples)
