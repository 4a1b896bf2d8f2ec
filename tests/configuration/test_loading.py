import copy
from pathlib import Path

import pytest
import yaml

from sdssflow.configuration.loading import ConfigurationError, load_run, load_sample, load_samples
from sdssflow.configuration.sample import Sample

ROOT = Path(__file__).parents[2]
RUN = yaml.safe_load((ROOT / "config/config.yaml").read_text())
MGS = yaml.safe_load((ROOT / "config/samples/mgs.yaml").read_text())


def test_the_shipped_configuration_is_valid(monkeypatch):
    monkeypatch.chdir(ROOT)
    run = load_run(RUN)
    assert set(load_samples(run)) == set(run.samples)


def changed(content, path, value):
    content = copy.deepcopy(content)
    *parents, last = path
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["seds"], [1], "seds: unknown key (did you mean 'seeds'?)"),
        (["bootstrap", "replicate"], 3, "replicate: unknown key (did you mean 'replicates'?)"),
        (["regressors", "forest", "tres"], 3, "tres: unknown key (did you mean 'trees'?)"),
        (["regressors", "forest", "kind"], "random_forrest", "did you mean 'random_forest'?"),
        (["regressors", "forest", "trees"], 0, "greater than or equal to 1 (found 0)"),
        (["classifiers", "vote", "members"], ["svm", "forrest"], "no classifier 'forrest'"),
        (["figures", "format"], "pngg", "did you mean 'png'?"),
        (["seeds"], [], "seeds: List should have at least 1 item"),
        (["seeds"], ["one"], "seeds.0: Input should be a valid integer"),
        (["bootstrap", "level"], "0.9", "bootstrap.level: Input should be a valid number"),
        (["figures", "dpi"], 130.5, "figures.dpi: Input should be a valid integer"),
        (["samples"], ["../etc"], "samples.0: String should match pattern"),
    ],
)
def test_a_mistake_in_the_run_is_named_with_its_place(path, value, message):
    with pytest.raises(ConfigurationError) as error:
        load_run(changed(RUN, path, value))
    assert message in str(error.value)
    assert "docs/configuration.md" in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["featres"], {}, "featres: unknown key (did you mean 'features'?)"),
        (["features", "groups"], ["redshift"], "'redshift' can't be a feature: the redshift is"),
        (["features", "groups"], ["plate"], "'plate' can't be a feature: targets share plates"),
        (["features", "groups"], ["colours"], "did you mean 'colors'?"),
        (["cuts", 0, "cut"], "complete_fotometry", "did you mean 'complete_photometry'?"),
        (["cuts", 1], {"cut": "magnitude_range", "bnd": "r"}, "did you mean 'band'?"),
        (["splits", "published", "tests"], 0.2, "tests: unknown key"),
        (["splits"], {}, "splits: Dictionary should have at least 1 item"),
        (["source", "kind"], "embeded", "did you mean 'embedded'?"),
        (["source"], {"kind": "embedded", "table": "mclass"}, "has no column 'published_part'"),
        (["tasks"], ["clasify"], "did you mean 'classify'?"),
    ],
)
def test_a_mistake_in_a_sample_is_named_with_its_place(tmp_path, path, value, message):
    file = tmp_path / "mgs.yaml"
    file.write_text(yaml.safe_dump(changed(MGS, path, value)))
    with pytest.raises(ConfigurationError) as error:
        load_sample(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


def test_all_mistakes_are_told_at_once():
    content = changed(changed(RUN, ["seds"], 1), ["figures", "dpi"], 7)
    with pytest.raises(ConfigurationError) as error:
        load_run(content)
    assert "seds" in str(error.value)
    assert "figures.dpi" in str(error.value)


def test_a_missing_sample_file_names_the_nearest(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigurationError, match="did you mean 'mclass'"):
        load_samples(load_run({**RUN, "samples": ["mclas"]}))


@pytest.mark.parametrize("name", ["concepts", "provenance", "workflow"])
def test_a_sample_named_as_another_folder_of_results_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name} can't be the name of a sample"):
        load_samples(load_run(changed(RUN, ["samples"], [name])))


def test_a_sample_that_asks_for_an_unknown_model_is_refused(monkeypatch, tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**MGS, "regressors": ["forrest"]}))
    run = load_run({**RUN, "samples": ["mine"], "sample_folder": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="no 'forrest' .did you mean 'forest'"):
        load_samples(run)


@pytest.mark.parametrize("text", ["- a list", "a: [unclosed", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match="x.yaml"):
        load_sample(tmp_path / "x.yaml")


def test_canonical_text_does_not_depend_on_key_order_and_reads_back():
    sample = Sample.model_validate(MGS)
    turned = Sample.model_validate(dict(reversed(MGS.items())))
    assert sample.canonical() == turned.canonical()
    assert Sample.from_canonical(sample.canonical()) == sample


@pytest.mark.parametrize("url", ["http://me:secret@x.org", "ftp://me:sec/secret@x.org"])
def test_a_password_in_an_address_is_refused_and_not_repeated(url, tmp_path):
    content = changed(MGS, ["source"], {"kind": "skyserver", "server": url})
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match="source.*server: ") as error:
        load_sample(tmp_path / "x.yaml")
    assert "secret" not in str(error.value)
