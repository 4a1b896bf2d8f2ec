import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

from sdssflow.report.contents import (
    PDF_FIGURES,
    contents,
    matched,
    models,
    pdf_models,
    task_figures,
)

ROOT = Path(__file__).parents[2]
RST = {
    "defects": "defects",
    "flow_table": "flow",
    "flow": "flow",
    "clusters": "clusters",
    "cluster_selection": "clusters",
    "clusters_table": "clusters",
    "redshifted_spectrum": "filters",
    "pdf_scores": "pdf_scores",
    "redshift_stacks_summary": "redshift_stacks_summary",
    **dict.fromkeys(PDF_FIGURES, "pdf_figure"),
}
ROOM_RST = {
    ("explore", "figure"): "catalogue_figure",
    ("classify", "figure"): "class_figure",
    ("regress", "figure"): "redshift_figure",
}


def test_order_is_that_of_the_rooms_and_samples(results):
    rooms = ["acquire", "prepare", "explore", "classify", "regress"]
    assert {item.sample for item in results.items[:2]} == {""}
    samples = [item.sample for item in results.items[2:]]
    assert samples == sorted(samples, key=results.run.samples.index)
    for name in results.samples:
        order = [rooms.index(item.room) for item in results.items if item.sample == name]
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


def test_training_is_shown_only_where_a_network_is_trained(results):
    assert "training" not in task_figures(results.run, results.samples["galaxies"], "regress")
    assert "training" in task_figures(results.run, results.samples["mixed"], "regress")


def test_densities_are_shown_after_the_point_scores_where_a_model_gives_them(results):
    run, samples = results.run, results.samples
    assert pdf_models(run, samples["galaxies"]) == []
    assert pdf_models(run, samples["mixed"]) == ["trees", "local", "ensemble"]
    assert pdf_models(run, samples["mixed"].model_copy(update={"tasks": ["classify"]})) == []
    names = [
        item.name
        for item in results.items
        if (item.sample, item.room, item.split) == ("mixed", "regress", "folds")
    ]
    assert names.index("scores_by_bin") < names.index("pdf_scores") < names.index("pit")
    shown = {item.name for item in results.items if item.sample == "galaxies"}
    assert not shown & {"pdf_scores", "covariate_shift", *PDF_FIGURES}


def test_a_search_is_shown_for_each_model_that_has_one_and_each_seed(results):
    paths = [item.path.split("/results/")[1] for item in results.items if item.name == "search"]
    assert sorted(paths) == [
        f"mixed/regress/{split}/ensemble/search/{seed}.csv"
        for split in ("folds", "random")
        for seed in (1, 7)
    ]
    names = [item.name for item in results.items if item.split == "folds"]
    assert names.index("covariate_shift") < names.index("search")


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


def test_parsing_the_workflow_loads_nothing_heavy():
    heavy = {"numpy", "pandas", "matplotlib", "jinja2", "pyarrow"}
    code = f"import sys, sdssflow.report.contents; print({heavy} & set(sys.modules) or 'none')"
    environment = {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "none"


def test_captions_of_snakemakes_report_say_the_same(results):
    jinja = Environment(undefined=StrictUndefined)
    checked = 0
    for item in results.items:
        name = RST.get(item.name) or ROOM_RST.get((item.room, item.kind))
        if name is None:
            continue
        wildcards = {"figure": item.name, "sample": item.sample, "split": item.split}
        source = (ROOT / f"report/{name}.rst").read_text(encoding="utf-8")
        text = jinja.from_string(source).render(snakemake={"wildcards": wildcards})
        assert item.caption in " ".join(text.split()), item
        checked += 1
    assert checked > 30


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
